"""When a call is tried again, and a stream begun anew."""

from __future__ import annotations

import random
import threading

# CANCELLED is the server's here: it ended while the call arrived.
RETRIED = ("UNAVAILABLE", "CANCELLED")
# Of one call.
TRIES = 3
_SHARE = 0.1
_SAVED = 10.0


class Budget:
    """A tenth of the calls may be second tries, so that a server that is down is not asked
    twice as often."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._saved = _SAVED

    def called(self) -> None:
        with self._lock:
            self._saved = min(_SAVED, self._saved + _SHARE)

    def take(self) -> bool:
        with self._lock:
            if self._saved < 1:
                return False
            self._saved -= 1
            return True


def call_pause(tries: int) -> float:
    """Seconds before the next try, after so many."""
    longest: float = min(0.02 * 2 ** (tries - 1), 0.2)
    return random.uniform(0.5, 1.0) * longest


class StreamPause:
    """Doubles from 50 ms to 2 s, and is chosen by chance between half and all of it."""

    def __init__(self) -> None:
        self._next = 0.05

    def reset(self) -> None:
        self._next = 0.05

    def take(self) -> float:
        pause = random.uniform(0.5, 1.0) * self._next
        self._next = min(2.0, self._next * 2)
        return pause
