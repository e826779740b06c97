"""Waiting for conditions, always with a bound."""

import asyncio
import threading
import time

_never = threading.Event()


def wait_until(condition, what: str, seconds: float = 20):
    end = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < end, f"waited {seconds:g} s in vain for: {what}"
        _never.wait(0.005)
    return answer


async def come_true(condition, what: str, seconds: float = 20):
    end = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < end, f"waited {seconds:g} s in vain for: {what}"
        await asyncio.sleep(0.005)
    return answer
