"""When a call is tried again, and a stream begun anew."""

from __future__ import annotations

import random
import threading

# CANCELLED is the server's here: it ended while the call arrived.
RETRIED = ("UNAVAILABLE", "CANCELLED")
# Seconds at least and at most before the second try of a call, the third and the fourth, which is
# the last: together they outlast a server that starts again.
_PAUSES = ((0.02, 0.04), (0.15, 0.35), (0.3, 0.7))
_SHARE = 0.1
_SAVED = 10.0


class Budget:
    """A tenth of the calls may be later tries, so that a server that is down is not asked
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


def call_pause(tries: int, left: float) -> float | None:
    """Seconds before the next try, after so many; None: there is no other. Three quarters of the
    time that is `left` at most, so that the rest is the answer's."""
    most = left * 3 / 4
    if tries > len(_PAUSES) or most < _PAUSES[0][0]:
        return None
    return min(random.uniform(*_PAUSES[tries - 1]), most)


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
