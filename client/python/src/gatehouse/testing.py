"""For the tests of applications: a Gatehouse that decides by a table, and a check that no route
answers without a token."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from gatehouse import _wire as wire
from gatehouse import aio, sync
from gatehouse.connection import CallFailed

Client = TypeVar("Client", aio.Gatehouse, sync.Gatehouse)

_ALLOW, _DENY = 1, 2
_CODES = {"OK": 1, "TOKEN_MISSING": 2, "TOKEN_INVALID": 3, "TOKEN_EXPIRED": 4, "TOKEN_REVOKED": 5,
          "INSUFFICIENT_PERMISSIONS": 6}  # fmt: skip
_CONDITION, _ALL = 2, 1
_EQUALS = 6


class Table:
    """Who there is, and who may do what.

    `users` maps a token to what its principal is (`subject` is the token itself unless said), or
    to the code of a denial: `{"ada": {"roles": ["admin"]}, "old": "TOKEN_EXPIRED"}`. A token that is not
    there is TOKEN_INVALID. `allow` lists `(who, action, type)`: who is `owner`, `role:x`, `relation:x`, a
    subject or `*`; action and type may be `*`. What is not there is denied. `down = True`: nothing
    can be decided.
    """

    def __init__(
        self,
        users: Mapping[str, Mapping[str, Any] | str],
        allow: Iterable[tuple[str, str, str]] = (),
    ) -> None:
        self.users = dict(users)
        self.allow = list(allow)
        self.down = False
        # What was asked, as (subject, action, resource).
        self.asked: list[tuple[str, str, str]] = []

    def answer(self, method: wire.Method, request: Any) -> Any:
        if self.down:
            raise CallFailed("UNAVAILABLE", "the table of the test is down")
        reply: Any = method.response()
        if method.name == "Revoke":
            if request.WhichOneof("target") == "token":
                self.users[request.token] = "TOKEN_REVOKED"
            return reply
        if method.name == "Reinstate":
            return reply
        said = self._said(request.token)
        if isinstance(said, str):
            self._decide(reply.decision, said)
            for _ in getattr(request, "checks", ()):
                self._decide(reply.decisions.add(), said)
            return reply
        for name, value in said.items():
            if isinstance(value, (list, tuple)):
                getattr(reply.principal, name).extend(value)
            else:
                setattr(reply.principal, name, value)
        self._decide(reply.decision, "OK")
        if method.name == "Authorize":
            self._judge(reply.decision, reply.principal, request)
        elif method.name == "BatchAuthorize":
            for check in request.checks:
                self._judge(reply.decisions.add(), reply.principal, check)
        elif method.name == "Filter":
            self._filter(reply, request)
        return reply

    def _said(self, token: str) -> Mapping[str, Any] | str:
        if not token:
            return "TOKEN_MISSING"
        said = self.users.get(token, "TOKEN_INVALID")
        return said if isinstance(said, str) else {"issuer": "test", "subject": token, **said}

    @staticmethod
    def _decide(into: Any, code: str) -> None:
        into.effect = _ALLOW if code == "OK" else _DENY
        into.code = _CODES[code]
        into.detail = f"The table of the test says {code}."

    def _judge(self, into: Any, principal: Any, check: Any) -> None:
        type = check.resource.partition("/")[0]
        self.asked.append((principal.subject, check.action, check.resource))
        good = any(
            _speaks(who, principal, check)
            for who, action, of in self.allow
            if action in ("*", check.action) and of in ("*", type)
        )
        self._decide(into, "OK" if good else "INSUFFICIENT_PERMISSIONS")

    def _filter(self, reply: Any, request: Any) -> None:
        who = {
            one for one, action, of in self.allow
            if action in ("*", request.action) and of in ("*", request.resource_type)
        }  # fmt: skip
        principal = reply.principal
        roles = {f"role:{role}" for role in principal.roles}
        if who & {"*", principal.subject} or who & roles:
            reply.filter.kind = _ALL
        elif "owner" in who:
            reply.filter.kind = _CONDITION
            condition = reply.filter.condition
            condition.operation, condition.field = _EQUALS, "owner"
            condition.values.append(principal.subject)
        else:
            self._decide(reply.decision, "INSUFFICIENT_PERMISSIONS")


def _speaks(who: str, principal: Any, check: Any) -> bool:
    kind, _, name = who.partition(":")
    if kind == "role" and name:
        return name in principal.roles
    if kind == "relation" and name:
        return name in check.relations and principal.subject in check.relations[name].subjects
    if who == "owner":
        return bool(check.owner) and check.owner == principal.subject
    return who in ("*", principal.subject)


class _Aio:
    def __init__(self, table: Table) -> None:
        self._table = table

    async def call(self, method: wire.Method, request: Any, timeout: float) -> Any:
        return self._table.answer(method, request)

    def watch(self) -> Any:
        raise CallFailed("UNIMPLEMENTED", "a table is not watched")

    def renew(self) -> None:
        pass

    async def close(self) -> None:
        pass


class _Sync:
    def __init__(self, table: Table) -> None:
        self._table = table

    def call(self, method: wire.Method, request: Any, timeout: float) -> Any:
        return self._table.answer(method, request)

    def watch(self, requests: Iterator[Any]) -> Any:
        raise CallFailed("UNIMPLEMENTED", "a table is not watched")

    def renew(self) -> None:
        pass

    def close(self) -> None:
        pass


@contextmanager
def deciding_by(gatehouse: Client, table: Table) -> Iterator[Table]:
    """Within it the Gatehouse of the application decides by the table, and needs no server."""
    before = gatehouse._stand_in
    made: Any = _Aio(table) if isinstance(gatehouse, aio.Gatehouse) else _Sync(table)
    gatehouse._stand_in = made
    try:
        yield table
    finally:
        gatehouse._stand_in = before


# Every route.

# Of a route that has others as well they say no more than these do.
_LESSER_METHODS = {"HEAD", "OPTIONS"}
_SAMPLES = {"int": "1", "float": "1.5", "uuid": "00000000-0000-4000-8000-000000000000"}


def assert_every_route_asks(app: Any, public: Collection[str] = ()) -> None:
    """Fails on a route that answers without a token with anything but 401 (or closes no WebSocket
    before it accepts it).

    `public`: the paths, as the routes have them, that need none. Those of the documentation
    (`/docs`, `/openapi.json`) need not be listed. Starts no lifespan and asks no server."""
    own = {getattr(app, name, None) for name in (
        "openapi_url", "docs_url", "redoc_url", "swagger_ui_oauth2_redirect_url")}  # fmt: skip
    skipped = {*public, *own}
    routes = [one for one in _routes(app.routes, "") if one[0] not in skipped]
    unknown = set(public) - {path for path, _, _ in _routes(app.routes, "")}
    assert not unknown, f"no such route: {', '.join(sorted(unknown))}"
    with ThreadPoolExecutor(1) as threads:
        found = threads.submit(lambda: asyncio.run(_ask_all(app, routes))).result()
    assert not found, "routes that answer without a token:\n  " + "\n  ".join(found)


def _routes(routes: Sequence[Any], prefix: str) -> Iterator[tuple[str, str, str]]:
    """(path as it is written, method, path to ask)."""
    for route in routes:
        path = prefix + getattr(route, "path", "")
        inner = getattr(route, "routes", None)
        if inner:
            yield from _routes(inner, path)
        elif getattr(route, "methods", None):
            for method in sorted(set(route.methods) - _LESSER_METHODS or route.methods):
                yield path, method, _filled(path)
        elif hasattr(route, "app") and not hasattr(route, "endpoint"):
            yield path, "GET", _filled(path) + "/x"
        elif type(route).__name__.endswith("WebSocketRoute"):
            yield path, "WEBSOCKET", _filled(path)
        elif hasattr(route, "endpoint"):
            yield path, "GET", _filled(path)


def _filled(path: str) -> str:
    return re.sub(
        r"{[^}:]*(?::([a-z]+))?}", lambda found: _SAMPLES.get(found[1] or "", "x"), path
    )


async def _ask_all(app: Any, routes: list[tuple[str, str, str]]) -> list[str]:
    found = []
    for path, method, asked in routes:
        answer = await _ask(app, method, asked)
        if answer != "401":
            found.append(f"{method} {path}: {answer}")
    return found


async def _ask(app: Any, method: str, path: str) -> str:
    """The status, or what else came first. Of a WebSocket that is refused: 401."""
    socket = method == "WEBSOCKET"
    scope = {
        "type": "websocket" if socket else "http", "asgi": {"version": "3.0"}, "http_version": "1.1",
        "method": method, "scheme": "ws" if socket else "http", "path": path,
        "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": [(b"host", b"test")], "client": ("127.0.0.1", 1), "server": ("test", 80),
        "subprotocols": [], "state": {}, "extensions": {},
    }  # fmt: skip
    sent: list[Any] = []
    received = [{"type": "websocket.connect"} if socket else {"type": "http.request", "body": b""}]

    async def receive() -> Any:
        if received:
            return received.pop()
        return {"type": "websocket.disconnect", "code": 1000} if socket else {
            "type": "http.disconnect"
        }  # fmt: skip

    async def send(message: Any) -> None:
        sent.append(message)

    try:
        await asyncio.wait_for(app(scope, receive, send), 10)
    except Exception as error:
        if not sent:
            return f"{type(error).__name__} before any answer"
    if not sent:
        return "no answer"
    if sent[0]["type"] == "websocket.close":
        return "401" if sent[0].get("code") == 1008 else f"closed with {sent[0].get('code')}"
    return str(sent[0].get("status", sent[0]["type"]))
