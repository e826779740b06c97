"""What an operator puts into the Secrets that the manifests name, and how the kubelet mounts it."""

import os
import secrets
from pathlib import Path

from cryptography import x509

from support import leaks
from support.certificates import LOCALHOST, Authority, Pair, uri

SERVICE = "gatehouse.gatehouse.svc"


def tls_secret(authority: Authority, pair: Pair) -> dict[str, str]:
    """As cert-manager writes it."""
    return {"tls.crt": pair.chain, "tls.key": pair.key, "ca.crt": authority.pem}


def server_pair(authority: Authority, *names: str) -> Pair:
    """Also for 127.0.0.1, where the tests reach it."""
    return authority.issue([*LOCALHOST, *[x509.DNSName(name) for name in names or (SERVICE,)]])


def client_pair(authority: Authority, spiffe_id: str) -> Pair:
    return authority.issue([uri(spiffe_id)])


def caller_tokens(*names: str) -> dict[str, str]:
    return {
        f"{name}.token": leaks.remember(secrets.token_urlsafe(32)) + "\n" for name in names
    }  # fmt: skip


def mount(folder: Path, files: dict[str, str], mode: int = 0o440, group: int | None = None):
    """A Secret as a volume: files with one mode, and fsGroup as their group."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(content)
        if group is not None:
            os.chown(path, 0, group)
        os.chmod(path, mode)


def mount_turning(folder: Path, files: dict[str, str], mode: int = 0o440):
    """A Secret as the kubelet mounts it, to be renewed in one step: each file is a link into
    `..data`, which is a link to where they lie. Called again it renews them."""
    data = folder / f"..{secrets.token_hex(4)}"
    mount(data, files, mode)
    link = folder / "..data_tmp"
    link.symlink_to(data.name)
    link.rename(folder / "..data")
    for name in files:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
