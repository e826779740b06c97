"""One key of each algorithm, the same in every run: derived from a seed."""

import base64
import hashlib
import hmac
import random

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ALGORITHMS = (
    ["EdDSA", "Ed25519"]
    + [f"{family}{bits}" for family in ("ES", "RS", "PS", "HS") for bits in (256, 384, 512)]
)
HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
CURVES = {"256": ec.SECP256R1, "384": ec.SECP384R1, "512": ec.SECP521R1}
CURVE_NAMES = {"256": "P-256", "384": "P-384", "512": "P-521"}
ORDERS = {
    "256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "384": int(
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF"
        "581A0DB248B0A77AECEC196ACCC52973",
        16,
    ),
    "512": int(
        "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
        "FA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409",
        16,
    ),
}
# The order of edwards25519's base point.
ED25519_L = 2**252 + 27742317777372353535851937790883648493


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int, size: int | None = None) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def bytes_of(name: str, size: int) -> bytes:
    return hashlib.shake_256(f"gatehouse differential {name}".encode()).digest(size)


def _prime(rng: random.Random, bits: int) -> int:
    small = [p for p in range(3, 2000, 2) if all(p % q for q in range(3, int(p**0.5) + 1, 2))]
    while True:
        candidate = rng.getrandbits(bits) | (3 << (bits - 2)) | 1
        if any(candidate % p == 0 for p in small) or candidate % 65537 == 1 or candidate % 3 == 1:
            continue
        if all(pow(base, candidate - 1, candidate) == 1 for base in (2, 3, 5, 7, 11, 13)):
            return candidate


def rsa_key(name: str, bits: int = 2048, e: int = 65537) -> rsa.RSAPrivateKey:
    rng = random.Random(f"gatehouse differential {name}")
    p, q = _prime(rng, bits // 2), _prime(rng, bits // 2)
    d = pow(e, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(e, p * q)
    return rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), public
    ).private_key(unsafe_skip_rsa_key_validation=True)


class Key:
    def __init__(self, algorithm: str, kid: str | None = None, private=None):
        self.algorithm = algorithm
        self.kid = kid or f"key-{algorithm}"
        self.family, self.bits = (
            ("Ed", "512") if algorithm.startswith("Ed") else (algorithm[:2], algorithm[2:])
        )
        seed = f"{algorithm} {self.kid}"
        if private is not None:
            self.private = private
        elif self.family == "Ed":
            self.private = ed25519.Ed25519PrivateKey.from_private_bytes(bytes_of(seed, 32))
        elif self.family == "ES":
            scalar = int.from_bytes(bytes_of(seed, 30), "big")
            self.private = ec.derive_private_key(scalar, CURVES[self.bits]())
        elif self.family == "HS":
            self.private = bytes_of(seed, int(self.bits) // 8)
        else:
            self.private = rsa_key(seed)

    @property
    def hash(self) -> hashes.HashAlgorithm:
        return HASHES[self.bits]()

    @property
    def scalar_size(self) -> int:
        return {"256": 32, "384": 48, "512": 66}[self.bits]

    def der_signature(self, text: bytes) -> bytes:
        return self.private.sign(text, ec.ECDSA(self.hash, deterministic_signing=True))

    def sign(self, text: bytes, salt: int | None = None) -> bytes:
        if self.family == "HS":
            return hmac.new(self.private, text, f"sha{self.bits}").digest()
        if self.family == "Ed":
            return self.private.sign(text)
        if self.family == "RS":
            return self.private.sign(text, padding.PKCS1v15(), self.hash)
        if self.family == "PS":
            salt = self.hash.digest_size if salt is None else salt
            return self.private.sign(
                text, padding.PSS(mgf=padding.MGF1(self.hash), salt_length=salt), self.hash
            )
        r, s = decode_dss_signature(self.der_signature(text))
        return self.raw(r, s)

    def raw(self, r: int, s: int) -> bytes:
        return r.to_bytes(self.scalar_size, "big") + s.to_bytes(self.scalar_size, "big")

    def jwk(self, **changes) -> dict:
        """The public key; None takes a member out."""
        jwk = {"kid": self.kid, "alg": self.algorithm, "use": "sig", **self._members(), **changes}
        return {name: value for name, value in jwk.items() if value is not None}

    def _members(self) -> dict:
        if self.family == "HS":
            return {"kty": "oct", "k": b64(self.private)}
        if self.family == "Ed":
            raw = self.private.public_key().public_bytes_raw()
            return {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}
        numbers = self.private.public_key().public_numbers()
        if self.family == "ES":
            size = self.scalar_size
            return {
                "kty": "EC",
                "crv": CURVE_NAMES[self.bits],
                "x": number(numbers.x, size),
                "y": number(numbers.y, size),
            }
        return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}

    def public_pem(self) -> bytes:
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def public_der(self) -> bytes:
        return self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
