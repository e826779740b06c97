"""FastAPI without a server: responses, WebSockets, and what applications test with."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import gatehouse
import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from fastapi.exceptions import FastAPIError
from fastapi.testclient import TestClient
from gatehouse import (
    Check, Denied, GatehouseError, InvalidArgument, Principal, Row, Settings, Unavailable,
)  # fmt: skip
from gatehouse.fastapi import Gatehouse
from gatehouse.sync import Gatehouse as SyncGatehouse
from gatehouse.testing import Table, assert_every_route_asks, deciding_by
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocketDisconnect

USERS = {"ada": {}, "bob": {"roles": ["support"]}, "old": "TOKEN_EXPIRED", "out": "TOKEN_REVOKED"}
ALLOW = [("owner", "read", "note"), ("role:support", "*", "note"), ("relation:editor", "edit", "note")]


@pytest.fixture
def authz():
    return Gatehouse(Settings("127.0.0.1:1"))


@pytest.fixture
def table(authz):
    with deciding_by(authz, Table(USERS, ALLOW)) as made:
        yield made


@pytest.fixture
def app(authz):
    app = FastAPI(lifespan=authz.lifespan, middleware=[Middleware(GZipMiddleware)])
    User = Annotated[Principal, Depends(authz.user())]

    @app.get("/me")
    async def me(user: User):
        return {"subject": user.subject, "roles": user.roles}

    @app.get("/notes/{id:path}")
    async def note(id: str, user: User):
        await authz.require(user, "note", "read", id=id, owner="ada")
        return id

    @app.get("/maybe")
    async def maybe(user: Annotated[Principal | None, Depends(authz.user(optional=True))]):
        return user and user.subject

    @app.websocket("/live")
    async def live(socket: WebSocket, user: User):
        await socket.accept()
        await socket.send_text(user.subject)
        await socket.close()

    return app


@pytest.fixture
def client(app, table):
    with TestClient(app) as client:
        yield client


def get(client, path, *values):
    return client.get(path, headers=[("Authorization", value) for value in values])


@pytest.mark.parametrize(
    ("values", "status", "code"),
    [
        (["Bearer ada"], 200, None),
        (["bearer ada"], 200, None),
        (["BEARER  ada "], 200, None),
        ([], 401, "TOKEN_MISSING"),
        (["Bearer"], 401, "TOKEN_MISSING"),
        (["Bearer "], 401, "TOKEN_MISSING"),
        (["Basic ada"], 401, "TOKEN_MISSING"),
        (["ada"], 401, "TOKEN_MISSING"),
        (["Bearer ada", "Bearer ada"], 401, "TOKEN_INVALID"),
        (["Bearer ada", "Basic x"], 401, "TOKEN_INVALID"),
        (["Bearer nobody"], 401, "TOKEN_INVALID"),
        (["Bearer old"], 401, "TOKEN_EXPIRED"),
        (["Bearer out"], 401, "TOKEN_REVOKED"),
    ],
)
def test_who_calls(client, values, status, code):
    reply = get(client, "/me", *values)
    assert reply.status_code == status
    if status == 200:
        assert reply.json() == {"subject": "ada", "roles": []}
        return
    assert reply.json()["code"] == code and reply.json()["status"] == status
    header = 'Bearer realm="gatehouse"'
    if code != "TOKEN_MISSING":
        header += ', error="invalid_token"'
    assert reply.headers["www-authenticate"] == header


def test_the_dependency_without_its_brackets_is_refused_when_the_route_is_made(app, authz):
    with pytest.raises(FastAPIError):

        @app.get("/open")
        async def everybody(user: Annotated[Principal, Depends(authz.user)]):
            return "let in"


class Nameless(Table):
    def answer(self, method, request):
        reply = super().answer(method, request)
        reply.ClearField("principal")
        return reply


def test_an_allow_that_does_not_say_whom_is_503(app, authz):
    with deciding_by(authz, Nameless(USERS)), TestClient(app) as client:
        assert get(client, "/me", "Bearer ada").status_code == 503


def test_a_principal_that_is_returned_shows_no_token(app, authz, table):
    @app.get("/whole")
    async def whole(user: Annotated[Principal, Depends(authz.user())]) -> Principal:
        return user

    with TestClient(app) as client:
        reply = get(client, "/whole", "Bearer ada")
    assert reply.json()["subject"] == "ada" and "token" not in reply.json()


def test_require_asks_with_what_it_is_given(client, table):
    assert get(client, "/notes/a/b", "Bearer ada").json() == "a/b"
    assert get(client, "/notes/1", "Bearer bob").status_code == 200
    assert table.asked == [("ada", "read", "note/a/b"), ("bob", "read", "note/1")]
    table.allow = []
    reply = get(client, "/notes/1", "Bearer ada")
    assert reply.status_code == 403 and reply.json()["code"] == "INSUFFICIENT_PERMISSIONS"
    assert reply.headers["www-authenticate"] == 'Bearer realm="gatehouse", error="insufficient_scope"'


def test_undecided_is_503_everywhere(client, table):
    table.down = True
    for path in ("/me", "/notes/1", "/maybe"):
        reply = get(client, path, "Bearer ada")
        assert (reply.status_code, reply.json()["code"]) == (503, "UNAVAILABLE")
        assert "www-authenticate" not in reply.headers and reply.headers["retry-after"]
    assert get(client, "/me").status_code == 401


def test_a_malformed_question_is_503_and_said_in_the_log(app, authz, table, caplog):
    @app.get("/wrong")
    async def wrong(user: Annotated[Principal, Depends(authz.user())]):
        await authz.require(user, "note", "read", id=42)

    with TestClient(app) as client:
        assert get(client, "/wrong", "Bearer ada").status_code == 503
    assert "id: int is no str" in caplog.text


def test_a_mistake_that_every_request_makes_is_said_once_a_second(app, authz, table, caplog):
    @app.get("/wrong")
    async def wrong(user: Annotated[Principal, Depends(authz.user())]):
        raise InvalidArgument("as every time")

    with TestClient(app) as client:
        began = time.monotonic()
        for _ in range(20):
            assert get(client, "/wrong", "Bearer ada").status_code == 503
    assert 1 <= caplog.text.count("as every time") <= 1 + (time.monotonic() - began)


def test_an_optional_user_is_none_only_without_a_token(client):
    assert get(client, "/maybe").json() is None
    assert get(client, "/maybe", "Bearer ada").json() == "ada"
    assert get(client, "/maybe", "Bearer old").status_code == 401


def test_websockets_are_refused_before_they_are_accepted(client, table):
    with client.websocket_connect("/live", headers={"Authorization": "Bearer ada"}) as socket:
        assert socket.receive_text() == "ada"
    for headers, code in (({}, 1008), ({"Authorization": "Bearer old"}, 1008)):
        with pytest.raises(WebSocketDisconnect) as caught:
            with client.websocket_connect("/live", headers=headers):
                pass
        assert caught.value.code == code
    table.down = True
    with pytest.raises(WebSocketDisconnect) as caught:
        with client.websocket_connect("/live", headers={"Authorization": "Bearer ada"}):
            pass
    assert caught.value.code == 1013


def test_without_a_lifespan_the_status_is_right_all_the_same(app, table):
    client = TestClient(app)
    assert get(client, "/me").status_code == 401
    assert get(client, "/me").headers["www-authenticate"]
    assert get(client, "/me").json()["code"] == "TOKEN_MISSING"
    assert get(client, "/notes/1", "Bearer out").json()["code"] == "TOKEN_REVOKED"
    table.down = True
    assert get(client, "/me", "Bearer ada").status_code == 503


def test_a_handler_of_ones_own_is_kept_without_a_lifespan(app, table):
    @app.exception_handler(GatehouseError)
    def own(_, error):
        return PlainTextResponse("own", 418)

    assert get(TestClient(app), "/me").status_code == 418


def test_an_outage_is_said_in_the_log_once_a_second(client, table, caplog):
    table.down = True
    for _ in range(3):
        assert get(client, "/me", "Bearer ada").status_code == 503
    assert caplog.text.count("answered with 503") == 1
    with pytest.raises(WebSocketDisconnect):
        with client.websocket_connect("/live", headers={"Authorization": "Bearer ada"}):
            pass
    assert "Bearer" not in caplog.text and "closed with" not in caplog.text


@pytest.mark.parametrize("extra", ["fastapi", "sqlalchemy"])
def test_a_missing_extra_is_named(extra):
    code = f"import sys; sys.modules['{extra}'] = None; import gatehouse.{extra}"
    env = {**os.environ, "PYTHONPATH": str(Path(gatehouse.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert f"pip install 'gatehouse[{extra}]'" in done.stderr


def test_every_route_is_walked(app, authz):
    @app.get("/open")
    def open_():
        return "hello"

    @app.head("/only-head")
    def only_head():
        return None

    @app.api_route("/not-to-be-read", methods=["HEAD", "OPTIONS"])
    def not_to_be_read():
        return None

    @app.head("/guarded-head")
    def guarded_head(user: Annotated[Principal, Depends(authz.user())]):
        return None

    @app.api_route("/both", methods=["GET", "HEAD"])
    def both(user: Annotated[Principal, Depends(authz.user())]):
        return None

    @app.post("/things/{number:int}")
    def things(number: int, body: dict):
        return number

    @app.websocket("/open-socket")
    async def socket(socket: WebSocket):
        await socket.accept()

    @app.get("/fails")
    async def fails():
        raise RuntimeError

    router = APIRouter(prefix="/inner", dependencies=[Depends(authz.user())])

    @router.delete("/{id}")
    def inner(id: str):
        return id

    app.include_router(router)
    mounted = FastAPI()

    @mounted.get("/deep")
    def deep():
        return "deep"

    app.mount("/mounted", mounted)
    with pytest.raises(AssertionError) as caught:
        assert_every_route_asks(app, public=["/maybe"])
    lines = sorted(line.strip() for line in str(caught.value).splitlines()[1:])
    paths = [line.split(":")[0] for line in lines if "/openapi" not in line and "/docs" not in line and "/redoc" not in line]
    assert paths == [
        "GET /fails", "GET /mounted/deep", "GET /open", "HEAD /not-to-be-read", "HEAD /only-head",
        "OPTIONS /not-to-be-read", "POST /things/{number", "WEBSOCKET /open-socket",
    ]  # fmt: skip


def test_a_public_route_that_is_not_there_is_a_mistake(app):
    with pytest.raises(AssertionError, match="no such route: /mabye"):
        assert_every_route_asks(app, public=["/mabye"])
    assert_every_route_asks(app, public=["/maybe"])


def test_the_table_for_the_synchronous_client():
    client = SyncGatehouse(Settings("127.0.0.1:1"))
    with deciding_by(client, Table(USERS, ALLOW)) as table:
        assert client.verify("ada").principal.subject == "ada"
        assert client.require("ada", "note", "read", owner="ada")
        with pytest.raises(Denied):
            client.require("ada", "note", "edit", owner="ada")
        assert client.allows("ada", "note", "edit", relations={"editor": ["ada"]})
        batch = client.batch_authorize("ada", [Check("note/1", "read", "ada"), Check("note/1", "read", "bob")])
        assert [bool(one) for one in batch.decisions] == [True, False]
        mine = client.filter("ada", "note", "read")
        assert mine.matches(Row(owner="ada")) and not mine.matches(Row(owner="bob"))
        assert client.filter("bob", "note", "read").matches(Row())
        assert not client.filter("ada", "note", "delete").matches(Row(owner="ada"))
        client.revoke(token="ada")
        assert not client.verify("ada")
        table.down = True
        with pytest.raises(Unavailable):
            client.verify("bob")
