"""What keeps a server with TLS from starting: each with a message that names the place."""

import os

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from support import leaks
from support.certificates import DAY, LOCALHOST, Authority, Files, Pair, key_pem, now, put
from support.server import run

API = "spiffe://cluster.local/ns/todo/sa/api"


@pytest.fixture
def authority():
    return Authority()


class Folder:
    """A configuration with TLS, in a folder."""

    def __init__(self, folder, authority):
        self.authority, self.path = authority, folder / "gatehouse.yaml"
        self.files = Files(folder, authority.server(), authority.pem)
        self.settings = {
            "listen": {
                "grpc": "127.0.0.1:0",
                "http": "127.0.0.1:0",
                "tls": {"cert_file": "tls.crt", "key_file": "tls.key", "client_ca_file": "ca.crt"},
            },
            "issuers": [
                {
                    "issuer": "https://issuer.test",
                    "audiences": ["https://issuer.test"],
                    "algorithms": ["EdDSA"],
                    "keys": {"jwks_url": "https://issuer.test/jwks"},
                }
            ],
            "revocations": {"sqlite": {"path": "gatehouse.db"}},
            "callers": [{"name": "api", "spiffe_ids": [API], "may": ["verify"]}],
        }

    def put(self, pair):
        self.files.put(pair)

    def check(self) -> str:
        """What is wrong, by --check and by a start; empty if nothing is."""
        self.path.write_text(yaml.safe_dump(self.settings, sort_keys=False))
        checked = run("--check", self.path)
        if checked.returncode == 0:
            return ""
        started = run("--config", self.path)
        assert started.returncode == 1
        assert checked.stderr.replace("gatehouse-server: ", "") in started.stderr.replace(
            "gatehouse-server: ", ""
        ), "both say the same"
        return checked.stderr


@pytest.fixture
def folder(tmp_path, authority):
    made = Folder(tmp_path, authority)
    assert made.check() == ""
    return made


def place(folder, field: str, file: str, line: int | None = None) -> str:
    return f"listen.tls.{field}: {folder.path.parent}/{file}:{line or ''}"


def said_of_both(folder) -> str:
    """What is wrong with ca.crt as roots of callers, and in the same words as those of an issuer."""
    said = folder.check()
    tls, keys = folder.settings["listen"]["tls"], folder.settings["issuers"][0]["keys"]
    put(folder.path.with_name("good.crt"), folder.authority.pem)
    tls["client_ca_file"], keys["ca_file"] = "good.crt", "ca.crt"
    of_issuer = folder.check()
    tls["client_ca_file"] = keys.pop("ca_file")
    field = "listen.tls.client_ca_file: "
    assert said.count(field) == 1
    assert of_issuer.split("issuers[0].keys.ca_file: ")[1:] == [said.split(field)[1]]
    return said


def test_a_certificate_without_subject_alternative_name(folder):
    folder.put(folder.authority.issue(common_name="localhost"))
    said = folder.check()
    assert place(folder, "cert_file", "tls.crt", 1) in said
    assert "has no subjectAltName" in said


def test_a_certificate_that_is_no_servers(folder):
    from cryptography.x509.oid import ExtendedKeyUsageOID

    folder.put(folder.authority.server(usages=[ExtendedKeyUsageOID.CLIENT_AUTH]))
    assert "this certificate may not be a server's" in folder.check()


def test_a_key_that_does_not_fit(folder):
    put(folder.files.key, folder.authority.server().key)
    said = folder.check()
    assert place(folder, "key_file", "tls.key") in said
    assert "does not fit the certificate" in said


def test_a_key_that_everybody_may_read(folder):
    for mode in (0o644, 0o604, 0o602, 0o601):
        os.chmod(folder.files.key, mode)
        said = folder.check()
        assert place(folder, "key_file", "tls.key") in said
        assert f"(mode {mode:04o})" in said
    os.chmod(folder.files.key, 0o640)
    assert folder.check() == ""


def test_keys_that_are_encrypted_missing_or_too_many(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    for form in (
        serialization.PrivateFormat.PKCS8,
        serialization.PrivateFormat.TraditionalOpenSSL,
    ):
        how = serialization.BestAvailableEncryption(b"secret")
        put(folder.files.key, key.private_bytes(serialization.Encoding.PEM, form, how).decode())
        said = folder.check()
        assert place(folder, "key_file", "tls.key", 1) + ": this private key is encrypted" in said
    pair = folder.authority.server()
    put(folder.files.key, pair.key + pair.key)
    assert "this is a second private key" in folder.check()
    put(folder.files.key, pair.key + pair.chain)
    assert 'one private key belongs here, and this is "CERTIFICATE"' in folder.check()
    put(folder.files.key, "")
    assert "holds no private key" in folder.check()
    folder.files.key.unlink()
    assert "there is no such file" in folder.check()


def test_a_key_of_any_common_form_is_taken(folder):
    for key in (
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(public_exponent=65537, key_size=2048),
    ):
        pair = folder.authority.issue(LOCALHOST, key=key)
        folder.put(pair)
        assert folder.check() == ""
        traditional = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ).decode()
        put(folder.files.key, leaks.remember_pem(traditional))
        assert folder.check() == ""


def test_a_weak_key(folder):
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    folder.put(folder.authority.issue(LOCALHOST, key=key))
    said = folder.check()
    assert place(folder, "cert_file", "tls.crt", 1) + ": its key is too weak (RSA, 1024 bits)" in said
    assert place(folder, "key_file", "tls.key", 1) in said
    assert key_pem(key).splitlines()[3] not in said


def test_a_certificate_out_of_its_time(folder):
    folder.put(folder.authority.server(starts=now() - 9 * DAY, ends=now() - DAY))
    assert "this certificate has expired at 20" in folder.check()
    folder.put(folder.authority.server(starts=now() + DAY))
    assert "this certificate is not valid before 20" in folder.check()


def test_roots_with_garbage_between_or_behind_them(folder):
    pem, other = folder.authority.pem, Authority("other").pem
    lines = pem.count("\n")
    first, second = pem.split("\n", 1)
    for text, line in {
        pem + "garbage\n": lines + 1,
        pem + "garbage\n" + other: lines + 1,
        pem + "\n\0": lines + 2,
        "garbage\n" + pem: 1,
        pem + other.replace("-----END CERTIFICATE-----\n", ""): lines + other.count("\n") - 1,
        pem + first + "\nAAAA" + second: lines + 1,
        pem.replace("\n-----END", "\nAAAA\n-----END"): None,
        pem + folder.authority.client(API).key: lines + 1,
    }.items():
        put(folder.files.client_ca, text)
        said = said_of_both(folder)
        assert place(folder, "client_ca_file", "ca.crt", line) in said, (text, said)
    put(folder.files.client_ca, f"# a comment\n\n{pem}\r\n# another\n{other}\n")
    assert folder.check() == ""


def test_roots_that_are_none(folder):
    leaf, past = folder.authority.server().chain, now() - DAY
    expired = Authority("past", starts=past - DAY, ends=past)
    for text, why in {
        "": "holds no certificate",
        "# nothing\n": "holds no certificate",
        "x" * (1024 * 1024 + 1): "is larger than 1048576 bytes",
        key_pem(ec.generate_private_key(ec.SECP256R1())): "only certificates belong here",
        folder.authority.issue(key=rsa.generate_private_key(65537, 1024)).chain: "is too weak",
    }.items():
        put(folder.files.client_ca, text)
        said = said_of_both(folder)
        assert place(folder, "client_ca_file", "ca.crt") in said
        assert why in said, said
    for text, why in {
        folder.authority.pem + leaf: "is no CA's",
        expired.pem: "none of these certificates is valid",
    }.items():
        put(folder.files.client_ca, text)
        said = folder.check()
        assert place(folder, "client_ca_file", "ca.crt") in said
        assert why in said, said
    folder.files.client_ca.unlink()
    os.mkfifo(folder.files.client_ca)
    assert "is no regular file, but a pipe" in said_of_both(folder)
    folder.files.client_ca.unlink()
    folder.files.client_ca.mkdir()
    assert "cannot be read" in said_of_both(folder)


def test_an_expired_root_beside_a_good_one_is_a_warning(folder):
    past = Authority("past", starts=now() - 9 * DAY, ends=now() - DAY)
    put(folder.files.client_ca, folder.authority.pem + past.pem)
    assert folder.check() == ""
    checked = run("--check", folder.path).stdout
    line = folder.authority.pem.count("\n") + 1
    assert f"warning: {folder.files.client_ca}:{line}: the certificate of CN=past has" in checked


def test_a_chain_out_of_order(folder):
    pair = folder.authority.server()
    folder.put(Pair(pair.chain + folder.authority.pem, pair.key))
    assert folder.check() == ""
    folder.put(Pair(pair.chain + Authority("other").pem, pair.key))
    said = folder.check()
    assert "this certificate did not issue the one before it" in said
    folder.put(Pair(folder.authority.pem + pair.chain, pair.key))
    assert "has no subjectAltName" in folder.check()


def test_everything_that_is_wrong_is_said_at_once(folder):
    folder.files.certificate.unlink()
    folder.files.key.unlink()
    folder.files.client_ca.unlink()
    said = folder.check()
    for field, file in {"cert_file": "tls.crt", "key_file": "tls.key", "client_ca_file": "ca.crt"}.items():
        assert place(folder, field, file) in said


@pytest.mark.parametrize(
    ("spiffe_id", "why"),
    {
        "spiffe://cluster.local:443/ns/a": "a SPIFFE id has no port",
        "spiffe://cluster.local/ns/a?b=c": "a SPIFFE id has no query",
        "spiffe://cluster.local/ns/a#b": "a SPIFFE id has no fragment",
        "spiffe://user@cluster.local/ns/a": "a SPIFFE id has no userinfo",
        "spiffe://Cluster.local/ns/a": "a trust domain is in lower case",
        "https://cluster.local/ns/a": 'a SPIFFE id begins with "spiffe://"',
        "spiffe://cluster.local/ns/": "no part of a SPIFFE id is empty, and no slash ends it",
        "spiffe://cluster.local/ns/*/a": "the path of a SPIFFE id is letters",
    }.items(),
)
def test_a_spiffe_id_that_is_none(folder, spiffe_id, why):
    folder.settings["callers"][0]["spiffe_ids"] = [API, spiffe_id]
    said = folder.check()
    assert "callers[0].spiffe_ids[1]: " in said
    assert f"{folder.path}:" in said
    assert why in said
