"""Asks Gatehouse who somebody is and what they may do, and remembers the answers.

`Gatehouse` is for asyncio, `gatehouse.sync.Gatehouse` for threads, `gatehouse.fastapi.Gatehouse` for
FastAPI. docs/clients.md says what is remembered, and for how long.
"""

from gatehouse.aio import Gatehouse
from gatehouse.aio_subscriptions import Subscription
from gatehouse.core import Check
from gatehouse.counters import Figures
from gatehouse.decisions import Batch, Code, Decision, Principal, Revoked, Step
from gatehouse.errors import (
    CallerRefused, Denied, GatehouseError, InvalidArgument, NotFound, SettingError, Unavailable,
)  # fmt: skip
from gatehouse.filters import Condition, Filter, Row, Sql
from gatehouse.settings import Settings

__all__ = [
    "Batch", "CallerRefused", "Check", "Code", "Condition", "Decision", "Denied", "Figures",
    "Filter", "Gatehouse", "GatehouseError", "InvalidArgument", "NotFound", "Principal", "Revoked",
    "Row", "Settings", "SettingError", "Sql", "Step", "Subscription", "Unavailable",
]  # fmt: skip
