"""The manifests of k8s/, as kustomize makes them, and those who judge them: the schemas of
Kubernetes' API, and the types that Istio and the Prometheus Operator publish."""

import functools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from support.places import CACHE, REPOSITORY

K8S = REPOSITORY / "k8s"
KUSTOMIZE = CACHE / "bin" / "kustomize"
STRICT = CACHE / "bin" / "strict-manifests"
# Kinds that the API's schemas do not know; STRICT does.
OTHERS = ("istio.io", "monitoring.coreos.com")


def _run(*command, text: str = "") -> subprocess.CompletedProcess:
    if not Path(command[0]).is_file():
        raise FileNotFoundError(f"no {command[0]}: run scripts/setup-tests")
    return subprocess.run(
        [str(part) for part in command],
        input=text, capture_output=True, text=True, timeout=120, cwd="/",
    )  # fmt: skip


def overlays() -> list[str]:
    """All that can be applied: each kustomization that is no component."""
    found = []
    for file in sorted(K8S.rglob("kustomization.yaml")):
        if yaml.safe_load(file.read_text())["kind"] == "Kustomization":
            found.append(str(file.parent.relative_to(K8S)))
    return found


@functools.cache
def rendered(overlay: str) -> str:
    return _build(K8S / overlay)


def _build(folder: Path) -> str:
    done = _run(KUSTOMIZE, "build", folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def built(folder: Path) -> list[dict]:
    """What kustomize makes of any folder."""
    return [one for one in yaml.safe_load_all(_build(folder)) if one]


def objects(overlay: str, kind: str | None = None) -> list[dict]:
    made = [one for one in yaml.safe_load_all(rendered(overlay)) if one]
    return [one for one in made if kind in (None, one["kind"])]


def the(overlay: str, kind: str, name: str) -> dict:
    found = [one for one in objects(overlay, kind) if one["metadata"]["name"] == name]
    assert len(found) == 1, f"{overlay} has {len(found)} of {kind} {name}"
    return found[0]


def pods(overlay: str) -> Iterator[tuple[str, dict]]:
    """Each pod template, in its object's namespace, with a name for messages."""
    for one in objects(overlay):
        template = one.get("spec", {}).get("template")
        if template is not None:
            template["metadata"]["namespace"] = one["metadata"].get("namespace")
            yield f"{overlay}: {one['kind']} {one['metadata']['name']}", template


def group(one: dict) -> str:
    return one["apiVersion"].split("/")[0]


def is_of_others(one: dict) -> bool:
    return group(one).endswith(OTHERS)


def judge_by_schemas(text: str, folder: Path) -> tuple[bool, list[str], list[str]]:
    """Whether all is as the API's schemas say, what it said, and the kinds that it does not know."""
    file = folder / "manifests.yaml"
    file.write_text(text)
    done = _run(Path(sys.executable).parent / "kubernetes-validate", "--strict", file)
    lines = (done.stdout + done.stderr).splitlines()
    unknown = []
    for line in lines:
        if line.startswith("WARN"):
            words = line.split()
            assert "schema for kind" in line, line
            version, kind = words[words.index("version") + 1], words[words.index("kind") + 1]
            unknown.append(f"{version} {kind}")
    return done.returncode == 0, lines, unknown


def judge_strictly(manifests: list[dict]) -> tuple[bool, list[str]]:
    """Whether Istio's and Prometheus' types have all of it, and what was said of each."""
    done = _run(STRICT, text="\n".join(json.dumps(one) for one in manifests))
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 0, done.stdout.splitlines()


def mesh_config() -> dict:
    """As STRICT takes it."""
    spec = yaml.safe_load((K8S / "overlays" / "istio" / "mesh-config.yaml").read_text())
    return {"apiVersion": "", "kind": "MeshConfig", "spec": spec}


def configuration(overlay: str) -> str | None:
    """The gatehouse.yaml that its server gets."""
    for one in objects(overlay, "ConfigMap"):
        if "gatehouse.yaml" in one["data"]:
            return one["data"]["gatehouse.yaml"]
    return None
