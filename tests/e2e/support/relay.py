"""A way to a server that counts who goes it."""

import asyncio
import contextlib


class Relay:
    """Passes each connection on to `target`, byte by byte, and counts them."""

    def __init__(self, target: str):
        self._host, port = target.rsplit(":", 1)
        self._port = int(port)
        self._passing = set()
        self.target = ""
        self.connections = 0

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.target = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def _accept(self, reader, writer):
        task = asyncio.current_task()
        self._passing.add(task)
        self.connections += 1
        there, back = await asyncio.open_connection(self._host, self._port)
        try:
            await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
        except asyncio.CancelledError:
            pass
        finally:
            back.close()
            writer.close()
            self._passing.discard(task)

    @staticmethod
    async def _pass(source, sink):
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        sink.close()
