"""Certificate authorities of the tests' own, and what they issue."""

import datetime
import ipaddress
import os
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from support import leaks
from support.client import Client

DAY = datetime.timedelta(days=1)
LOCALHOST = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def uri(text: str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(text)


def pem_of(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key) -> str:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    return leaks.remember_pem(pem)


class Pair:
    """A certificate with its key, as PEM."""

    def __init__(self, chain: str, key: str):
        self.chain, self.key = chain, key


class Authority:
    def __init__(self, name: str = "root", starts=None, ends=None):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        starts = starts or now() - DAY
        self.certificate = (
            self._builder(self._name, self._key, starts, ends or starts + 365 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = pem_of(self.certificate)

    def issue(
        self, names=(), common_name="", raw_names=b"", starts=None, ends=None, usages=None, key=None
    ) -> Pair:
        """`names`, or the DER `raw_names`, become its subjectAltName; without any it has none."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []
        starts = starts or now() - DAY
        builder = self._builder(x509.Name(subject), key, starts, ends or starts + 30 * DAY)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if raw_names:
            raw = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, raw_names)
            builder = builder.add_extension(raw, critical=False)
        if usages is None:
            usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        return Pair(pem_of(builder.sign(self._key, hashes.SHA256())), key_pem(key))

    def server(self, **fields) -> Pair:
        return self.issue(LOCALHOST, **fields)

    def client(self, *ids: str, **fields) -> Pair:
        return self.issue([uri(one) for one in ids], **fields)

    def _builder(self, subject, key, starts, ends):
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(starts)
            .not_valid_after(ends)
        )


def put(path: Path, text: str, mode: int = 0o600):
    """Replaces the file at once."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.chmod(mode)
    os.replace(new, path)


class Files:
    """The files of listen.tls in a folder."""

    def __init__(self, folder: Path, pair: Pair, client_ca: str = ""):
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate, self.key = folder / "tls.crt", folder / "tls.key"
        self.client_ca = folder / "ca.crt" if client_ca else None
        self.put(pair)
        if client_ca:
            put(self.client_ca, client_ca)

    def put(self, pair: Pair):
        put(self.certificate, pair.chain)
        put(self.key, pair.key)

    @property
    def config(self) -> dict:
        files = {"cert_file": str(self.certificate), "key_file": str(self.key)}
        return files | ({"client_ca_file": str(self.client_ca)} if self.client_ca else {})


class TlsClient(Client):
    """A Client over TLS. `roots` vouch for the server; `pair` is shown to it."""

    def __init__(self, target: str, roots: str, pair: Pair | None = None, metadata=None):
        self._roots, self._pair = roots, pair
        super().__init__(target, metadata)

    def connect(self, target: str) -> grpc.Channel:
        own = (self._pair.key.encode(), self._pair.chain.encode()) if self._pair else (None, None)
        credentials = grpc.ssl_channel_credentials(self._roots.encode(), *own)
        options = [("grpc.use_local_subchannel_pool", 1)]
        return grpc.secure_channel(target, credentials, options=options)
