"""Waiting for conditions, always with a bound."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_never = threading.Event()


def wait_until(condition: Callable[[], T], what: str, seconds: float = 60) -> T:
    """Asks until the answer is true, and gives it back. `what` is for the message."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain for: {what}")
        _never.wait(0.02)
