"""Who calls, known by the certificates that TLS has verified."""

import re
import socket
import ssl
import threading

import grpc
import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from support.callers import Caller
from support.certificates import DAY, Authority, Files, TlsClient, now, uri
from support.client import Client, assert_allowed, messages, status_of
from support.reloads import reload
from support.waiting import wait_until

OK = grpc.StatusCode.OK
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
PERMISSION_DENIED = grpc.StatusCode.PERMISSION_DENIED
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE

API = "spiffe://cluster.local/ns/todo/sa/api"
CALLERS = [
    {"name": "todo-api", "spiffe_ids": API, "may": ["verify", "authorize"]},
    {"name": "jobs", "spiffe_ids": "spiffe://cluster.local/ns/jobs/*", "may": ["verify"]},
    {"name": "nightly", "spiffe_ids": "spiffe://cluster.local/ns/jobs/sa/nightly/*",
     "may": ["authorize"]},
    {"name": "gateway", "dns_names": ["gateway.internal", "edge.internal"], "may": ["verify"]},
    {"name": "other", "dns_names": "other.internal", "may": ["verify"]},
]  # fmt: skip


@pytest.fixture(scope="module")
def authority():
    return Authority()


class Stage:
    """A server with TLS, and clients of it."""

    def __init__(self, make_server, issuer, folder, authority, **sections):
        self.authority, self.issuer = authority, issuer
        self.files = Files(folder / "tls", authority.server(), authority.pem)
        self.ops = Caller(folder, "ops", ["verify", "revoke"])
        listen = {"grpc": "127.0.0.1:0", "http": "127.0.0.1:0", "tls": self.files.config}
        self.server = make_server(
            [issuer.config_with_file(folder)],
            listen=listen,
            callers=[*CALLERS, self.ops.config],
            **sections,
        )
        self._clients = []

    def client(self, pair, metadata=None) -> TlsClient:
        client = TlsClient(self.server.grpc, self.authority.pem, pair, metadata)
        self._clients.append(client)
        return client

    def verify(self, pair, metadata=None) -> grpc.StatusCode:
        client = self.client(pair, metadata)
        return outcome(lambda: client.verify(self.issuer.token()))

    def named(self, *names, **fields):
        return self.authority.issue(list(names), **fields)

    def close(self):
        for client in self._clients:
            client.close()


def outcome(call) -> grpc.StatusCode:
    """OK for an answer, whatever it says."""
    try:
        call()
        return OK
    except grpc.RpcError as error:
        return error.code()


@pytest.fixture
def stage(make_server, hmac_issuer, tmp_path, authority):
    made = Stage(make_server, hmac_issuer, tmp_path, authority)
    yield made
    made.close()


def test_a_caller_is_known_by_its_spiffe_id_and_has_the_rights_of_it(stage):
    client = stage.client(stage.authority.client(API))
    token = stage.issuer.token()
    assert_allowed(client.verify(token))
    assert_allowed(client.authorize(token, "note/1", "ada"))
    with pytest.raises(grpc.RpcError) as caught:
        client.revoke_session("https://i.test", "s")
    assert caught.value.code() == PERMISSION_DENIED
    assert 'caller todo-api has no right "revoke"' in caught.value.details()
    calls = 'gatehouse_calls_total{caller="todo-api",code="OK"}'
    wait_until(lambda: stage.server.metrics()[calls] == 2, "both calls counted as its own")


def test_connections_without_a_certificate_that_leads_to_the_roots_do_not_come_about(stage):
    stranger = Authority("root")  # of the same name
    long_ago, tomorrow = now() - 10 * DAY, now() + DAY
    refused = {
        "none": None,
        "of another authority": stranger.client(API),
        "expired": stage.authority.client(API, starts=long_ago, ends=now() - DAY),
        "not valid yet": stage.authority.client(API, starts=tomorrow),
        "a server's": stage.authority.client(API, usages=[ExtendedKeyUsageOID.SERVER_AUTH]),
    }
    for what, pair in refused.items():
        assert stage.verify(pair) == UNAVAILABLE, what
        assert stage.verify(pair, stage.ops.metadata) == UNAVAILABLE, f"{what}, with a token"
    plain = Client(stage.server.grpc, stage.ops.metadata)
    assert status_of(lambda: plain.verify(stage.issuer.token())) == UNAVAILABLE, "plaintext"
    plain.close()
    assert stage.verify(stage.authority.client(API)) == OK


def test_names_are_compared_whole(stage):
    """What contains a known name, is contained in it, or looks like it, is another one."""
    for other in (
        API + "2", API[:-1], API + "/", API + "/x", API.upper(), API.replace("todo", "Todo"),
        API.replace("spiffe:", "SPIFFE:"), "x" + API, API + "?a=b", API + "#a", API + "%00",
        API.replace("local/", "local:443/"), API.replace("//", "//user@"),
        "https://cluster.local/ns/todo/sa/api", "spiffe://evil.test/" + API,
        "spiffe://cluster.local/ns/jobs", "spiffe://cluster.local/ns/jobs/",
        "spiffe://cluster.local/ns/jobs2/sa/a", "spiffe://cluster.local/ns/jobs/../todo/sa/api",
        "spiffe://cluster.local/ns/jobs/./a", "spiffe://cluster.local/ns/jobs//a",
        "spiffe://cluster.local/ns/jobs/a b", "spiffe://cluster.local/ns/jobs/%61",
        "spiffe://cluster.local.evil.test/ns/jobs/sa/a",
    ):  # fmt: skip
        assert stage.verify(stage.authority.client(other)) == UNAUTHENTICATED, other


def test_an_exact_id_goes_before_a_pattern_and_a_longer_pattern_before_a_shorter(stage):
    below = "spiffe://cluster.local/ns/jobs/"
    assert stage.verify(stage.authority.client(below + "a")) == OK
    assert stage.verify(stage.authority.client(below + "sa/b/c.d-e_F")) == OK
    assert stage.verify(stage.authority.client(below + "sa/nightly")) == OK, "not below itself"
    assert stage.verify(stage.authority.client(below + "sa/nightly/a")) == PERMISSION_DENIED


def test_a_certificate_with_two_uris_makes_nobody_known(stage):
    for uris in ((API, API), (API, "https://a.test/"), ("https://a.test/", API)):
        assert stage.verify(stage.authority.client(*uris)) == UNAUTHENTICATED, uris


def test_a_certificate_with_a_uri_is_known_by_that_alone(stage):
    gateway = x509.DNSName("gateway.internal")
    assert stage.verify(stage.named(gateway, uri(API))) == OK
    for other in ("spiffe://cluster.local/ns/x/sa/y", "https://gateway.internal/"):
        assert stage.verify(stage.named(gateway, uri(other))) == UNAUTHENTICATED, other


def test_a_certificate_without_a_uri_is_known_by_its_dns_names(stage):
    def verify(*names):
        return stage.verify(stage.named(*[x509.DNSName(name) for name in names]))

    assert verify("gateway.internal") == OK
    assert verify("GateWay.Internal") == OK
    assert verify("unknown.internal", "gateway.internal") == OK
    assert verify("gateway.internal", "edge.internal") == OK, "both are the same caller"
    assert verify("gateway.internal", "other.internal") == UNAUTHENTICATED
    for other in ("gateway.internal.evil.test", "x.gateway.internal", "gateway.interna", "*",
                  "xgateway.internal", "*.internal", "gateway.internal.", "unknown.internal"):  # fmt: skip
        assert verify(other) == UNAUTHENTICATED, other
    assert stage.verify(stage.named(x509.RFC822Name("a@gateway.internal"))) == UNAUTHENTICATED


def test_a_name_with_a_nul_byte_is_not_the_one_before_it(stage):
    for before in ("gateway.internal", API):
        tag = 0x82 if before != API else 0x86
        text = before.encode() + b"\0.evil.test"
        value = bytes([0x30, len(text) + 2, tag, len(text)]) + text
        pair = stage.authority.issue(raw_names=value)
        assert stage.verify(pair) in (UNAUTHENTICATED, UNAVAILABLE), before


def test_common_names_are_never_read(stage):
    for name in (API, "gateway.internal", "todo-api"):
        assert stage.verify(stage.authority.issue(common_name=name)) == UNAUTHENTICATED, name
    other = x509.DNSName("unknown.internal")
    pair = stage.authority.issue([other], common_name="gateway.internal")
    assert stage.verify(pair) == UNAUTHENTICATED


def test_a_token_decides_alone(stage):
    api = stage.authority.client(API)
    unknown = stage.authority.client("spiffe://cluster.local/ns/x/sa/y")
    assert stage.verify(unknown, stage.ops.metadata) == OK
    for value in ("Bearer " + "x" * 40, "Bearer", "", "Basic eA=="):
        assert stage.verify(api, [("authorization", value)]) == UNAUTHENTICATED, value
    client = stage.client(api, stage.ops.metadata)
    client.revoke_session("https://issuer.test", "s")  # a right that the certificate has not


def test_the_log_says_by_which_name_nobody_is_known(stage):
    def told(fields):
        wait_until(lambda: f'reason="unknown caller" {fields}' in shown(), fields)

    def shown():
        return re.sub(r' peer="[^"]*"', "", stage.server.log)

    other = "spiffe://cluster.local/ns/other/sa/api"
    assert stage.verify(stage.authority.client(other)) == UNAUTHENTICATED
    told(f'why="no caller has the URI of the certificate" spiffe_id="{other}" dns_name=""')
    assert stage.verify(stage.named(x509.DNSName("x.internal"))) == UNAUTHENTICATED
    told('why="no caller has a DNS name of the certificate" spiffe_id="" dns_name="x.internal"')
    api = stage.authority.client(API)
    assert stage.verify(api, [("authorization", "Bearer " + "x" * 40)]) == UNAUTHENTICATED
    told('why="the authorization header is no known caller\'s token" spiffe_id=""')


def test_the_forwarded_header_has_no_effect_without_the_setting(stage):
    header = [("x-forwarded-client-cert", f"URI={API}")]
    unknown = stage.authority.client("spiffe://cluster.local/ns/x/sa/y")
    assert stage.verify(unknown, header) == UNAUTHENTICATED
    api = [("x-forwarded-client-cert", "URI=spiffe://cluster.local/ns/x/sa/y")]
    assert stage.verify(stage.authority.client(API), api) == OK


def test_tls_without_client_ca_asks_for_no_certificate_and_knows_tokens_alone(
    make_server, hmac_issuer, tmp_path, authority
):
    files = Files(tmp_path / "tls", authority.server())
    ops = Caller(tmp_path, "ops", ["verify"])
    listen = {"grpc": "127.0.0.1:0", "http": "127.0.0.1:0", "tls": files.config}
    issuers = [hmac_issuer.config_with_file(tmp_path)]
    server = make_server(issuers, listen=listen, callers=[ops.config])
    for pair in (None, authority.client(API)):
        known = TlsClient(server.grpc, authority.pem, pair, ops.metadata)
        unknown = TlsClient(server.grpc, authority.pem, pair)
        assert_allowed(known.verify(hmac_issuer.token()))
        assert status_of(lambda: unknown.verify(hmac_issuer.token())) == UNAUTHENTICATED
        known.close(), unknown.close()


def handshake(stage, pair, *, folder, session=None, **versions):
    context = ssl.create_default_context(cadata=stage.authority.pem)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # what it does not offer it cannot be refused
    for name, version in versions.items():
        setattr(context, name, version)
    context.set_alpn_protocols(["h2"])
    (folder / "pair.pem").write_text(pair.key + pair.chain)
    context.load_cert_chain(folder / "pair.pem")
    host, port = stage.server.grpc.rsplit(":", 1)
    raw = socket.create_connection((host, int(port)), timeout=30)
    return context.wrap_socket(raw, server_hostname=host, session=session)


def test_tls_is_1_2_at_least(stage, tmp_path):
    pair = stage.authority.client(API)
    old = {"minimum_version": ssl.TLSVersion.TLSv1, "maximum_version": ssl.TLSVersion.TLSv1_1}
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(stage, pair, folder=tmp_path, **old)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        both = {"minimum_version": version, "maximum_version": version}
        with handshake(stage, pair, folder=tmp_path, **both) as connection:
            assert connection.selected_alpn_protocol() == "h2"


def test_connections_come_and_go_and_nobody_is_taken_for_another(stage):
    pairs = {
        stage.authority.client(API): OK,
        stage.authority.client("spiffe://cluster.local/ns/x/sa/y"): UNAUTHENTICATED,
        stage.authority.client("spiffe://cluster.local/ns/jobs/sa/nightly/a"): PERMISSION_DENIED,
    }
    token = stage.issuer.token()
    for _ in range(40):
        for pair, expected in pairs.items():
            client = TlsClient(stage.server.grpc, stage.authority.pem, pair)
            for _ in range(3):
                assert outcome(lambda client=client: client.verify(token)) == expected
            client.close()


def test_who_watches_is_let_go_when_a_reload_takes_its_id_away(stage):
    watch = {"name": "todo-api", "spiffe_ids": API, "may": ["verify", "watch"]}
    others = CALLERS[1:]
    reload(stage.server, callers=[watch, *others])
    client = stage.client(stage.authority.client(API))
    assert_allowed(client.verify(stage.issuer.token()))
    stream = client.stub.Watch(iter_open(), timeout=60)
    next(stream)
    reload(stage.server, callers=[{**watch, "spiffe_ids": API + "2"}, *others])
    with pytest.raises(grpc.RpcError) as caught:
        for _ in stream:
            pass
    assert caught.value.code() == UNAUTHENTICATED
    assert outcome(lambda: client.verify(stage.issuer.token())) == UNAUTHENTICATED


def iter_open():
    """A first message, and then nothing."""
    yield messages.WatchRequest()
    threading.Event().wait(60)
