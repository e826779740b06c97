"""What an operator puts into the Secrets that the manifests name: certificates as cert-manager
makes them, and callers' tokens."""

import datetime
import ipaddress
import os
import secrets
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from support import leaks

_DAY = datetime.timedelta(days=1)


def _pem(key) -> bytes:
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    leaks.remember_pem(text.decode())
    return text


class Root:
    """A certificate authority of one test."""

    def __init__(self, name: str = "cluster"):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(
            self._name, self._key.public_key(), x509.BasicConstraints(ca=True, path_length=0), []
        )

    def _sign(self, subject, key, constraints, names) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + 30 * _DAY)
            .add_extension(constraints, critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        signed = builder.sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)

    def secret(self, *, dns: tuple[str, ...] = (), uri: str | None = None) -> dict[str, bytes]:
        """A Secret of type kubernetes.io/tls: a key, its certificate and the root's."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in dns]
        if dns:  # the tests reach it there
            names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        if uri is not None:
            names.append(x509.UniformResourceIdentifier(uri))
        constraints = x509.BasicConstraints(ca=False, path_length=None)
        certificate = self._sign(x509.Name([]), key.public_key(), constraints, names)
        return {"tls.crt": certificate, "tls.key": _pem(key), "ca.crt": self.certificate}


def caller_tokens(*names: str) -> dict[str, bytes]:
    return {
        f"{name}.token": leaks.remember(secrets.token_urlsafe(32)).encode() + b"\n"
        for name in names
    }


def mount(folder: Path, files: dict[str, bytes], mode: int = 0o440, owner: int | None = None):
    """As the kubelet mounts a Secret: a folder of files with one mode and, as root, a group."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.touch(mode=0o600)
        path.write_bytes(content)
        if owner is not None:
            os.chown(path, 0, owner)
        os.chmod(path, mode)
