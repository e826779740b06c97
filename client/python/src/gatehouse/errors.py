"""What can go wrong. No error is ever an allow, and none holds a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatehouse.decisions import Decision


class GatehouseError(Exception):
    """All of them. `status` is the name of a gRPC status, the server's or the client's own."""

    def __init__(self, message: str, status: str = "UNKNOWN") -> None:
        super().__init__(message)
        self.status = status


class SettingError(GatehouseError, ValueError):
    """A setting is wrong; the message names it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "FAILED_PRECONDITION")


class InvalidArgument(GatehouseError, ValueError):
    """The question is malformed; the message names the argument. Nothing was decided."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "INVALID_ARGUMENT")


class NotFound(GatehouseError, LookupError):
    """There is no such revocation."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "NOT_FOUND")


class Unavailable(GatehouseError):
    """No decision could be had. Towards one's own callers: 503, never 401, never an allow."""


class CallerRefused(Unavailable):
    """The server does not know this service, or it has no right to ask this."""


class Denied(GatehouseError):
    """`require` and `filter` raise it: there is a decision, and it says no."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.detail, "PERMISSION_DENIED")
        self.decision = decision


# What the developer may look at, by status.
_HINTS = {
    "UNAUTHENTICATED": "it does not know this service: is the token of GATEHOUSE_TOKEN_FILE (or the certificate of "
    "GATEHOUSE_CERT_FILE) that of one of its `callers`?",
    "PERMISSION_DENIED": "this service has no right to ask that: see `may` of this caller in the server's configuration",
    "UNIMPLEMENTED": "it is older than this client, or no Gatehouse at all: see GATEHOUSE_TARGET",
    "DEADLINE_EXCEEDED": "no answer within the deadline: see GATEHOUSE_DEADLINE",
}
_TLS_WORDS = ("ssl", "tls", "certificate", "handshake")


def from_status(status: str, details: str, target: str, secure: bool) -> GatehouseError:
    """The error for a call that ended with this status."""
    if status == "INVALID_ARGUMENT":
        return InvalidArgument(details)
    if status == "NOT_FOUND":
        return NotFound(details)
    hint = _HINTS.get(status, "")
    if status == "UNAVAILABLE":
        hint = "see GATEHOUSE_TARGET"
        lowered = details.lower()
        if "http1.x" in lowered:
            hint += ": that port speaks HTTP/1, and is not the server's `listen.grpc`"
        elif secure and (any(word in lowered for word in _TLS_WORDS) or "connect" in lowered):
            hint += (
                ", whether GATEHOUSE_CA_FILE is the CA of its certificate, and whether it asks for "
                "this service's own (GATEHOUSE_CERT_FILE)"
            )
        elif not secure and ("closed" in lowered or "reset" in lowered):
            hint += ", and whether it wants TLS (GATEHOUSE_CA_FILE)"
    message = f"no decision from Gatehouse at {target}: {status}: {details}"
    if hint:
        message += f" ({hint})"
    kind = CallerRefused if status in ("UNAUTHENTICATED", "PERMISSION_DENIED") else Unavailable
    return kind(message, status)
