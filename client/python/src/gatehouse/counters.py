"""Figures for the application's own metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Figures:
    """As of one moment. All but `entries`, `live` and `staleness` only rise."""

    hits: int
    misses: int
    # Calls that got the answer of another's RPC.
    shared: int
    retries: int
    # Changes that the stream told of, and decisions dropped by them.
    changes: int
    dropped: int
    # By (method, gRPC status).
    rpcs: Mapping[tuple[str, str], int]
    # How many decisions are remembered now.
    entries: int
    # Whether what is remembered may be used.
    live: bool
    # Seconds since the newest ping was sent that was answered; None: none ever was.
    staleness: float | None


class Counters:
    """What is counted. A plain integer each, cheap enough for every hit."""

    __slots__ = ("hits", "misses", "shared", "retries", "changes", "dropped", "rpcs")

    def __init__(self) -> None:
        self.hits = self.misses = self.shared = self.retries = self.changes = self.dropped = 0
        self.rpcs: Counter[tuple[str, str]] = Counter()
