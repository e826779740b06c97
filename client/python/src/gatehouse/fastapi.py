"""Gatehouse for FastAPI: who calls as a dependency, and refusals as the right responses."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal, overload

try:
    from fastapi import FastAPI, HTTPException, Request
except ModuleNotFoundError as error:
    if error.name != "fastapi":
        raise
    raise ModuleNotFoundError(
        "gatehouse.fastapi needs FastAPI: pip install 'gatehouse[fastapi]'", name="fastapi"
    ) from None
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.responses import JSONResponse
from fastapi.security.base import SecurityBase
from starlette.exceptions import WebSocketException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import HTTPConnection

from gatehouse import aio
from gatehouse.decisions import MISSING, Code, Decision, Principal
from gatehouse.errors import CallerRefused, Denied, GatehouseError, InvalidArgument, Unavailable
from gatehouse.settings import Settings

__all__ = ["Gatehouse", "HTTPDenied", "Principal", "error_response"]

log = logging.getLogger("gatehouse")
REALM = "gatehouse"
SCHEME = "Gatehouse"
# Of a WebSocket that is refused: policy violation, try again later.
_CLOSE_DENIED, _CLOSE_UNAVAILABLE = 1008, 1013


class HTTPDenied(Denied, HTTPException):
    """Denied, and a response: also where no handler is installed."""

    def __init__(self, decision: Decision) -> None:
        Denied.__init__(self, decision)
        self.status = "PERMISSION_DENIED"
        self.status_code = decision.status
        self.detail = decision.detail
        self.headers = {"WWW-Authenticate": challenge(decision)}


def challenge(decision: Decision) -> str:
    """WWW-Authenticate after RFC 6750. Holds nothing of the token."""
    if decision.code is Code.TOKEN_MISSING:
        return f'Bearer realm="{REALM}"'
    error = "insufficient_scope" if decision.status == 403 else "invalid_token"
    return f'Bearer realm="{REALM}", error="{error}"'


def error_response(error: GatehouseError) -> JSONResponse:
    """The body and headers of the design. What could not be decided is 503."""
    if isinstance(error, Denied):
        decision = error.decision
        return JSONResponse(
            {"detail": decision.detail, "code": decision.code.value, "status": decision.status},
            decision.status,
            {"WWW-Authenticate": challenge(decision)},
        )
    body = {"detail": "It cannot be decided now whether this is allowed.", "code": "UNAVAILABLE",
            "status": 503}  # fmt: skip
    return JSONResponse(body, 503, {"Retry-After": "1"})


class _User(SecurityBase):
    """The dependency, and its entry in OpenAPI."""

    def __init__(self, gatehouse: Gatehouse, optional: bool, with_claims: bool) -> None:
        self.model = HTTPBearerModel(bearerFormat="JWT")
        self.scheme_name = SCHEME
        self._gatehouse, self._optional, self._with_claims = gatehouse, optional, with_claims

    async def __call__(self, connection: HTTPConnection) -> Principal | None:
        # An application without the lifespan, or mounted in one that has it.
        if GatehouseError not in connection.app.exception_handlers:
            self._gatehouse.install(connection.app)
        try:
            return await self._principal(connection)
        except GatehouseError as error:
            if connection.scope["type"] != "websocket":
                raise
            denied = isinstance(error, Denied)
            if not denied:
                self._gatehouse._tell(error, f"closed with {_CLOSE_UNAVAILABLE}")
            raise WebSocketException(
                _CLOSE_DENIED if denied else _CLOSE_UNAVAILABLE,
                error.decision.detail if isinstance(error, Denied) else "unavailable",
            ) from None

    async def _principal(self, connection: HTTPConnection) -> Principal | None:
        token = bearer(connection)
        if not token:
            if self._optional:
                return None
            raise HTTPDenied(MISSING)
        decision = await self._gatehouse.verify(token, with_claims=self._with_claims)
        if not decision.allowed:
            raise HTTPDenied(decision)
        if decision.principal is None:
            raise Unavailable("the service allowed, and did not say whom", "INTERNAL")
        return decision.principal


def bearer(connection: HTTPConnection) -> str:
    """The token of the Authorization header; empty if there is none. Several headers, which others
    may read otherwise, are handed on as one token that is none."""
    values = connection.headers.getlist("authorization")
    if len(values) != 1:
        return " ".join(values)
    scheme, _, token = values[0].partition(" ")
    return token.strip(" ") if scheme.lower() == "bearer" else ""


class _NotOfARequest:
    """What FastAPI cannot read from a request. So `Depends(authz.user)`, without its brackets, is refused
    when the route is made; else it would let everybody in."""


class Gatehouse(aio.Gatehouse):
    """The client for asyncio, with what a FastAPI application needs."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._told_at = -math.inf

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """`FastAPI(lifespan=authz.lifespan)`; in a lifespan of one's own: `async with`."""
        self.install(app)
        await self.start()
        try:
            yield
        finally:
            await self.close()

    def install(self, app: FastAPI) -> None:
        """Makes refusals the responses of `error_response`. `lifespan` does it too, and the
        dependency at its first request."""
        app.add_exception_handler(GatehouseError, self._respond)
        # At its lifespan an application has built its middleware already.
        layer: Any = app.middleware_stack
        while layer is not None:
            if isinstance(layer, ExceptionMiddleware):
                layer.add_exception_handler(GatehouseError, self._respond)
            layer = getattr(layer, "app", None)

    async def _respond(self, _: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, GatehouseError)
        if not isinstance(error, Denied):
            self._tell(error, "answered with 503")
        return error_response(error)

    def _tell(self, error: GatehouseError, what: str) -> None:
        # Once a second at most: every request may say the same.
        if time.monotonic() - self._told_at < 1:
            return
        self._told_at = time.monotonic()
        # Where it is no outage somebody has to mend the application or its settings.
        mistake = isinstance(error, (InvalidArgument, CallerRefused))
        log.log(logging.ERROR if mistake else logging.WARNING, "%s: %s", what, error)

    @overload
    def user(
        self, *, optional: Literal[False] = False, with_claims: bool = False
    ) -> Callable[..., Principal]: ...

    @overload
    def user(
        self, *, optional: Literal[True], with_claims: bool = False
    ) -> Callable[..., Principal | None]: ...

    def user(
        self, *, optional: bool | _NotOfARequest = False, with_claims: bool | _NotOfARequest = False
    ) -> Any:
        """A dependency: whose token came with the request, `Depends(authz.user())`. Without a good
        one 401; where nothing could be decided 503. `optional`: None without a token."""
        return _User(self, bool(optional), bool(with_claims))

    def _denied(self, decision: Decision) -> Denied:
        return HTTPDenied(decision)
