"""What docs/better-auth.md shows runs as it stands there, but for the port."""

import secrets
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from app import User, claims_of
from support.client import assert_allowed, assert_denied
from support.places import NODE, REPOSITORY
from support.processes import Process
from support.proxies import free_ports
from support.readme import fences_of
from support.server import Server

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[1]
PAGE = REPOSITORY / "docs" / "better-auth.md"


def block(language: str, start: str) -> str:
    fences = [one for one in fences_of(PAGE.read_text()) if one.info == [language]]
    found = [one.source for one in fences if one.source.startswith(start)]
    assert len(found) == 1, f"{len(found)} blocks of {PAGE} begin with {start}"
    return found[0]


@pytest.fixture
def folder():
    """Within the package, which the page's imports are of."""
    made = HERE / f"page-{secrets.token_hex(4)}"
    made.mkdir()
    yield made
    shutil.rmtree(made)


def test_the_page_s_files_compile(folder):
    for name in ("auth.ts", "auth-client.ts"):
        (folder / name).write_text(block("ts", f"// {name}"))
    tsc = [NODE, PACKAGE / "node_modules" / "typescript" / "bin" / "tsc"]
    flags = "--noEmit --strict --skipLibCheck --target ES2023 --module NodeNext --types node"
    done = subprocess.run(
        [*tsc, *flags.split(), "--lib", "ES2024,DOM,DOM.Iterable",
         folder / "auth.ts", folder / "auth-client.ts"],
        cwd=PACKAGE, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    # Node's types of version 20 know no node:sqlite.
    wrong = [line for line in done.stdout.splitlines() if "node:sqlite" not in line]
    assert wrong == [], done.stdout


def test_the_page_s_set_up_revokes(folder, tmp_path):
    port, grpc_port = free_ports(2)
    auth_file = folder / "auth.ts"
    auth_file.write_text(block("ts", "// auth.ts").replace("localhost:3000", f"localhost:{port}"))
    env = {
        "BETTER_AUTH_SECRET": secrets.token_urlsafe(48),
        "GATEHOUSE_TARGET": f"127.0.0.1:{grpc_port}",
    }
    args = [NODE, "--disable-warning=ExperimentalWarning", HERE / "serve-page.mjs", auth_file, port]
    process = Process(args, tmp_path / "page.log", env, cwd=tmp_path)
    process.wait_for_line(lambda line: line == "listening", "that it listens")
    text = block("yaml", "issuers:").replace("localhost:3000", f"localhost:{port}")
    issuers = yaml.safe_load(text)
    listen = {"grpc": f"127.0.0.1:{grpc_port}", "http": "127.0.0.1:0"}
    server = Server(tmp_path / "gatehouse", issuers["issuers"], listen=listen)
    server.create_database().start()
    try:
        app = SimpleNamespace(url=f"http://localhost:{port}", at=f"http://localhost:{port}")
        ada = User(app, "ada")
        token = ada.browser.token()
        reply = server.client.verify(token)
        assert_allowed(reply)
        assert reply.principal.session_id == claims_of(token)["sid"]
        phone = ada.sign_in().token()
        ada.browser.post("sign-out")
        assert_denied(server.client.verify(token), "TOKEN_REVOKED")
        assert_allowed(server.client.verify(phone))
    finally:
        server.stop()
        process.popen.stdin.close()
        process.wait()
