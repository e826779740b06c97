"""Certificates, roots and tokens that change under a running server."""

import os
import secrets
import shutil
import socket
import ssl
import threading

import grpc
import pytest

from support import leaks
from support.callers import Caller
from support.certificates import DAY, Authority, Files, TlsClient, now, put
from support.client import assert_allowed, status_of
from support.reloads import count as reloads_of_config
from support.waiting import wait_until

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
API = "spiffe://cluster.local/ns/todo/sa/api"
LAST = "gatehouse_tls_last_reload_successful"


def count(server, result: str) -> int:
    return int(server.metrics()[f'gatehouse_tls_reloads_total{{result="{result}"}}'])


def wait_for(server, result: str, before: int):
    wait_until(lambda: count(server, result) > before, f"new files that are {result}")


def wait_for_log(server, *parts: str):
    """Lines come through a pipe, perhaps behind what is counted."""
    wait_until(
        lambda: any(all(part in line for part in parts) for line in server.log.splitlines()),
        f"a line with {parts}",
    )


def days_left(server, file: str) -> float:
    return server.metrics()[f'gatehouse_tls_certificate_days_left{{file="{file}"}}']


def shown(server, client_pair, folder) -> bytes:
    """The certificate, in DER, that the server shows to a new connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    (folder / "shown.pem").write_text(client_pair.key + client_pair.chain)
    context.load_cert_chain(folder / "shown.pem")
    host, port = server.grpc.rsplit(":", 1)
    raw = socket.create_connection((host, int(port)), timeout=30)
    with context.wrap_socket(raw) as connection:
        return connection.getpeercert(binary_form=True)


def der(pair) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pair.chain)


class Stage:
    def __init__(self, make_server, issuer, folder, tls=None):
        self.issuer, self.folder = issuer, folder
        self.old = Authority("old")
        self.files = Files(folder / "tls", self.old.server(), self.old.pem)
        self.ops = Caller(folder, "ops", ["verify"])
        self.api = self.old.client(API)
        api = {"name": "api", "spiffe_ids": API, "may": ["verify"]}
        tls = tls or self.files.config
        self.server = make_server(
            [issuer.config_with_file(folder)],
            listen={"grpc": "127.0.0.1:0", "http": "127.0.0.1:0", "tls": tls},
            callers=[api, self.ops.config],
        )

    def verify(self, pair, roots: str, metadata=None):
        client = TlsClient(self.server.grpc, roots, pair, metadata)
        try:
            assert_allowed(client.verify(self.issuer.token()))
        finally:
            client.close()

    def refused(self, pair, roots: str) -> bool:
        client = TlsClient(self.server.grpc, roots, pair)
        try:
            return status_of(lambda: client.verify(self.issuer.token())) == UNAVAILABLE
        finally:
            client.close()


@pytest.fixture
def stage(make_server, hmac_issuer, tmp_path):
    return Stage(make_server, hmac_issuer, tmp_path)


class Traffic:
    """Threads that call all the time, each on a connection that stays open and on new ones."""

    def __init__(self, stage: Stage, pairs, roots: str, metadata=lambda: None):
        self._stage, self._roots, self._metadata = stage, roots, metadata
        self._end = threading.Event()
        self.calls = [0] * len(pairs)
        self.failures: list[str] = []
        self._threads = [
            threading.Thread(target=self._run, args=(number, pair), daemon=True)
            for number, pair in enumerate(pairs)
        ]

    def _run(self, number, pair):
        kept = TlsClient(self._stage.server.grpc, self._roots, pair, self._metadata())
        while not self._end.is_set():
            try:
                kept.metadata = self._metadata() or []
                assert_allowed(kept.verify(self._stage.issuer.token()))
                self._stage.verify(pair, self._roots, self._metadata())
            except (grpc.RpcError, AssertionError) as error:
                self.failures.append(repr(error))
            self.calls[number] += 2
        kept.close()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        self.go_on()
        return self

    def __exit__(self, *_):
        self._end.set()
        for thread in self._threads:
            thread.join()
        assert not self.failures, self.failures[:3]

    def go_on(self):
        """Some more calls of each."""
        before = list(self.calls)
        wait_until(
            lambda: all(n > was + 10 for n, was in zip(self.calls, before, strict=True)), "calls"
        )
        assert not self.failures, self.failures[:3]


def test_a_new_certificate_comes_into_force_without_one_failed_call(stage):
    with Traffic(stage, [stage.api] * 4, stage.old.pem) as traffic:
        for _ in range(2):
            before, new = count(stage.server, "ok"), stage.old.server()
            stage.files.put(new)
            wait_for(stage.server, "ok", before)
            assert shown(stage.server, stage.api, stage.folder) == der(new)
            traffic.go_on()
    assert reloads_of_config(stage.server, "ok") == 0


def test_an_authority_is_replaced_by_another_without_one_failed_call(stage):
    server, old, new = stage.server, stage.old, Authority("new")
    both = old.pem + new.pem
    renewed = new.client(API)

    def put_roots(text):
        before = count(server, "ok")
        put(stage.files.client_ca, text)
        wait_for(server, "ok", before)

    with Traffic(stage, [stage.api] * 3, both) as traffic:
        assert stage.refused(renewed, both), "nobody has vouched for it yet"
        put_roots(both)
        stage.verify(renewed, both)
        before = count(server, "ok")
        stage.files.put(new.server())
        wait_for(server, "ok", before)
        traffic.go_on()
    with Traffic(stage, [renewed] * 3, both) as traffic:
        kept = TlsClient(server.grpc, both, stage.api)
        assert_allowed(kept.verify(stage.issuer.token()))
        put_roots(new.pem)
        assert stage.refused(stage.api, both)
        assert_allowed(kept.verify(stage.issuer.token()))  # connections that are open stay
        kept.close()
        traffic.go_on()


def test_a_session_is_not_resumed_after_the_roots_have_changed(stage):
    context = ssl.create_default_context(cadata=stage.old.pem)
    context.set_alpn_protocols(["h2"])
    (stage.folder / "pair.pem").write_text(stage.api.key + stage.api.chain)
    context.load_cert_chain(stage.folder / "pair.pem")
    host, port = stage.server.grpc.rsplit(":", 1)

    def connect(session=None):
        raw = socket.create_connection((host, int(port)), timeout=30)
        connection = context.wrap_socket(raw, server_hostname=host, session=session)
        assert connection.recv(1), "the server speaks first"  # behind its session tickets
        return connection

    with connect() as first:
        session = first.session
    with connect(session) as again:
        assert again.session_reused, "or this test shows nothing"
        session = again.session
    before = count(stage.server, "ok")
    put(stage.files.client_ca, Authority("new").pem)
    wait_for(stage.server, "ok", before)
    with pytest.raises((OSError, AssertionError)):
        connect(session)


def test_a_callers_token_is_replaced_without_one_failed_call(stage):
    ops, file = stage.ops, stage.ops.token_file
    old, new = ops.token, leaks.remember(secrets.token_urlsafe(32))
    unknown = stage.old.client("spiffe://cluster.local/ns/x/sa/y")
    current = [old]

    def put_tokens(*tokens):
        before = reloads_of_config(stage.server, "ok")
        put(file, "".join(f"{token}\n" for token in tokens))
        wait_until(lambda: reloads_of_config(stage.server, "ok") > before, "a reload")

    def metadata():
        return [("authorization", f"Bearer {current[0]}")]

    with Traffic(stage, [unknown] * 3, stage.old.pem, metadata) as traffic:
        put_tokens(old, new)
        traffic.go_on()
        current[0] = new
        traffic.go_on()
        traffic.go_on()  # what was begun with the old one has ended
        put_tokens(new)
        traffic.go_on()
    assert count(stage.server, "ok") == 0


def without_end(text: str) -> str:
    return text[: len(text) // 2]


BAD = {
    "half-written certificate": lambda stage, pair: put(
        stage.files.certificate, without_end(pair.chain)),
    "half-written key": lambda stage, pair: put(stage.files.key, without_end(pair.key)),
    "a key that does not fit": lambda stage, pair: put(stage.files.key, pair.key),
    "a key for everybody": lambda stage, pair: (
        put(stage.files.certificate, pair.chain), put(stage.files.key, pair.key, 0o644)),
    "an expired certificate": lambda stage, pair: stage.files.put(
        stage.old.server(starts=now() - 9 * DAY, ends=now() - DAY)),
    "half-written roots": lambda stage, pair: put(
        stage.files.client_ca, stage.old.pem + without_end(stage.old.pem)),
    "no roots": lambda stage, pair: stage.files.client_ca.unlink(),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_leaves_the_old_in_force_is_told_and_mends_by_itself(stage, what):
    server = stage.server
    before, pair = der_of(stage.files.certificate), stage.old.server()
    with Traffic(stage, [stage.api] * 2, stage.old.pem) as traffic:
        BAD[what](stage, pair)
        wait_for(server, "refused", 0)
        assert server.metrics()[LAST] == 0
        traffic.go_on()
        assert shown(server, stage.api, stage.folder) == before
        wait_for_log(server, "certificates refused", f"{stage.files.certificate.parent}/")
        wait_for_log(server, "the certificates from before stay in force")
        stage.files.put(pair)
        put(stage.files.client_ca, stage.old.pem)
        wait_for(server, "ok", 0)
        assert shown(server, stage.api, stage.folder) == der(pair)
        traffic.go_on()
        wait_until(lambda: server.metrics()[LAST] == 1, "that all is well again")


def der_of(path) -> bytes:
    return ssl.PEM_cert_to_DER_cert(path.read_text())


def test_a_certificate_that_is_not_valid_yet_comes_into_force_when_it_is(stage):
    """Nothing changes in the files: they are tried again."""
    new = stage.old.server(starts=now() + DAY / 24 / 60 / 5)  # in 12 s
    stage.files.put(new)
    wait_for(stage.server, "refused", 0)
    wait_for_log(stage.server, "is not valid before")
    wait_for(stage.server, "ok", 0)
    assert shown(stage.server, stage.api, stage.folder) == der(new)
    assert count(stage.server, "refused") == 1, "told and counted once"
    assert stage.server.log.count("is not valid before") == 1


def test_kubernetes_turns_a_link_when_it_swaps_a_mounted_folder(make_server, hmac_issuer, tmp_path):
    folder = tmp_path / "mounted"
    names = {"cert_file": "tls.crt", "key_file": "tls.key", "client_ca_file": "ca.crt"}
    stage = Stage.__new__(Stage)
    folder.mkdir()
    for name in names.values():
        (folder / name).symlink_to(f"..data/{name}")

    def swap(version: str, pair, roots: str):
        real = folder / f"..{version}"
        real.mkdir()
        for name, text in zip(names.values(), (pair.chain, pair.key, roots), strict=True):
            (real / name).write_text(text)
            (real / name).chmod(0o440)
        before = os.readlink(folder / "..data") if (folder / "..data").is_symlink() else None
        (folder / "..data_tmp").symlink_to(real.name)
        os.replace(folder / "..data_tmp", folder / "..data")
        if before:
            shutil.rmtree(folder / before)

    first = Authority("first")
    swap("2026_11_21", first.server(), first.pem)
    tls = {field: str(folder / name) for field, name in names.items()}
    stage.__init__(make_server, hmac_issuer, tmp_path, tls)
    api, second = first.client(API), Authority("second")
    both = first.pem + second.pem
    with Traffic(stage, [api] * 2, both) as traffic:
        new = second.server()
        swap("2026_11_22", new, both)
        wait_for(stage.server, "ok", 0)
        assert shown(stage.server, api, tmp_path) == der(new)
        stage.verify(second.client(API), both)
        traffic.go_on()
    assert count(stage.server, "refused") == 0


def test_a_mistake_in_the_configuration_keeps_no_certificate_from_being_renewed(stage):
    server, new = stage.server, stage.old.server()
    put(server.config, server.config.read_text() + "nonsense: true\n")
    wait_until(lambda: reloads_of_config(server, "refused") == 1, "the refusal")
    stage.files.put(new)
    wait_for(server, "ok", 0)
    assert shown(server, stage.api, stage.folder) == der(new)


def test_the_days_that_are_left_are_shown(stage):
    assert 28.9 < days_left(stage.server, "certificate") < 29.1
    assert 363.9 < days_left(stage.server, "client_ca") < 364.1
    stage.files.put(stage.old.server(ends=now() + 2 * DAY))
    wait_for(stage.server, "ok", 0)
    assert 1.9 < days_left(stage.server, "certificate") < 2.1
    before = count(stage.server, "ok")
    soon = Authority("soon", starts=now() - 9 * DAY, ends=now() + DAY / 2)
    put(stage.files.client_ca, stage.old.pem + soon.pem)
    wait_for(stage.server, "ok", before)
    assert 0.4 < days_left(stage.server, "client_ca") < 0.6, "of the first that expires"


def test_an_expired_root_in_a_bundle_is_a_warning(stage):
    past = Authority("past", starts=now() - 9 * DAY, ends=now() - DAY)
    put(stage.files.client_ca, stage.old.pem + past.pem)
    wait_for(stage.server, "ok", 0)
    stage.verify(stage.api, stage.old.pem)
    wait_for_log(stage.server, "the certificate of CN=past has expired at")
    assert days_left(stage.server, "client_ca") < 0
