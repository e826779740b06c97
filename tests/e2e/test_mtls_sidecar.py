"""Who calls, told by a sidecar or a listed peer in x-forwarded-client-cert."""

import grpc
import pytest

from support.callers import Caller
from support.certificates import Authority, Files, TlsClient
from support.client import Client, status_of

OK = grpc.StatusCode.OK
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED

API = "spiffe://cluster.local/ns/todo/sa/api"
OTHER = "spiffe://cluster.local/ns/other/sa/x"
GATEWAY = "spiffe://cluster.local/ns/edge/sa/gateway"
CALLERS = [
    {"name": "api", "spiffe_ids": [API], "may": ["verify"]},
    {"name": "gateway", "spiffe_ids": GATEWAY, "may": ["authorize"]},
]
BEFORE = 'By=spiffe://cluster.local/ns/a/sa/b;Hash=46ab;Subject="CN=x,O=\\"y\\"";'

KNOWN = [
    f"URI={API}",
    f"{BEFORE}URI={API}",
    f"{BEFORE}URI={API};DNS=a.internal;DNS=b.internal",
    f"uri={API}",
    f'URI="{API}"',
    f"URI={OTHER},URI={API}",
    f"URI={OTHER}, URI={API}",
    f"URI={OTHER};URI={OTHER},By=a;URI={API}",
    f'Subject="CN=a,URI={OTHER};Hash=1";URI={API}',
    f'Subject="";URI={API}',
    f'Subject="CN=\\"";URI={API}',
]
UNKNOWN = [
    "",
    " ",
    ",",
    f"URI={OTHER}",
    f"URI={API},URI={OTHER}",
    f"URI={API},",
    f"URI={API},By=a;Hash=b",
    f"URI={API};URI={API}",
    f"URI={API};uri={OTHER}",
    f"URI={API};",
    f"URI={API};;Hash=1",
    f"URI ={API}",
    f"URI={API} ",
    f"URI= {API}",
    f"URI:{API}",
    API,
    "URI",
    "URI=",
    f"=a;URI={API}",
    f'Subject="CN=a;URI={API}',  # quotes that do not close
    f'Subject="CN=a\\";URI={API}',
    f'URI="{API}',
    f'URI={API}"',
    f'URI="{API}"x',
    f'Subject="a"b;URI={API}',
    f'Subject="CN=a,URI={API}"',
    f'Subject="x",By=a;Subject="{BEFORE}URI={API}',
    f"DNS={API}",
    f"URI={API}2",
    f"URI={API}?a",
    f"URI={API.upper()}",
    f"URI={API}/../api",
    "URI=https://api.test/",
]


def outcome(client, issuer) -> grpc.StatusCode:
    try:
        client.verify(issuer.token())
        return OK
    except grpc.RpcError as error:
        return error.code()


def forwarded(*values: str):
    return [("x-forwarded-client-cert", value) for value in values]


@pytest.fixture
def on_loopback(make_server, hmac_issuer, tmp_path):
    """outcome of a call with this metadata, of a server that believes whoever reaches it."""
    ops = Caller(tmp_path, "ops", ["verify"])
    listen = {"grpc": "127.0.0.1:0", "http": "127.0.0.1:0", "forwarded_client_cert": {}}
    issuers = [hmac_issuer.config_with_file(tmp_path)]
    server = make_server(issuers, listen=listen, callers=[*CALLERS, ops.config])
    client = Client(server.grpc)

    def call(metadata):
        client.metadata = metadata
        return outcome(client, hmac_issuer)

    call.ops = ops
    yield call
    client.close()


def test_on_loopback_the_last_element_tells_who_calls(on_loopback):
    for value in KNOWN:
        assert on_loopback(forwarded(value)) == OK, value


def test_whatever_is_not_of_the_form_makes_nobody_known(on_loopback):
    for value in UNKNOWN:
        assert on_loopback(forwarded(value)) == UNAUTHENTICATED, value
    assert on_loopback([]) == UNAUTHENTICATED


def test_the_header_twice_makes_nobody_known(on_loopback):
    for values in ((f"URI={API}", f"URI={API}"), ("", f"URI={API}"), (f"URI={OTHER}", f"URI={API}")):
        assert on_loopback(forwarded(*values)) == UNAUTHENTICATED, values


def test_a_token_goes_before_what_the_sidecar_tells(on_loopback):
    header = forwarded(f"URI={API}")
    assert on_loopback([*header, ("authorization", "Bearer " + "x" * 40)]) == UNAUTHENTICATED
    assert on_loopback([*forwarded(f"URI={OTHER}"), *on_loopback.ops.metadata]) == OK


def test_the_rights_are_those_of_whom_the_sidecar_tells_of(on_loopback):
    assert on_loopback(forwarded(f"URI={GATEWAY}")) == grpc.StatusCode.PERMISSION_DENIED


def test_without_the_setting_the_header_is_not_looked_at(make_server, hmac_issuer, tmp_path):
    ops = Caller(tmp_path, "ops", ["verify"])
    server = make_server([hmac_issuer.config_with_file(tmp_path)], callers=[ops.config])
    unknown = Client(server.grpc, forwarded(f"URI={API}"))
    known = Client(server.grpc, [*ops.metadata, *forwarded("quotes that do not close \"")])
    assert outcome(unknown, hmac_issuer) == UNAUTHENTICATED
    assert outcome(known, hmac_issuer) == OK
    unknown.close(), known.close()


@pytest.fixture
def with_tls(make_server, hmac_issuer, tmp_path):
    """outcome of a call by a peer of this id, with this metadata; `gateway` is listed."""
    authority = Authority()
    files = Files(tmp_path / "tls", authority.server(), authority.pem)
    listen = {
        "grpc": "127.0.0.1:0",
        "http": "127.0.0.1:0",
        "tls": files.config,
        "forwarded_client_cert": {"peers": [GATEWAY, "spiffe://cluster.local/ns/proxies/*"]},
    }
    server = make_server(
        [hmac_issuer.config_with_file(tmp_path)], listen=listen, callers=CALLERS
    )  # callers with certificates only
    made = []

    def call(ids, metadata=()):
        made.append(TlsClient(server.grpc, authority.pem, authority.client(*ids), list(metadata)))
        return outcome(made[-1], hmac_issuer)

    yield call
    for client in made:
        client.close()


def test_with_tls_a_listed_peer_is_believed(with_tls):
    for peer in (GATEWAY, "spiffe://cluster.local/ns/proxies/sa/a"):
        assert with_tls([peer], forwarded(f"{BEFORE}URI={API}")) == OK, peer
        assert with_tls([peer], forwarded(f"URI={API},URI={OTHER}")) == UNAUTHENTICATED, peer
        assert with_tls([peer], forwarded(f'URI="{API}')) == UNAUTHENTICATED, peer
        assert with_tls([peer], forwarded(f"URI={API}", f"URI={API}")) == UNAUTHENTICATED, peer


def test_with_tls_a_listed_peer_without_the_header_is_itself(with_tls):
    assert with_tls([GATEWAY]) == grpc.StatusCode.PERMISSION_DENIED
    assert with_tls(["spiffe://cluster.local/ns/proxies/sa/a"]) == UNAUTHENTICATED


def test_with_tls_nobody_else_is_believed(with_tls):
    for ids in (
        [OTHER], [GATEWAY + "2"], [GATEWAY, GATEWAY], [GATEWAY, "https://a.test/"], [],
        ["spiffe://cluster.local/ns/proxies"], ["spiffe://cluster.local/ns/proxies/../edge"],
    ):  # fmt: skip
        assert with_tls(ids, forwarded(f"URI={API}")) == UNAUTHENTICATED, ids
    assert with_tls([API], forwarded(f"URI={OTHER}")) == OK, "it is known by its own certificate"


def test_callers_with_certificates_alone_open_the_port_for_nobody_else(with_tls, make_server,
                                                                       hmac_issuer, tmp_path):  # fmt: skip
    assert with_tls([OTHER]) == UNAUTHENTICATED
    assert with_tls([OTHER], [("authorization", "Bearer ")]) == UNAUTHENTICATED
    listen = {"grpc": "127.0.0.1:0", "http": "127.0.0.1:0", "forwarded_client_cert": {}}
    server = make_server(
        [hmac_issuer.config_with_file(tmp_path)], listen=listen, callers=CALLERS
    )
    assert status_of(lambda: server.client.verify(hmac_issuer.token())) == UNAUTHENTICATED
