"""The pods of the manifests, run from the packaged root with their own volumes: the Job makes the
database, the server takes its configuration and answers whom it should, and Envoy asks it."""

import re
import shlex
import subprocess

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from support import cluster_secrets, manifests, proxies
from support.certificates import Authority, TlsClient
from support.client import Client, assert_allowed, assert_denied, status_of
from support.https_issuer import HttpsIssuer
from support.issuers import Issuer
from support.places import REPOSITORY
from support.pods import Pod
from support.proxies import Upstream, free_ports
from support.readme import fences_of
from support.waiting import wait_until

HOST = "login.example.com"
SERVING = [name for name in manifests.overlays() if manifests.objects(name, "StatefulSet")]
# What makes the database, by what is served from it.
CREATING = {
    "overlays/mtls": "create-database/mtls",
    "overlays/istio": "create-database/istio",
    "overlays/envoy-sidecar/gatehouse": "create-database/envoy-sidecar",
}
TODO_API = "spiffe://cluster.local/ns/todo/sa/todo-api"
OK, UNAUTHENTICATED, UNAVAILABLE, DENIED = (
    grpc.StatusCode.OK, grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.PERMISSION_DENIED,
)  # fmt: skip


class Cluster:
    """Certificates, an issuer, and the pods that were asked for."""

    def __init__(self, packed, folder):
        self.packed, self.folder = packed, folder
        self.authority = Authority()
        server = cluster_secrets.server_pair(self.authority)
        self.tokens = cluster_secrets.caller_tokens("app", "ops")
        self.secrets = {
            "gatehouse-tls": cluster_secrets.tls_secret(self.authority, server),
            "gatehouse-callers": self.tokens,
        }
        self.issuer = Issuer("EdDSA", f"https://{HOST}")
        self._root = Authority("the issuer's")
        pair = cluster_secrets.server_pair(self._root, HOST)
        self._keys = HttpsIssuer(self.issuer, pair, folder / "issuer")
        self._pods: list[Pod] = []

    def pod(self, overlay: str, kind: str) -> Pod:
        (one,) = manifests.objects(overlay, kind)
        folder = self.folder / f"pod-{len(self._pods)}"
        pod = Pod(self.packed, folder, overlay, one["spec"]["template"], self.secrets)
        pod.container.replace("/etc/ssl/certs/ca-certificates.crt", self._root.pem)
        pod.container.replace("/etc/hosts", f"127.0.0.1 {HOST}\n")
        self._pods.append(pod)
        return pod

    def serve(self, overlay: str) -> tuple[Pod, dict[str, str]]:
        """As docs/kubernetes.md has it: the Job, then the server."""
        job = self.pod(CREATING[overlay], "Job")
        made = job.run()
        assert made.returncode == 0, made.stderr
        server = self.pod(overlay, "StatefulSet")
        server.take_claims(job)
        server.change_config(lambda text: text.replace(
            f"jwks_url: https://{HOST}/", f"jwks_url: https://{HOST}:{self._keys.port}/"))  # fmt: skip
        ports = server.start()
        wait_until(lambda: probe(ports["health"], "readiness") == "SERVING", "readiness")
        return server, ports

    def token(self, **claims) -> str:
        return self.issuer.token(aud="https://app.example.com", **claims)

    def client(self, target: str, spiffe_id: str, **fields) -> TlsClient:
        pair = cluster_secrets.client_pair(self.authority, spiffe_id)
        return TlsClient(target, self.authority.pem, pair, **fields)

    def stop(self):
        for pod in self._pods:
            pod.kill()
        self._keys.stop()


@pytest.fixture
def cluster(container_image, tmp_path):
    made = Cluster(container_image, tmp_path)
    yield made
    made.stop()


def probe(target: str, service: str) -> str:
    """As the kubelet asks."""
    with grpc.insecure_channel(target) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        reply = health_pb2_grpc.HealthStub(channel).Check(request, timeout=10)
        return health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status)


def test_each_server_has_its_job():
    assert set(CREATING) <= set(SERVING)
    assert sorted(CREATING.values()) == [
        name for name in manifests.overlays() if manifests.objects(name, "Job")
    ]


@pytest.mark.parametrize("overlay", SERVING)
def test_the_server_takes_its_configuration(cluster, overlay):
    pods = [one for one in manifests.objects(overlay, "StatefulSet")]
    assert len(pods) == 1
    server = cluster.pod(overlay, "StatefulSet")
    checked = server.run("--check", server.config_path)
    assert checked.returncode == 0, checked.stderr
    warnings = [line for line in checked.stdout.splitlines() if line.startswith("warning:")]
    assert warnings == []
    # Without a database it does not start, and makes none.
    started = server.run()
    assert started.returncode == 1 and "--create-database" in started.stderr
    assert list(server.claims["gatehouse-data"].iterdir()) == []


@pytest.mark.parametrize("overlay", CREATING.values())
def test_the_job_makes_a_database_once(cluster, overlay):
    job = cluster.pod(overlay, "Job")
    made = job.run()
    assert made.returncode == 0, made.stderr
    database = job.claims["gatehouse-data"] / "gatehouse.db"
    before = database.read_bytes()
    again = job.run()
    assert again.returncode == 1 and "exists" in again.stderr, again.stderr
    assert database.read_bytes() == before


def documented_backup(option: str = "") -> list[str]:
    """What docs/kubernetes.md has behind `kubectl exec ... --`, with this option."""
    page = (REPOSITORY / "docs" / "kubernetes.md").read_text()
    shell = "".join(one.source for one in fences_of(page) if one.info == ["sh"])
    commands = [shlex.split(line) for line in shell.replace("\\\n", " ").splitlines()]
    found = [words[words.index("--") + 1 :] for words in commands
             if "exec" in words and "backup" in words and (option in words or not option)]  # fmt: skip
    return min(found, key=len)


def test_with_mtls_callers_are_known_by_their_certificates(cluster):
    server, ports = cluster.serve("overlays/mtls")
    assert probe(ports["health"], "liveness") == "SERVING"
    known = cluster.client(ports["grpc"], TODO_API)
    assert_allowed(known.verify(cluster.token()))
    assert status_of(lambda: known.revoke_session(cluster.issuer.issuer, "s")) == DENIED
    known.close()
    stranger = cluster.client(ports["grpc"], "spiffe://cluster.local/ns/todo/sa/other")
    assert status_of(lambda: stranger.verify(cluster.token())) == UNAUTHENTICATED
    stranger.close()
    nobody = TlsClient(ports["grpc"], cluster.authority.pem)
    assert status_of(lambda: nobody.verify(cluster.token())) == UNAVAILABLE
    nobody.close()
    # Who operates it has a certificate for the connection, and a token to be known by.
    metadata = [("authorization", f"Bearer {cluster.tokens['ops.token'].strip()}")]
    ops = cluster.client(ports["grpc"], TODO_API, metadata=metadata)
    token = cluster.token()
    ops.revoke_token(token)
    assert_denied(ops.verify(token), "TOKEN_REVOKED")
    ops.close()
    # As docs/kubernetes.md has it by `kubectl exec`.
    backup = server.container.run(
        *documented_backup("--ca-file"), "--name", "now.db", "--target", ports["grpc"]
    )
    assert backup.returncode == 0, backup.stderr
    assert (server.claims["gatehouse-backups"] / "now.db").exists()
    assert server.stop() == 0


def test_in_istios_mesh_the_sidecar_says_who_calls(cluster):
    server, ports = cluster.serve("overlays/istio")

    def status(*metadata) -> grpc.StatusCode:
        client = Client(ports["grpc"], list(metadata))
        found = status_of(lambda: client.verify(cluster.token()))
        client.close()
        return found

    by = "By=spiffe://cluster.local/ns/gatehouse/sa/gatehouse;Hash=00;Subject=\"\""
    assert status(("x-forwarded-client-cert", f"{by};URI={TODO_API}")) == OK
    other = "spiffe://cluster.local/ns/other/sa/x"
    assert status(("x-forwarded-client-cert", f"{by};URI={TODO_API},{by};URI={other}")) == UNAUTHENTICATED
    assert status() == UNAUTHENTICATED
    backup = server.container.run(*documented_backup(), "--target", ports["grpc"])
    assert backup.returncode == 0, backup.stderr
    assert len(list(server.claims["gatehouse-backups"].iterdir())) == 1
    assert server.stop() == 0


class Beside(proxies.Proxy):
    """`first`: what it answers where anybody may pass, as soon as it listens."""

    first = 200

    def _answers(self) -> bool:
        assert self._process.running(), f"Envoy has ended:\n{self._process.text()}"
        try:
            return self.ask("GET", "/").status == self.first
        except OSError:
            return False


class Envoy:
    """The Envoy beside the service, by the overlay's files with other places."""

    def __init__(self, cluster: Cluster, gatehouse: str, upstream: Upstream, folder):
        files = next(one["data"] for one in manifests.objects("overlays/envoy-sidecar", "ConfigMap")
                     if "envoy.yaml" in one["data"])  # fmt: skip
        (self.port,) = free_ports(1)
        places = {
            "/etc/envoy/config": str(folder / "config"), "/etc/envoy/tls": str(folder / "tls"),
            "gatehouse.gatehouse.svc.cluster.local, port_value: 7070":
                f"127.0.0.1, port_value: {gatehouse.rpartition(':')[2]}",
            "0.0.0.0, port_value: 8080": f"127.0.0.1, port_value: {self.port}",
            "port_value: 9000": f"port_value: {upstream.port}",
        }  # fmt: skip
        text = "\n".join(files.values())
        for place in places:
            assert place in text, f"the overlay does not say {place}"
        pattern = re.compile("|".join(re.escape(place) for place in places))
        moved = {name: pattern.sub(lambda found: places[found[0]], content)
                 for name, content in files.items()}  # fmt: skip
        cluster_secrets.mount(folder / "config", moved, 0o644)
        self._tls, self._roots = folder / "tls", cluster.authority
        self.renew(cluster.authority)
        self.config = folder / "config" / "envoy.yaml"
        self.proxy = Beside("envoy", folder / "config", self.port)

    def renew(self, authority: Authority):
        """Its certificate is one of this authority from now on."""
        pair = cluster_secrets.client_pair(authority, TODO_API)
        secret = cluster_secrets.tls_secret(self._roots, pair)
        cluster_secrets.mount_turning(self._tls, secret, 0o600)

    def validate(self) -> subprocess.CompletedProcess:
        return subprocess.run(
            [proxies.installed("envoy"), "--mode", "validate", "-c", self.config],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip


@pytest.fixture
def upstream():
    made = Upstream()
    yield made
    made.stop()


def test_envoy_beside_the_service_asks_gatehouse_by_its_certificate(cluster, upstream, tmp_path):
    server, ports = cluster.serve("overlays/envoy-sidecar/gatehouse")
    envoy = Envoy(cluster, ports["grpc"], upstream, tmp_path / "envoy")
    valid = envoy.validate()
    assert valid.returncode == 0, valid.stderr
    proxy = envoy.proxy
    try:
        proxy.start("envoy.yaml")
        upstream.seen.clear()

        got = proxy.ask("GET", "/users/ada/tasks/7", token=cluster.token()).upstream
        assert got.values("x-auth-subject") == ["ada"]
        assert proxy.ask("GET", "/users/bob/tasks/7", token=cluster.token()).status == 403
        assert proxy.ask("GET", "/users/ada/tasks/7").status == 401
        assert proxy.ask("GET", "/elsewhere", token=cluster.token()).status == 403
        assert len(upstream.seen) == 1

        assert server.stop() == 0
        assert proxy.ask("GET", "/users/ada/tasks/7", token=cluster.token()).status == 503
        assert len(upstream.seen) == 1
    finally:
        proxy.stop()


def test_envoy_beside_the_service_takes_a_new_certificate_without_a_restart(
    cluster, upstream, tmp_path
):
    _, ports = cluster.serve("overlays/envoy-sidecar/gatehouse")
    envoy = Envoy(cluster, ports["grpc"], upstream, tmp_path / "envoy")
    envoy.renew(Authority("nobody's"))
    proxy = envoy.proxy
    proxy.first = 503  # Gatehouse does not let it in
    try:
        proxy.start("envoy.yaml")
        assert not upstream.seen
        envoy.renew(cluster.authority)
        wait_until(lambda: proxy.ask("GET", "/").status == 200, "the new certificate")
    finally:
        proxy.stop()


def test_envoys_file_is_judged(cluster, upstream, tmp_path):
    """That a mistake would be found."""
    envoy = Envoy(cluster, "127.0.0.1:1", upstream, tmp_path / "envoy")
    text = envoy.config.read_text()
    envoy.config.write_text(text.replace("failure_mode_allow", "failure_mode_alow"))
    assert envoy.validate().returncode != 0
