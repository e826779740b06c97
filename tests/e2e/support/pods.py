"""A pod of the manifests, without a cluster: its container's program in the packaged root, with the
volumes that its template names, at the paths and with the rights that it says."""

import re
import shutil
import signal
from pathlib import Path

from support import image, manifests
from support.cluster_secrets import mount
from support.processes import Process


class Pod:
    def __init__(self, packed: Path, folder: Path, overlay: str, template: dict, secrets: dict):
        """`secrets`: the files of each Secret, by its name."""
        folder.mkdir()
        self.container = image.Container(packed, folder)
        spec = template["spec"]
        (self.description,) = spec["containers"]
        volumes = {one["name"]: one for one in spec["volumes"]}
        self.claims: dict[str, Path] = {}
        self.process: Process | None = None
        for mounted in self.description["volumeMounts"]:
            writable = not mounted.get("readOnly", False)
            where = self.container.mount_point(mounted["mountPath"], writable)
            volume = volumes[mounted["name"]]
            if "configMap" in volume:
                data = manifests.the(overlay, "ConfigMap", volume["configMap"]["name"])["data"]
                mount(where, data, 0o644)
            elif "secret" in volume:
                group = spec["securityContext"]["fsGroup"]
                files = secrets[volume["secret"]["secretName"]]
                mount(where, files, volume["secret"]["defaultMode"], group)
            else:
                self.claims[volume["persistentVolumeClaim"]["claimName"]] = where

    def take_claims(self, other: "Pod"):
        """The volumes are this pod's now, with what the other has put there."""
        for name, folder in other.claims.items():
            for file in folder.iterdir():
                shutil.move(file, self.claims[name] / file.name)

    @property
    def config(self) -> Path:
        return self.container.root / self.config_path.lstrip("/")

    @property
    def config_path(self) -> str:
        return self.description["args"][self.description["args"].index("--config") + 1]

    def change_config(self, change):
        self.config.write_text(change(self.config.read_text()))

    def run(self, *args):
        """The image's program, with the container's arguments or others."""
        return self.container.run("/usr/bin/gatehouse-server", *(args or self.description["args"]))

    def start(self) -> dict[str, str]:
        """With any free ports: what listens, by its name."""
        self.change_config(lambda text: re.sub(r'"[\d.]+:\d+"', '"127.0.0.1:0"', text))
        self.process = self.container.start("/usr/bin/gatehouse-server", *self.description["args"])
        line = self.process.wait_for_line(lambda text: " listening " in text, "`listening`")
        return dict(re.findall(r'\b(grpc|http|health)="([^"]+)"', line))

    def stop(self) -> int:
        return self._end(signal.SIGTERM)

    def kill(self):
        if self.process is not None and self.process.running():
            self._end(signal.SIGKILL)

    def _end(self, number: int) -> int:
        self.container.signal(self.process, number)
        return self.process.wait()
