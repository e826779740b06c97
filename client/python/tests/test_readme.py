"""README.md, run as it stands: a real uvicorn, the real server."""

import asyncio
import http.client
import json
import os
import re
import runpy
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from support.stand import ISSUER
from support.waiting import wait_until

PACKAGE = Path(__file__).resolve().parents[1]
BLOCKS = re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(), re.S)
APP, LISTS, TESTS, ALONE = BLOCKS


def environment(stand, **more) -> dict:
    env = {name: value for name, value in os.environ.items() if not name.startswith("GATEHOUSE_")}
    return {
        **env, "PYTHONPATH": str(PACKAGE / "src"), "GATEHOUSE_TARGET": stand.proxy,
        "GATEHOUSE_TOKEN_FILE": stand.caller(), **more,
    }  # fmt: skip


class Uvicorn:
    def __init__(self, folder: Path, env: dict):
        args = [sys.executable, "-m", "uvicorn", "app:app", "--port", "0", "--no-access-log"]
        self._process = subprocess.Popen(
            args, cwd=folder, env=env, stderr=subprocess.PIPE, text=True
        )
        self.log = []
        threading.Thread(target=self._read, daemon=True).start()
        self.port = int(wait_until(self._port, "uvicorn to listen")[1])

    def _read(self):
        self.log.extend(self._process.stderr)

    def _port(self):
        assert self._process.poll() is None, "".join(self.log)
        return re.search(r"running on http://127.0.0.1:(\d+)", "".join(self.log))

    def get(self, path: str, token: str | None = None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        connection.request("GET", path, headers=headers)
        reply = connection.getresponse()
        body = json.loads(reply.read())
        connection.close()
        return reply.status, body, dict(reply.getheaders())

    def end(self):
        self._process.terminate()
        assert self._process.wait(30) in (0, -15), "".join(self.log)


@pytest.fixture
def uvicorn(stand, tmp_path):
    made = []

    def make(source: str, **env):
        (tmp_path / "app.py").write_text(source)
        made.append(Uvicorn(tmp_path, environment(stand, **env)))
        return made[-1]

    yield make
    for one in made:
        one.end()


def test_the_three_lines(stand, uvicorn):
    app = uvicorn(APP)
    status, body, _ = app.get("/notes/1", stand.tokens["ada"])
    assert (status, body) == (200, {"owner": "ada", "text": "buy milk"})

    status, body, headers = app.get("/notes/1")
    assert (status, body["status"], body["code"]) == (401, 401, "TOKEN_MISSING")
    assert headers["www-authenticate"] == 'Bearer realm="gatehouse"'
    for token, code in (("garbage", "TOKEN_INVALID"), ("expired", "TOKEN_EXPIRED")):
        status, body, headers = app.get("/notes/1", stand.tokens[token])
        assert (status, body["status"], body["code"]) == (401, 401, code) and body["detail"]
        assert headers["www-authenticate"] == 'Bearer realm="gatehouse", error="invalid_token"'
        assert set(body) == {"detail", "code", "status"}
    status, body, headers = app.get("/notes/1", stand.tokens["bob"])
    assert (status, body["code"]) == (403, "INSUFFICIENT_PERMISSIONS")
    assert headers["www-authenticate"] == 'Bearer realm="gatehouse", error="insufficient_scope"'
    status, body, headers = app.get("/notes/1", stand.tokens["undecided"])
    assert (status, body["code"], body["status"]) == (503, "UNAVAILABLE", 503)
    assert "www-authenticate" not in headers

    session = "readme"
    token = stand.token(sid=session)
    wait_until(lambda: app.get("/notes/1", token)[0] == 200, "an allow")
    stand.revoke_session(session)
    wait_until(lambda: app.get("/notes/1", token)[1].get("code") == "TOKEN_REVOKED", "the denial")

    schema = app.get("/openapi.json")[1]
    assert schema["components"]["securitySchemes"]["Gatehouse"] == {
        "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
    }  # fmt: skip
    assert schema["paths"]["/notes/{id}"]["get"]["security"] == [{"Gatehouse": []}]
    assert not any("error" in line.lower() for line in app.log), app.log


def test_while_gatehouse_cannot_be_reached_the_answer_is_503(stand, uvicorn):
    app = uvicorn(APP, GATEHOUSE_MAX_STALENESS="1s", GATEHOUSE_DEADLINE="300ms")
    token = stand.token()
    assert app.get("/notes/1", token)[0] == 200
    stand.proxied("partition")
    try:
        wait_until(lambda: app.get("/notes/1", token)[0] == 503, "the memory to be too old")
        assert app.get("/notes/1")[0] == 401, "without a token nobody need be asked"
    finally:
        stand.proxied("mend")
    wait_until(lambda: app.get("/notes/1", token)[0] == 200, "an allow after the outage")


def test_a_wrong_setting_stops_the_start(stand, tmp_path):
    (tmp_path / "app.py").write_text(APP)
    for name, value in (("TARGET", "nonsense"), ("TOKEN_FILE", "/nowhere"), ("CA_FILE", "/nowhere")):
        done = subprocess.run(
            [sys.executable, "-m", "uvicorn", "app:app", "--port", "0"], cwd=tmp_path,
            env=environment(stand, **{"GATEHOUSE_" + name: value}), capture_output=True, text=True,
            timeout=60,
        )  # fmt: skip
        assert done.returncode != 0
        assert f"SettingError: GATEHOUSE_{name}: " in done.stderr


ROWS = """
with Session(engine) as session:
    session.add_all([
        Note(id="1", owner_id="ada", org=None), Note(id="2", owner_id="bob", org=None),
        Note(id="3", owner_id="bob", org=None), Note(id="4", owner_id="Ada", org=None),
        Note(id="5", owner_id="ada", org="acme"), Editor(note_id="3", member="ada"),
    ])
    session.commit()
"""


def test_the_list(stand, uvicorn):
    app = uvicorn(APP + LISTS + ROWS)
    assert app.get("/notes", stand.tokens["ada"])[:2] == (200, ["1", "3"])
    assert app.get("/notes", stand.tokens["bob"])[:2] == (200, ["2", "3"])
    assert app.get("/notes", stand.tokens["ada-acme"])[:2] == (200, ["1", "3", "5"])
    assert app.get("/notes", stand.tokens["admin"])[:2] == (200, ["1", "2", "3", "4"])
    status, body, headers = app.get("/notes", stand.tokens["expired"])
    assert (status, body["code"]) == (401, "TOKEN_EXPIRED") and "www-authenticate" in headers
    assert app.get("/notes")[0] == 401


def test_the_tests(stand, tmp_path):
    (tmp_path / "app.py").write_text(APP + LISTS)
    (tmp_path / "test_app.py").write_text(TESTS)
    env = environment(stand, GATEHOUSE_TARGET="127.0.0.1:1")
    args = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_app.py"]
    done = subprocess.run(args, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout


def test_the_client_alone(stand, tmp_path, monkeypatch, capsys):
    (tmp_path / "alone.py").write_text(ALONE.replace("http://localhost:3000", ISSUER))
    for name, value in environment(stand).items():
        if name.startswith("GATEHOUSE_"):
            monkeypatch.setenv(name, value)
    example = runpy.run_path(str(tmp_path / "alone.py"))["example"]
    asyncio.run(example(stand.token()))
    assert "ada\n" in capsys.readouterr().out
