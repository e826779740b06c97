"""Issuers of the tests' own: keys, tokens, key sets, and an HTTP server for them."""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from support import leaks

URL = "https://issuer.test"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """Mints tokens with one key."""

    def __init__(self, algorithm: str, issuer: str = URL, kid: str | None = None):
        self.algorithm = algorithm
        self.issuer = issuer
        self.kid = None if algorithm == "HS256" else kid or secrets.token_hex(8)
        if algorithm == "HS256":
            self.key = leaks.remember(secrets.token_urlsafe(48))
            return
        self.key = {
            "EdDSA": ed25519.Ed25519PrivateKey.generate,
            "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
        }[algorithm]()
        leaks.remember_pem(
            self.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ).decode()
        )

    def public_pem(self) -> bytes:
        return self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def jwks(self, *others: "Issuer") -> dict:
        return {"keys": [issuer.jwk() for issuer in (self, *others)]}

    def jwk(self) -> dict:
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        jwk = algorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {**jwk, "kid": self.kid, "alg": self.algorithm}

    def claims(self, **changes) -> dict:
        """Good ones, but for the changes; None takes a claim out."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": self.issuer,
            "sub": "ada",
            "iat": now,
            "exp": now + 600,
        }
        claims.update(changes)
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, **changes) -> str:
        headers = {"kid": self.kid} if self.kid else None
        token = jwt.encode(self.claims(**changes), self.key, self.algorithm, headers=headers)
        return leaks.remember_token(token)

    def config(self, keys: dict, **fields) -> dict:
        return {
            "issuer": self.issuer,
            "audiences": [self.issuer],
            "algorithms": [self.algorithm],
            "keys": keys,
            **fields,
        }

    def config_with_file(self, folder: Path, **fields) -> dict:
        """The issuer's section with its keys in a file of the folder."""
        name = secrets.token_hex(4)
        if self.algorithm == "HS256":
            (folder / f"{name}.secret").write_text(self.key + "\n")
            return self.config({"secret_file": str(folder / f"{name}.secret")}, **fields)
        (folder / f"{name}.json").write_text(json.dumps(self.jwks()))
        return self.config({"jwks_file": str(folder / f"{name}.json")}, **fields)


def forge(header: dict, claims: dict, hmac_key: bytes | None = None) -> str:
    """What no honest library makes. Without a key the signature is empty."""
    signed = b64(json.dumps(header).encode()) + "." + b64(json.dumps(claims).encode())
    mac = hmac.new(hmac_key, signed.encode(), hashlib.sha256).digest() if hmac_key else b""
    return leaks.remember_token(f"{signed}.{b64(mac)}")


class JwksServer:
    """An HTTP server with `answer()` at /jwks. The port is taken when this is made;
    connections are refused until `appear` and after `vanish`."""

    def __init__(self, answer):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                status, body = answer() if self.path == "/jwks" else (404, b"")
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Listener(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # who asked has gone

        self._http = Listener(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self._http.server_bind()
        self._thread: threading.Thread | None = None
        self.url = f"http://127.0.0.1:{self._http.server_port}/jwks"

    def appear(self):
        self._http.server_activate()
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()
        return self

    def vanish(self):
        if self._thread is not None:
            self._http.shutdown()
            self._thread.join()
            self._thread = None
        self._http.server_close()
