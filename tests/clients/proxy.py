"""A proxy between a client and the server that can cut, delay, half-close, partition, and hold
back one reply.

Bytes pass unchanged. It reads HTTP/2 only as far as frames go: to hold one stream back while
the others on the same connection go on. HEADERS of the others queue up behind the held one,
since header compression counts on their order; DATA, and so the messages of a stream that is
open already, passes.
"""

import asyncio
import collections
import contextlib

PREFACE = len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
HEADERS, CONTINUATION = 1, 9
UP, DOWN = "up", "down"  # to the server, to the client


class Frames:
    """Cuts bytes into frames: (type, stream, bytes)."""

    def __init__(self, skip: int = 0):
        self._skip = skip
        self._rest = b""

    def feed(self, data: bytes):
        self._rest += data
        if self._skip:
            if len(self._rest) < self._skip:
                return
            yield -1, 0, self._rest[: self._skip]
            self._rest, self._skip = self._rest[self._skip :], 0
        while len(self._rest) >= 9:
            end = 9 + int.from_bytes(self._rest[:3], "big")
            if len(self._rest) < end:
                return
            frame, self._rest = self._rest[:end], self._rest[end:]
            yield frame[3], int.from_bytes(frame[5:9], "big") & 0x7FFFFFFF, frame


class Connection:
    def __init__(self, proxy: "Proxy", client, server):
        self.proxy = proxy
        self.writers = {UP: server[1], DOWN: client[1]}
        self.readers = {UP: client[0], DOWN: server[0]}
        self.newest = 0
        self.held: int | None = None  # a stream
        self.parked: list[bytes] = []
        self.blocked: set[int] = set()  # streams whose headers are parked

    async def run(self):
        pumps = [asyncio.create_task(self._pump(way)) for way in (UP, DOWN)]
        try:
            await asyncio.gather(*pumps)
        finally:
            for pump in pumps:
                pump.cancel()
            self.cut()

    def cut(self):
        for writer in self.writers.values():
            with contextlib.suppress(Exception):
                writer.transport.abort()

    def release(self):
        self.held = None
        self.blocked.clear()
        parked, self.parked = self.parked, []
        with contextlib.suppress(Exception):
            self.writers[DOWN].write(b"".join(parked))

    async def _pump(self, way: str):
        queue: collections.deque = collections.deque()
        arrived = asyncio.Event()
        reading = asyncio.create_task(self._read(way, queue, arrived))
        frames = Frames(PREFACE if way == UP else 0)
        loop = asyncio.get_running_loop()
        try:
            while True:
                while not queue:
                    arrived.clear()
                    await arrived.wait()
                at, data = queue.popleft()
                wait = at + self.proxy.delays[way] - loop.time()
                if wait > 0:
                    await asyncio.sleep(wait)
                await self.proxy.gates[way].wait()
                if not data:
                    self.writers[way].write_eof()
                    return
                self.proxy.bytes[way] += len(data)
                self._pass(way, frames, data)
                await self.writers[way].drain()
        except (OSError, asyncio.IncompleteReadError):
            self.cut()
        finally:
            reading.cancel()

    async def _read(self, way: str, queue, arrived):
        data = b"-"
        while data:
            try:
                data = await self.readers[way].read(65536)
            except OSError:
                self.cut()
                data = b""
            queue.append((asyncio.get_running_loop().time(), data))
            arrived.set()

    def _pass(self, way: str, frames: Frames, data: bytes):
        for kind, stream, frame in frames.feed(data):
            if way == UP:
                if kind == HEADERS and stream > self.newest:
                    self.newest = stream
                    if self.proxy.hold_next:
                        self.proxy.hold_next = False
                        self.held = stream
                self.writers[UP].write(frame)
            elif self._is_held(kind, stream):
                self.parked.append(frame)
                self.proxy.parked.set()
            else:
                self.writers[DOWN].write(frame)

    def _is_held(self, kind: int, stream: int) -> bool:
        if self.held is None:
            return False
        if stream == self.held or stream in self.blocked:
            return True
        if kind in (HEADERS, CONTINUATION) and self.parked:
            self.blocked.add(stream)
            return True
        return False


class Proxy:
    """Listens on a port of its own. `target` may change: connections made later go there."""

    def __init__(self, target: str = ""):
        self.target = target
        self.address = ""
        self.refuse = False
        self.hold_next = False
        self.parked = asyncio.Event()
        self.delays = {UP: 0.0, DOWN: 0.0}
        self.gates = {UP: asyncio.Event(), DOWN: asyncio.Event()}
        self.bytes = {UP: 0, DOWN: 0}
        self._connections: set[Connection] = set()
        self.accepted = 0
        for gate in self.gates.values():
            gate.set()

    async def start(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.address = "127.0.0.1:%d" % self._server.sockets[0].getsockname()[1]
        return self

    async def _accept(self, reader, writer):
        self.accepted += 1
        if self.refuse:
            writer.transport.abort()
            return
        host, port = self.target.rsplit(":", 1)
        try:
            server = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.transport.abort()
            return
        made = Connection(self, (reader, writer), server)
        self._connections.add(made)
        try:
            with contextlib.suppress(Exception):
                await made.run()
        finally:
            self._connections.discard(made)

    # What a test may ask for; see README.md.

    async def cut(self, refuse: bool = False):
        """Ends all connections; with `refuse`, those to come too, until `mend`."""
        self.refuse = refuse
        for one in list(self._connections):
            one.cut()

    async def half_close(self, way: str = DOWN):
        for one in list(self._connections):
            with contextlib.suppress(Exception):
                one.writers[way].write_eof()

    async def partition(self, way: str = "both"):
        """Nothing arrives, and nobody is told; what was sent arrives after `mend`."""
        for name in (UP, DOWN):
            if way in (name, "both"):
                self.gates[name].clear()

    async def delay(self, seconds: float, way: str = "both"):
        for name in (UP, DOWN):
            if way in (name, "both"):
                self.delays[name] = seconds

    async def hold(self):
        """The reply to the next call that is begun stays here until `release`."""
        self.parked.clear()
        self.hold_next = True

    async def held(self, seconds: float = 10):
        """Returns when a reply has come and is held."""
        await asyncio.wait_for(self.parked.wait(), seconds)

    async def release(self):
        self.hold_next = False
        for one in list(self._connections):
            one.release()

    async def mend(self):
        """Takes everything back; connections that were cut stay so."""
        self.refuse = False
        self.delays = {UP: 0.0, DOWN: 0.0}
        for gate in self.gates.values():
            gate.set()
        await self.release()
