"""Between protobuf's messages and the values that this package gives: the only place that knows
both.

The messages are made from a descriptor set in a pool of their own, so that this package
works with any protobuf runtime, and beside an application's own generated code.
"""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from gatehouse.decisions import Batch, Code, Decision, Principal, Revoked, Step
from gatehouse.errors import InvalidArgument
from gatehouse.filters import ALL, CONDITION, NONE, Condition, Filter, Sql
from gatehouse.memory import Change, Message, Stamp

SERVICE = "gatehouse.v1.AuthorizationService"


def _load() -> Any:
    files = descriptor_pb2.FileDescriptorSet()
    files.ParseFromString((importlib.resources.files("gatehouse") / "protos.binpb").read_bytes())
    pool = descriptor_pool.DescriptorPool()  # type: ignore[no-untyped-call, unused-ignore]
    for file in files.file:
        pool.Add(file)  # type: ignore[no-untyped-call, unused-ignore]
    return pool


_pool = _load()


def message(name: str) -> Any:
    """The class of a message of gatehouse.v1."""
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName("gatehouse.v1." + name))


class Method:
    """What gRPC has to know of one."""

    def __init__(self, name: str) -> None:
        found = _pool.FindServiceByName(SERVICE).FindMethodByName(name)
        self.name = name
        self.path = f"/{SERVICE}/{name}"
        self.request = message_factory.GetMessageClass(found.input_type)
        self.response = message_factory.GetMessageClass(found.output_type)
        # A question, which is answered at a revision or later.
        self.asks = "min_revision" in found.input_type.fields_by_name


VERIFY, AUTHORIZE, BATCH, FILTER = (
    Method(name) for name in ("Verify", "Authorize", "BatchAuthorize", "Filter")
)
REVOKE, REINSTATE, WATCH = Method("Revoke"), Method("Reinstate"), Method("Watch")

_TARGETS = {
    "token_id": "token_id",
    "session": "session_id",
    "subject": "subject",
    "tenant": "tenant",
    "client": "client_id",
    "key": "key_id",
}

# Requests. A question is a tuple that names all of it, so it is also what an answer is
# remembered under.

Facts = tuple[str, str, str, str, Any, Any]


def verify_request(token: str, revision: int, store_id: str, **flags: bool) -> Any:
    return _made(VERIFY.request, token=token, min_revision=revision, store_id=store_id, **flags)


def authorize_request(
    token: str, facts: Facts, revision: int, store_id: str, explain: bool
) -> Any:
    made = _made(AUTHORIZE.request, token=token, min_revision=revision, store_id=store_id)
    made.explain, made.with_tags = explain, True
    _fill(made, facts)
    return made


def batch_request(token: str, checks: list[Facts], revision: int, store_id: str) -> Any:
    made = _made(BATCH.request, token=token, min_revision=revision, store_id=store_id)
    made.with_tags = True
    for facts in checks:
        _fill(made.checks.add(), facts)
    return made


def filter_request(token: str, type: str, action: str, revision: int, store_id: str) -> Any:
    return _made(
        FILTER.request, token=token, resource_type=type, action=action, min_revision=revision,
        store_id=store_id,
    )  # fmt: skip


def revoke_request(
    kind: str, issuer: str, value: str, issued_until: datetime | None, expire: datetime | None,
    reason: str,
) -> Any:  # fmt: skip
    made = _made(REVOKE.request, reason=reason)
    if kind == "token":
        made.token = _text("token", value)
    elif kind:
        target = getattr(made, kind)
        target.SetInParent()
        target.issuer = _text("issuer", issuer)
        setattr(target, _TARGETS[kind], _text(_TARGETS[kind], value))
        if issued_until is not None:
            target.issued_until.FromDatetime(issued_until)
    if expire is not None:
        made.expire_time.FromDatetime(expire)
    return made


def reinstate_request(id: str, reason: str) -> Any:
    return _made(REINSTATE.request, id=id, reason=reason)


def watch_request(ping: int, revision: int | None, store_id: str) -> Any:
    made: Any = WATCH.request(ping=ping)
    if revision is not None:
        made.from_revision, made.store_id = revision, store_id
    return made


_TEXTS = {"token", "resource_type", "action", "store_id", "id", "reason"}


def _made(kind: Any, **fields: Any) -> Any:
    for name in _TEXTS.intersection(fields):
        _text(name, fields[name])
    made = kind(**fields)
    if hasattr(made, "with_tags"):
        made.with_tags = True
    return made


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidArgument(f"{name}: {type(value).__name__} is no str")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidArgument(f"{name}: holds what is no Unicode text") from None
    return value


def _fill(made: Any, facts: Facts) -> None:
    names = ("resource", "action", "owner", "tenant")
    for name, value in zip(names, facts[:4], strict=True):
        setattr(made, name, _text(name, value))
    for relation, subjects in facts[4]:
        into = made.relations[_text("relations", relation)]
        into.SetInParent()
        into.subjects.extend(_text("relations", one) for one in subjects)
    for attribute, value in facts[5]:
        made.attributes[_text("attributes", attribute)] = _text("attributes", value)


# Replies.

_CODES = {
    1: Code.OK, 2: Code.TOKEN_MISSING, 3: Code.TOKEN_INVALID, 4: Code.TOKEN_EXPIRED,
    5: Code.TOKEN_REVOKED, 6: Code.INSUFFICIENT_PERMISSIONS,
}  # fmt: skip
_STATUS = {Code.OK: 200, Code.INSUFFICIENT_PERMISSIONS: 403}
_ALLOW, _DENY = 1, 2


def decision(said: Any, principal: Principal | None) -> Decision:
    """Only EFFECT_ALLOW together with CODE_OK is a permission."""
    code = _CODES.get(said.code, Code.UNSPECIFIED)
    allowed = said.effect == _ALLOW and code is Code.OK
    if allowed:
        status = 200
    elif code in (Code.OK, Code.UNSPECIFIED) or said.effect != _DENY:
        status = 401 if said.http_status == 401 else 403
        code = Code.UNSPECIFIED
    else:
        status = _STATUS.get(code, 401)
    return Decision(
        allowed, code, status, said.detail or ("" if allowed else "Not allowed."), said.id,
        principal,
        tuple(Step(step.name, step.passed, step.detail) for step in said.explanation),
    )  # fmt: skip


def principal_of(reply: Any, token: str) -> Principal | None:
    if not reply.HasField("principal"):
        return None
    said = reply.principal
    claims: Mapping[str, Any] | None = None
    if said.claims:
        read = json.loads(said.claims)
        claims = read if isinstance(read, dict) else None
    return Principal(
        issuer=said.issuer, subject=said.subject, tenant=said.tenant, roles=tuple(said.roles),
        scopes=tuple(said.scopes), session_id=said.session_id, token_id=said.token_id,
        client_id=said.client_id, email=said.email, issue_time=_time(said, "issue_time"),
        expire_time=_time(said, "expire_time"), claims=claims,
    ).with_token(token)  # fmt: skip


def _time(said: Any, name: str) -> datetime | None:
    if not said.HasField(name):
        return None
    stamp = getattr(said, name)
    try:
        return datetime.fromtimestamp(stamp.seconds + stamp.nanos / 1e9, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return None


def answer(reply: Any, token: str) -> Decision:
    return decision(reply.decision, principal_of(reply, token))


def batch(reply: Any, token: str, count: int) -> Batch:
    """Where there are fewer decisions than checks the rest is denied; more are left out."""
    principal = principal_of(reply, token)
    whole = decision(reply.decision, principal)
    each = [decision(one, principal) for one in reply.decisions[:count]]
    if not whole.allowed:
        each = [one if not one.allowed else whole for one in each]
    missing = Decision(False, Code.UNSPECIFIED, 403, "The server said nothing of this.", "", principal)
    return Batch(whole, tuple(each + [missing] * (count - len(each))))


_OPERATIONS = {
    1: "all", 2: "any", 3: "not", 4: "is_false", 5: "present", 6: "equals", 7: "in", 8: "prefix",
    9: "less_than", 10: "at_most", 11: "greater_than", 12: "at_least", 13: "related",
}  # fmt: skip


def filter_of(reply: Any, token: str) -> Filter:
    made = answer(reply, token)
    said = reply.filter
    kind = {1: ALL, 2: CONDITION}.get(said.kind, NONE) if made.allowed else NONE
    if kind == NONE:
        return Filter(NONE, Condition(""), made)
    return Filter(
        kind, _condition(said.condition), made, _sql(said, "sqlite"), _sql(said, "postgres")
    )


def _condition(said: Any) -> Condition:
    return Condition(
        _OPERATIONS.get(said.operation, ""), said.field, tuple(said.values), said.number,
        tuple(_condition(one) for one in said.inner),
    )  # fmt: skip


def _sql(said: Any, name: str) -> Sql | None:
    if not said.HasField(name):
        return None
    sql = getattr(said, name)
    return Sql(sql.where, tuple(_parameter(one) for one in sql.parameters))


def _parameter(said: Any) -> str | float:
    value: str | float = said.number if said.WhichOneof("value") == "number" else said.text
    return value


def revoked(reply: Any) -> Revoked:
    kind = reply.revocation.WhichOneof("target") or ""
    return Revoked(
        reply.revocation.id, "token" if kind == "token_identity" else kind, reply.existed,
        bool(getattr(reply, "still_revoked", False)), reply.revision, reply.store_id,
    )  # fmt: skip


def stamp(reply: Any) -> Stamp:
    lasts = reply.remember_for
    return Stamp(
        reply.revision, reply.store_id, reply.rules, lasts.seconds + lasts.nanos / 1e9,
        tuple(reply.tags),
    )  # fmt: skip


_NAMED = (1, 2, 3)


def heard(said: Any) -> Message:
    """A message of the stream. A change of an unknown kind, or without a tag, is about everything."""
    changes = [
        Change(one.tag if one.kind in _NAMED and one.tag else None, one.revision)
        for one in said.changes
    ]
    return Message(
        changes, said.revision, said.store_id, said.rules, said.ping, said.fell_behind
    )
