"""Both clients behind one face: what a test asks of one it asks of the other."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import gatehouse
import gatehouse.sync


class Threads:
    """The synchronous client, as it is."""

    def __init__(self, settings: gatehouse.Settings, **how):
        self.client = gatehouse.sync.Gatehouse(settings)
        self.client._watch = how.get("watch", True)

    def __getattr__(self, name):
        return getattr(self.client, name)

    def together(self, count: int, ask):
        """What `ask(client)` gives, so many times at once."""
        with ThreadPoolExecutor(count) as threads:
            return list(threads.map(lambda _: ask(self), range(count)))

    def begin(self, ask):
        """A call in the background: a function that waits for what it gives."""
        with_result = ThreadPoolExecutor(1)
        return with_result.submit(ask, self).result


class Loop:
    """The asynchronous client on a loop of its own in a thread."""

    def __init__(self, settings: gatehouse.Settings, **how):
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.client = gatehouse.Gatehouse(settings)
        self.client._watch = how.get("watch", True)

    def run(self, work, seconds: float = 60):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def __getattr__(self, name):
        found = getattr(self.client, name)
        if not asyncio.iscoroutinefunction(found):
            return found
        return lambda *args, **named: self.run(found(*args, **named))

    def together(self, count: int, ask):
        async def all_of_it():
            return await asyncio.gather(*(ask(self.client) for _ in range(count)))

        return self.run(all_of_it())

    def begin(self, ask):
        future = asyncio.run_coroutine_threadsafe(ask(self.client), self._loop)
        return future.result

    def close(self):
        self.run(self.client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)


KINDS = {"aio": Loop, "sync": Threads}
