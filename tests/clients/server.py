"""A real gatehouse-server for the tests of a client in any language; see README.md.

Prints one JSON line when all is up, then obeys one JSON line at a time on its standard input,
and answers each with one line. Ends when its standard input does.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

from support import leaks, stubs  # noqa: E402

stubs.generate()

import grpc  # noqa: E402
from google.protobuf import json_format  # noqa: E402
from support import reloads  # noqa: E402
from support.callers import Caller  # noqa: E402
from support.client import Client, messages  # noqa: E402
from support.issuers import Issuer  # noqa: E402
from support.server import Server, run  # noqa: E402

from proxy import Proxy  # noqa: E402

CASES = json.loads((HERE / "cases.json").read_text())
ISSUER, RSA, DOWN = "https://issuer.test", "https://rsa.test", "https://down.test"
ADMIN = ["verify", "authorize", "filter", "watch", "explain", "revoke", "reinstate", "list", "admin"]


def closed_port() -> socket.socket:
    """A port that stays taken, and that nobody listens on."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    return taken


class Stub:
    """A server of the tests' own that says what it was told to, whatever it is asked."""

    METHODS = {"verify": "Verify", "authorize": "Authorize", "batch": "BatchAuthorize",
               "filter": "Filter"}  # fmt: skip

    def __init__(self, replies: dict, status: str = "", watch: bool = False):
        self.calls = 0
        service = messages.DESCRIPTOR.services_by_name["AuthorizationService"]
        handlers = {}
        for name, reply in replies.items():
            method = service.methods_by_name[self.METHODS[name]]
            kind = getattr(messages, method.output_type.name)
            made = json_format.ParseDict(reply, kind())
            handlers[method.name] = grpc.unary_unary_rpc_method_handler(
                lambda request, context, made=made: self._answer(context, made, status),
                request_deserializer=getattr(messages, method.input_type.name).FromString,
                response_serializer=kind.SerializeToString,
            )
        if watch:
            handlers["Watch"] = grpc.stream_stream_rpc_method_handler(
                self._watch,
                request_deserializer=messages.WatchRequest.FromString,
                response_serializer=messages.WatchResponse.SerializeToString,
            )
        self._server = grpc.server(_threads())
        generic = grpc.method_handlers_generic_handler(service.full_name, handlers)
        self._server.add_generic_rpc_handlers((generic,))
        self.address = "127.0.0.1:%d" % self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def _answer(self, context, reply, status: str):
        self.calls += 1
        if status:
            context.abort(grpc.StatusCode[status], "the stub was told to")
        return reply

    @staticmethod
    def _watch(requests, context):
        for request in requests:
            yield messages.WatchResponse(revision=1, store_id="stub", rules="stub", ping=request.ping)

    def stop(self):
        self._server.stop(None)


def _threads():
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(max_workers=16)


class Stand:
    """The server, a proxy in front of it, and what is done to both."""

    def __init__(self, folder: Path):
        self.folder = folder
        algorithms = {ISSUER: "EdDSA", RSA: "RS256", DOWN: "EdDSA"}
        self.issuers = {name: Issuer(how, name) for name, how in algorithms.items()}
        self.stranger = Issuer("EdDSA", ISSUER, kid=self.issuers[ISSUER].kid)
        self.callers = {name: Caller(folder, name, may) for name, may in CASES["callers"].items()}
        self.callers["admin"] = Caller(folder, "admin", ADMIN)
        # Known to nobody.
        self.unknown = Caller(folder, "unknown", [])
        self._closed = closed_port()
        nowhere = "http://127.0.0.1:%d/jwks" % self._closed.getsockname()[1]
        (folder / "backups").mkdir()
        self.server = Server(
            folder / "server",
            [
                self.issuers[ISSUER].config_with_file(folder, claims={"tenant": "org"}),
                self.issuers[RSA].config_with_file(folder),
                self.issuers[DOWN].config({"jwks_url": nowhere}, claims={"tenant": "org"}),
            ],
            callers=[caller.config for caller in self.callers.values()],
            revocations={
                "sqlite": {"path": "gatehouse.db"},
                "backups": str(folder / "backups"),
            },
            **CASES["configuration"],
        )
        self.server.create_database()
        self.stubs: dict[str, Stub] = {}
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.proxy: Proxy = self.wait(self._new_proxy())
        self._admin: Client | None = None

    @staticmethod
    async def _new_proxy() -> Proxy:
        return await Proxy().start()

    def wait(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def where(self) -> dict:
        server = self.server
        return {"grpc": server.grpc, "http": server.http, "proxy": self.proxy.address,
                "pid": server.pid}  # fmt: skip

    def ready(self) -> dict:
        files = {name: str(one.token_file) for name, one in self.callers.items()}
        return {
            **self.where(),
            "callers": {**files, "unknown": str(self.unknown.token_file)},
            "tokens": {name: self.mint(recipe) for name, recipe in CASES["tokens"].items()},
            "keys": {name: one.public_pem().decode() for name, one in self.issuers.items()},
            "folder": str(self.folder),
        }

    def mint(self, recipe: dict) -> str:
        if "raw" in recipe:
            return recipe["raw"]
        issuer = self.issuers[recipe.get("issuer", ISSUER)]
        if recipe.get("key") == "stranger":
            issuer = self.stranger
        begin = int(time.time()) - recipe.get("age", 0)
        times = {"iat": begin, "exp": begin + recipe.get("life", 600)}
        return issuer.token(**times, **recipe.get("claims", {}))

    # What may be asked for: each `do_NAME` takes the fields of the line.

    def do_start(self) -> dict:
        self.server.start()
        self.wait(self._aim(self.server.grpc))
        self._admin = self.callers["admin"].client(self.server.grpc)
        self.server.wait_until_ready()
        return self.where()

    async def _aim(self, target: str):
        self.proxy.target = target

    def do_stop(self) -> dict:
        self._admin.close()
        self.server.stop()
        return {}

    def do_kill(self) -> dict:
        self._admin.close()
        self.server.kill()
        return {}

    def do_restart(self, kill: bool = False) -> dict:
        if self.server.running():
            self.do_kill() if kill else self.do_stop()
        return self.do_start()

    def do_pause(self) -> dict:
        os.kill(self.server.pid, signal.SIGSTOP)
        return {}

    def do_resume(self) -> dict:
        os.kill(self.server.pid, signal.SIGCONT)
        return {}

    def do_backup(self, name: str = "copy.db") -> dict:
        made = self._admin.backup(name)
        return {"path": made.path, "revision": made.revision, "store_id": made.store_id}

    def do_restore(self, path: str) -> dict:
        """Stops, takes the database away, restores the backup, and starts."""
        if self.server.running():
            self.do_stop()
        for file in self.server.folder.glob("gatehouse.db*"):
            file.unlink()
        copy = shutil.copy(path, self.folder / "restore.db")
        done = run("--restore", copy, "--config", self.server.config)
        assert done.returncode == 0, done.stderr
        return self.do_start()

    def do_reload(self, **sections) -> dict:
        """Puts these sections of the configuration in force."""
        reloads.reload(self.server, **sections)
        return {}

    def do_token(self, recipe: dict) -> dict:
        return {"token": self.mint(recipe)}

    def do_revoke(self, **request) -> dict:
        """A RevokeRequest as protobuf's JSON, by an administrator, past the proxy. Times are
        of CLOCK_MONOTONIC, before the call and after its answer."""
        made = json_format.ParseDict(request, messages.RevokeRequest())
        before = time.monotonic()
        reply = self._admin.revoke(made)
        after = time.monotonic()
        return {**json_format.MessageToDict(reply, preserving_proto_field_name=True),
                "began": before, "ended": after}  # fmt: skip

    def do_reinstate(self, id: str) -> dict:
        reply = self._admin.reinstate(id)
        return json_format.MessageToDict(reply, preserving_proto_field_name=True)

    def do_metrics(self) -> dict:
        return {"metrics": self.server.metrics()}

    def do_proxy(self, op: str, **fields) -> dict:
        operation = getattr(self.proxy, op) if op in PROXY_OPS else None
        if operation is None:
            raise ValueError(f"the proxy cannot {op}")
        self.wait(operation(**fields))
        return {"accepted": self.proxy.accepted, "bytes": self.proxy.bytes}

    def do_stub(self, replies: dict | None = None, status: str = "", watch: bool = False) -> dict:
        """A server that gives these replies; without `watch` it is one of an older version."""
        made = Stub(replies or {}, status, watch)
        self.stubs[made.address] = made
        return {"grpc": made.address}

    def do_stub_calls(self, grpc: str) -> dict:
        return {"calls": self.stubs[grpc].calls}

    def do_leaks(self) -> dict:
        """Where a log of the server holds a token or secret of the tests."""
        return {"leaks": leaks.find(sorted(self.folder.rglob("*.log")))}

    def end(self):
        for stub in self.stubs.values():
            stub.stop()
        if self.server.running():
            self.do_resume()
            self.server.kill()


PROXY_OPS = {"cut", "half_close", "partition", "delay", "hold", "held", "release", "mend"}


def say(line: dict):
    print(json.dumps(line), flush=True)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix="gatehouse-clients-") as folder:
        stand = Stand(Path(folder))
        try:
            stand.do_start()
            say(stand.ready())
            for line in sys.stdin:
                try:
                    command = json.loads(line)
                    say({"ok": True, **getattr(stand, "do_" + command.pop("do"))(**command)})
                except Exception as error:  # whoever asked is told, and goes on
                    traceback.print_exc()
                    say({"ok": False, "error": f"{type(error).__name__}: {error}"})
        finally:
            stand.end()


if __name__ == "__main__":
    main()
