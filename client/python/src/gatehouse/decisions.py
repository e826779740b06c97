"""What an answer says. Values that never change, so that they can be remembered and shared."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


class Code(str, enum.Enum):
    """Why, in public words. UNSPECIFIED: what this client does not know, which is a denial."""

    OK = "OK"
    TOKEN_MISSING = "TOKEN_MISSING"
    TOKEN_INVALID = "TOKEN_INVALID"
    TOKEN_EXPIRED = "TOKEN_EXPIRED"
    TOKEN_REVOKED = "TOKEN_REVOKED"
    INSUFFICIENT_PERMISSIONS = "INSUFFICIENT_PERMISSIONS"
    UNSPECIFIED = "UNSPECIFIED"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Principal:
    """Who a good token speaks for. Empty: the token does not say."""

    issuer: str
    subject: str
    tenant: str = ""
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    session_id: str = ""
    token_id: str = ""
    client_id: str = ""
    email: str = ""
    issue_time: datetime | None = None
    expire_time: datetime | None = None
    # Only on request.
    claims: Mapping[str, Any] | None = field(default=None, compare=False)

    @property
    def token(self) -> str:
        """The token itself, with which the client asks on behalf of this principal. No field, so
        that it stands in no repr, no dictionary and no response."""
        token: str = self.__dict__.get("_token", "")
        return token

    def with_token(self, token: str) -> Principal:
        object.__setattr__(self, "_token", token)
        return self

    def has_role(self, role: str) -> bool:
        """Whether the token names it. Included roles and rules are the server's: use `require`."""
        return role in self.roles


@dataclass(frozen=True)
class Step:
    """One step of how a decision was reached."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Decision:
    """True only if it allows."""

    allowed: bool
    code: Code
    # Of HTTP, for a web backend's own answer: 200, 401 or 403.
    status: int
    detail: str = ""
    # Names it in the server's log.
    id: str = ""
    # Set when the token is good, also when the rule says no.
    principal: Principal | None = None
    # Only with `explain`.
    explanation: tuple[Step, ...] = ()

    def __bool__(self) -> bool:
        return self.allowed


@dataclass(frozen=True)
class Batch:
    """What the token is worth, and a decision for each check, in order."""

    token: Decision
    decisions: tuple[Decision, ...]


@dataclass(frozen=True)
class Revoked:
    """A revocation that was made, found in force already, or taken back."""

    id: str
    # token_id, token, session, subject, tenant, client or key.
    kind: str
    existed: bool
    # After `reinstate`: another one of the same target is in force.
    still_revoked: bool
    revision: int
    store_id: str


MISSING = Decision(False, Code.TOKEN_MISSING, 401, "There is no token.")
