"""The manifests of k8s/: as the API has them, and closed down. Nothing here needs a cluster."""

import os
import re
import subprocess

import pytest
import yaml

from support import manifests
from support.places import REPOSITORY, program
from support.readme import fences_of

OVERLAYS = manifests.overlays()
# Those with a Gatehouse that runs.
SERVING = [name for name in OVERLAYS if manifests.objects(name, "StatefulSet")]
CREATING = [name for name in OVERLAYS if manifests.objects(name, "Job")]
ASKED = ["overlays/istio", "overlays/envoy-sidecar"]
OPERATIONS, PAGE, INCIDENTS = (
    REPOSITORY / "docs" / name for name in ("operations.md", "kubernetes.md", "incidents.md")
)
# Prometheus' own.
OTHER_METRICS = {"up": {"job"}}


def test_every_overlay_is_there():
    assert {"base", "overlays/mtls", "overlays/istio", "overlays/envoy-sidecar"} <= set(SERVING)
    # One for each namespace with a server: the database is made before it.
    assert len(CREATING) == 3 and not set(CREATING) & set(SERVING)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_manifests_are_as_the_api_has_them(overlay, tmp_path):
    good, said, unknown = manifests.judge_by_schemas(manifests.rendered(overlay), tmp_path)
    assert good, "\n".join(said)
    others = [one for one in manifests.objects(overlay) if manifests.is_of_others(one)]
    kinds = {f"{one['apiVersion']} {one['kind']}" for one in others}
    assert set(unknown) == kinds, "a kind that nothing here knows"
    passed = sum(line.startswith("INFO") and " passed " in line for line in said)
    assert passed + len(others) == len(manifests.objects(overlay))
    if others:
        good, said = manifests.judge_strictly(others)
        assert good, "\n".join(said)
        assert sum(line.endswith(": OK") for line in said) == len(others)


def test_mistakes_are_found(tmp_path):
    text = manifests.rendered("overlays/istio")
    for right, wrong in (("podSelector:", "podSelektor:"), ("replicas: 1", "replicas: one")):
        assert right in text
        assert not manifests.judge_by_schemas(text.replace(right, wrong), tmp_path)[0]

    rule = manifests.the("overlays/istio", "PrometheusRule", "gatehouse")
    peers = manifests.the("overlays/istio", "PeerAuthentication", "gatehouse")
    sidecar = manifests.the("overlays/istio", "Sidecar", "gatehouse")
    first = rule["spec"]["groups"][0]["rules"][0]
    wrong = [
        {**peers, "spec": {"mtls": {"mode": "VERY_STRICT"}}},
        {**peers, "spec": {"mtls": {"mode": "STRICT"}, "portLevelMTLS": {}}},
        {**peers, "spek": {}},
        {**sidecar, "kind": "SideCar"},
        {**rule, "spec": {"groups": [{"name": "a", "rules": [{**first, "expr": "sum(up"}]}]}},
        {**rule, "spec": {"groups": [{"name": "a", "rules": [{**first, "for": "soon"}]}]}},
        {**rule, "spec": {"groups": [{"name": "a", "rule": [first]}]}},
        {**manifests.mesh_config(), "spec": {"extensionProvider": []}},
    ]
    for one in wrong:
        good, said = manifests.judge_strictly([one])
        assert not good, said


def test_istio_is_told_to_ask_in_time_and_to_let_nothing_pass_without_an_answer():
    config = manifests.mesh_config()
    assert manifests.judge_strictly([config])[0]
    (provider,) = config["spec"]["extensionProviders"]
    assert provider["envoyExtAuthzGrpc"] == {
        "service": "gatehouse.gatehouse.svc.cluster.local", "port": 7070,
        "timeout": "0.2s", "failOpen": False, "statusOnError": "503",
    }  # fmt: skip
    (policy,) = manifests.objects("overlays/istio/application", "AuthorizationPolicy")
    assert policy["spec"]["action"] == "CUSTOM"
    assert policy["spec"]["provider"]["name"] == provider["name"]
    for overlay in ("overlays/istio", "overlays/istio/application"):
        for one in manifests.objects(overlay, "PeerAuthentication"):
            assert one["spec"] == {"mtls": {"mode": "STRICT"}, **_selector(one)}


def _selector(one: dict) -> dict:
    return {key: value for key, value in one["spec"].items() if key == "selector"}


def test_istios_sidecar_reaches_gatehouse_on_loopback_alone():
    """Else x-forwarded-client-cert could come from anybody who reaches the pod."""
    sidecar = manifests.the("overlays/istio", "Sidecar", "gatehouse")
    listen = yaml.safe_load(manifests.configuration("overlays/istio"))["listen"]
    assert "forwarded_client_cert" in listen and listen["grpc"] == "127.0.0.1:7070"
    to = {each["port"]["number"]: each["defaultEndpoint"] for each in sidecar["spec"]["ingress"]}
    assert to == {7070: listen["grpc"], 7071: listen["http"]}
    labels = sidecar["spec"]["workloadSelector"]["labels"].items()
    server = manifests.the("overlays/istio", "StatefulSet", "gatehouse")
    assert labels <= server["spec"]["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_are_restricted(overlay):
    """Field by field what the Pod Security Standard "restricted" asks for, and more."""
    for name, template in manifests.pods(overlay):
        spec = template["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & set(spec), name
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["serviceAccountName"] != "default", name
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True and security["runAsUser"] > 0, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert "sysctls" not in security
        assert "initContainers" not in spec and "ephemeralContainers" not in spec
        for volume in spec.get("volumes", []):
            kinds = set(volume) - {"name"}
            assert kinds <= {"configMap", "secret", "persistentVolumeClaim"}, (name, volume)
        for container in spec["containers"]:
            own = container["securityContext"]
            assert own == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert not any("hostPort" in port for port in container.get("ports", []))
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
            assert "memory" in container["resources"]["limits"], name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_namespaces_enforce_what_the_pods_keep(overlay):
    for one in manifests.objects(overlay, "Namespace"):
        assert one["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    namespaces = {one["metadata"].get("namespace") for one in manifests.objects(overlay)}
    if overlay != "base":
        made = {one["metadata"]["name"] for one in manifests.objects(overlay, "Namespace")}
        assert namespaces - {None} == made or overlay == "overlays/istio/application"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_images_are_pinned_and_secrets_are_named_and_not_there(overlay):
    assert not manifests.objects(overlay, "Secret")
    for name, template in manifests.pods(overlay):
        for container in template["spec"]["containers"]:
            tag = container["image"].rpartition("/")[2].partition(":")[2]
            assert re.search(r"\d+\.\d+\.\d+", tag), f"{name}: {container['image']}"
            assert "env" not in container and "envFrom" not in container, name
            for mounted in container.get("volumeMounts", []):
                assert "subPath" not in mounted, f"{name}: never renewed"
        secrets = [each["secret"] for each in template["spec"].get("volumes", []) if "secret" in each]
        for secret in secrets:
            # A key that others may read is refused; the group is that of fsGroup.
            assert secret["defaultMode"] == 0o440 and "items" not in secret, name
        if secrets:
            assert template["spec"]["securityContext"]["fsGroup"] == 65532


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_network_lets_nothing_through_that_is_not_named(overlay):
    policies = manifests.objects(overlay, "NetworkPolicy")
    for name, template in manifests.pods(overlay):
        labels = template["metadata"]["labels"].items()
        own = [one for one in policies
               if one["metadata"].get("namespace") == template["metadata"].get("namespace")
               and one["spec"]["podSelector"].get("matchLabels", {}).items() <= labels]  # fmt: skip
        assert own, f"{name} has no NetworkPolicy"
        gatehouse = template["metadata"]["labels"]["app.kubernetes.io/name"] == "gatehouse"
        for one in own:
            spec = one["spec"]
            assert "Ingress" in spec["policyTypes"]
            assert not gatehouse or "Egress" in spec["policyTypes"]
            for rule in [*spec.get("ingress", []), *spec.get("egress", [])]:
                assert rule.get("from") or rule.get("to"), f"{name}: from or to everywhere"
                assert rule["ports"], f"{name}: on every port"
                for peer in [*rule.get("from", []), *rule.get("to", [])]:
                    assert not peer.get("ipBlock", {}).get("cidr", "").endswith("/0")


@pytest.mark.parametrize("overlay", SERVING)
def test_gatehouse_talks_to_its_callers_prometheus_the_names_and_the_issuer_alone(overlay):
    spec = manifests.the(overlay, "NetworkPolicy", "gatehouse")["spec"]
    callers, metrics = spec["ingress"]
    assert [port["port"] for port in callers["ports"]] == ["grpc"]
    (peer,) = callers["from"]
    assert set(peer) == {"namespaceSelector", "podSelector"}, "both must hold"
    assert [port["port"] for port in metrics["ports"]] == ["http-metrics"]
    names, issuer, *istiod = spec["egress"]
    assert {port["port"] for port in names["ports"]} == {53}
    assert [port["port"] for port in issuer["ports"]] == [443]
    assert len(istiod) == (overlay == "overlays/istio")


@pytest.mark.parametrize("overlay", SERVING)
def test_there_is_one_server_with_one_volume(overlay):
    server = manifests.the(overlay, "StatefulSet", "gatehouse")["spec"]
    assert server["replicas"] == 1 and not manifests.objects(overlay, "PodDisruptionBudget")
    services = {one["metadata"]["name"]: one["spec"] for one in manifests.objects(overlay, "Service")}
    assert services[server["serviceName"]]["clusterIP"] == "None"
    assert "clusterIP" not in services["gatehouse"]
    pod = server["template"]["spec"]
    claims = [each["persistentVolumeClaim"]["claimName"] for each in pod["volumes"]
              if "persistentVolumeClaim" in each]  # fmt: skip
    assert claims == ["gatehouse-data", "gatehouse-backups"]
    data = manifests.the(overlay, "PersistentVolumeClaim", "gatehouse-data")
    assert data["spec"]["accessModes"] == ["ReadWriteOncePod"]

    listen = yaml.safe_load(manifests.configuration(overlay))["listen"]
    drain = int(listen["drain"].removesuffix("s"))
    assert pod["terminationGracePeriodSeconds"] >= drain + 10

    (container,) = pod["containers"]
    ports = {port["containerPort"] for port in container["ports"]}
    assert ports == {int(listen[name].rpartition(":")[2]) for name in ("grpc", "http", "health")}
    health = int(listen["health"].rpartition(":")[2])
    assert not listen["health"].startswith("127."), "the kubelet could not reach it"
    for probe, service in (("startup", "liveness"), ("liveness", "liveness"), ("readiness",) * 2):
        assert container[f"{probe}Probe"]["grpc"] == {"port": health, "service": service}


@pytest.mark.parametrize("overlay", CREATING)
def test_the_job_makes_the_database_on_the_servers_volume_and_does_no_more(overlay):
    assert not manifests.objects(overlay, "StatefulSet"), "it would hold the volume"
    (job,) = manifests.objects(overlay, "Job")
    assert job["spec"]["backoffLimit"] == 0
    spec = job["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    # The program itself refuses where there is a database; no shell decides.
    assert "command" not in container
    assert container["args"][:2] == ["--create-database", "--config"]
    assert [one for one in spec["volumes"] if "persistentVolumeClaim" in one] == [
        {"name": "data", "persistentVolumeClaim": {"claimName": "gatehouse-data"}}
    ]
    assert not [one for one in spec["volumes"] if "secret" in one]
    policy = manifests.the(overlay, "NetworkPolicy", "gatehouse-create-database")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert not policy.get("ingress") and not policy.get("egress")


def _documented_metrics() -> dict[str, set[str]]:
    """By name: the labels."""
    rows = [line for line in OPERATIONS.read_text().splitlines() if line.startswith("| `gatehouse_")]
    named = [found for line in rows
             for found in re.findall(r"`(gatehouse_\w+)(?:\{([^}]*)\})?`", line.split("|")[1])]  # fmt: skip
    return {name: {label for label in labels.split(",") if label} for name, labels in named}


def test_alerts_are_about_metrics_that_there_are():
    rule = manifests.the("base", "PrometheusRule", "gatehouse")
    good, said = manifests.judge_strictly([rule])
    assert good, "\n".join(said)
    known = _documented_metrics() | OTHER_METRICS
    assert len(known) > 30
    used = [line.split()[1:] for line in said if line.startswith("metric ")]
    assert len({name for name, *_ in used}) > 10
    for name, *labels in used:
        base = re.sub(r"_(count|sum|bucket)$", "", name)
        labels_known = known.get(name, known.get(base))
        assert labels_known is not None, f"{name} is in no table of {OPERATIONS.name}"
        assert set(labels) - {"job"} <= labels_known, f"{name} has no label {labels}"


def test_each_alert_says_what_is_wrong():
    (group,) = manifests.the("base", "PrometheusRule", "gatehouse")["spec"]["groups"]
    names = [rule["alert"] for rule in group["rules"]]
    assert len(set(names)) == len(names)
    for rule in group["rules"]:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"] and rule["annotations"]["description"]


def _as_documented(expression: str) -> str:
    """Without what only the operator's labels need: the job, and the namespace."""
    text = re.sub(r'job="gatehouse",?', "", expression).replace("{}", "")
    text = re.sub(r"(by|on) \(namespace(?:, )?", r"\1 (", text).replace(" by () (", "(")
    return " ".join(text.split())


def _documented_alerts(page: str) -> dict[str, list[str]]:
    """By name: the expressions of each row that names it."""
    found = {}
    for line in page.splitlines():
        if line.startswith("|"):
            cells = re.split(r"(?<!\\)\|", line)
            for name in re.findall(r"`(Gatehouse[A-Z]\w*)`", cells[1]):
                found.setdefault(name, []).append(cells[2].replace("\\|", "|"))
    return found


def test_page_of_incidents_has_each_alert_as_it_is():
    (group,) = manifests.the("base", "PrometheusRule", "gatehouse")["spec"]["groups"]
    rows = _documented_alerts(INCIDENTS.read_text())
    assert set(rows) == {rule["alert"] for rule in group["rules"]}
    for rule in group["rules"]:
        (row,) = rows[rule["alert"]]
        lasting = f" for {rule['for']}" if "for" in rule else ""
        ends = r"(?=[, ])" if lasting else r"(?! for)"
        wanted = f"`{_as_documented(rule['expr'])}`{lasting}"
        assert re.search(re.escape(wanted) + ends, row), f"{rule['alert']}: {wanted} is not in {row}"


def test_prometheus_finds_one_service():
    monitor = manifests.the("base", "ServiceMonitor", "gatehouse")["spec"]
    wanted = monitor["selector"]["matchLabels"].items()
    found = [one for one in manifests.objects("base", "Service")
             if wanted <= one["metadata"]["labels"].items()]  # fmt: skip
    assert [one["metadata"]["name"] for one in found] == ["gatehouse"]
    (endpoint,) = monitor["endpoints"]
    assert endpoint["port"] in [port["name"] for port in found[0]["spec"]["ports"]]


@pytest.mark.parametrize("overlay", ASKED)
def test_lint_envoy_finds_nothing(overlay):
    folder = manifests.K8S / overlay
    files = {
        "overlays/istio": ["mesh-config.yaml", "mesh.yaml", "application/authorization-policy.yaml"],
        "overlays/envoy-sidecar": ["application/envoy.yaml"],
    }[overlay]
    done = subprocess.run(
        [program("gatehouse"), "lint-envoy", *[str(folder / file) for file in files]],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def _documented_patches() -> list[dict]:
    fences = [one for one in fences_of(PAGE.read_text()) if one.info[:1] == ["yaml"]]
    return [yaml.safe_load(one.source) for one in fences]


def _built_with(folder, patches: dict, overlay: str) -> list[dict]:
    """What kustomize makes of a folder of an operator's own."""
    own = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "resources": [os.path.relpath(manifests.K8S / overlay, folder)], **patches,
    }  # fmt: skip
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(own))
    return manifests.built(folder)


def test_what_the_page_says_of_a_cluster_without_the_operator_holds(tmp_path):
    without, _ = _documented_patches()
    left = _built_with(tmp_path, without, "overlays/mtls")
    assert len(left) == len(manifests.objects("overlays/mtls")) - 2
    assert not [one for one in left if manifests.is_of_others(one)]


def test_what_the_page_says_of_a_restore_is_a_job_with_both_volumes(tmp_path):
    _, restore = _documented_patches()
    made = _built_with(tmp_path, restore, "create-database/mtls")
    (job,) = [one for one in made if one["kind"] == "Job"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["args"][0] == "--restore"
    folder = os.path.dirname(container["args"][1])
    assert folder in [each["mountPath"] for each in container["volumeMounts"]]
    text = yaml.safe_dump_all(made)
    good, said, _ = manifests.judge_by_schemas(text, tmp_path)
    assert good, said


def test_an_operators_image_reaches_every_pod(tmp_path):
    image = "registry.example.com/gatehouse"
    images = {"images": [{"name": "gatehouse", "newName": image, "newTag": "0.1.0"}]}
    for overlay, kind in (("overlays/mtls", "StatefulSet"), ("create-database/mtls", "Job")):
        (one,) = [one for one in _built_with(tmp_path, images, overlay) if one["kind"] == kind]
        (container,) = one["spec"]["template"]["spec"]["containers"]
        assert container["image"] == f"{image}:0.1.0"
