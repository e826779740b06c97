"""The seeded set of tokens, valid and mutated. A case's name never changes, so that a
line of disagreements.tsv can name it; its `expected` verdict is what the RFCs and
Gatehouse's documented rules say, whatever any program says."""

import json
import random
from dataclasses import dataclass, field

from support.keys import ALGORITHMS, ED25519_L, ORDERS, Key, b64, bytes_of, number, rsa_key

SEED = 20261121
ISSUER, AUDIENCE = "https://issuer.example", "api"
IAT, EXP, NOW, SKEW = 1795216315, 1795217215, 1795216400, 10
FLIPS = 50  # random changes to a token of each algorithm


@dataclass
class Case:
    name: str
    token: str
    keys: dict  # {"jwks": text} or {"secret": base64url}
    algorithms: list[str]
    expected: bool
    now: int = NOW
    verdicts: dict = field(default_factory=dict)


def dump(value) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def claims(**changes) -> dict:
    """Good ones, but for the changes; ... takes a claim out."""
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": IAT, "exp": EXP, **changes}
    return {name: value for name, value in good.items() if value is not ...}


def text_claims(name: str, literal: str) -> str:
    """Claims whose `name` is a literal that json.dumps would never write."""
    return dump(claims(**{name: "@@"})).replace('"@@"', literal)


class Set:
    def __init__(self):
        self.keys = {name: Key(name) for name in ALGORITHMS}
        self.jwks = {"keys": [key.jwk() for key in self.keys.values() if key.family != "HS"]}
        self.cases: list[Case] = []

    # The making of one token.

    def header(self, key: Key, **changes) -> dict:
        header = {"alg": key.algorithm, "kid": key.kid, **changes}
        return {name: value for name, value in header.items() if value is not ...}

    def sign(self, key: Key, header=None, body=None, h=None, p=None, salt=None) -> str:
        """`h` and `p` change the encoded parts before they are signed."""
        head = b64(dump(header if header is not None else self.header(key)).encode())
        payload = b64(_bytes(body if body is not None else claims()))
        text = f"{h(head) if h else head}.{p(payload) if p else payload}"
        return f"{text}.{b64(key.sign(text.encode(), salt))}"

    def add(self, name, key, token, expected, keys=None, algorithms=None, **more):
        if keys is None:
            keys = self.keys_of(key)
        listed = algorithms or [key.algorithm]
        self.cases.append(Case(f"{key.algorithm}/{name}", token, keys, listed, expected, **more))

    def keys_of(self, key: Key) -> dict:
        if key.family == "HS":
            return {"secret": b64(key.private)}
        return {"jwks": dump(self.jwks)}

    def two_keys(self, name: str) -> list[Key]:
        """For what has nothing to do with the signature: two of the algorithms, the same
        ones whatever other cases there are."""
        return [self.keys[algorithm] for algorithm in seeded(name).sample(list(self.keys), 2)]

    def with_header(self, name, expected, **changes):
        self.with_header_text(name, expected, lambda key: self.header(key, **changes))

    def with_header_text(self, name, expected, make):
        """`expected` may depend on the key: a secret has no kid, and is used whatever the
        token's."""
        for key in self.two_keys(f"header {name}"):
            verdict = expected(key) if callable(expected) else expected
            self.add(f"header {name}", key, self.sign(key, make(key)), verdict)

    def with_claims(self, name, expected, body, **more):
        for key in self.two_keys(f"claims {name}"):
            self.add(f"claims {name}", key, self.sign(key, body=body), expected, **more)


def seeded(name: str) -> random.Random:
    return random.Random(f"{SEED} {name}")


def is_secret(key: Key) -> bool:
    return key.family == "HS"


def _bytes(value) -> bytes:
    return value if isinstance(value, bytes) else dump(value).encode()


def _times(s: Set):
    def good(name, **changes):
        s.with_claims(name, True, claims(**changes))

    def bad(name, **changes):
        s.with_claims(name, False, claims(**changes))

    # NOW is inside; the bounds are exp + skew (exclusive), nbf - skew and iat - skew.
    good("exp one second left with skew", exp=NOW - SKEW + 1)
    bad("exp over with skew", exp=NOW - SKEW)
    bad("exp long over", exp=NOW - 3600, iat=NOW - 7200)
    good("exp fraction left with skew", exp=NOW - SKEW + 0.5)
    bad("exp fraction over with skew", exp=NOW - SKEW - 0.5)
    good("exp fractional", exp=EXP + 0.25)
    s.with_claims("exp in exponent form", True, text_claims("exp", "1.795217215e9"))
    bad("exp missing", exp=...)
    bad("exp string", exp=str(EXP))
    bad("exp true", exp=True)
    bad("exp null", exp=None)
    bad("exp array", exp=[EXP])
    bad("exp negative", exp=-1)
    bad("exp zero", exp=0)
    bad("exp above 2^53", exp=2**53 + 2)
    bad("exp of twenty digits", exp=99999999999999999999)
    s.with_claims("exp NaN", False, text_claims("exp", "NaN"))
    s.with_claims("exp Infinity", False, text_claims("exp", "Infinity"))
    s.with_claims("exp 1e999", False, text_claims("exp", "1e999"))
    s.with_claims("exp 1e300", False, text_claims("exp", "1e300"))
    s.with_claims("exp leading zero", False, text_claims("exp", f"0{EXP}"))
    s.with_claims("exp hexadecimal", False, text_claims("exp", hex(EXP)))
    good("nbf passed", nbf=NOW)
    good("nbf at the edge of skew", nbf=NOW + SKEW)
    bad("nbf beyond skew", nbf=NOW + SKEW + 1)
    bad("nbf fraction beyond skew", nbf=NOW + SKEW + 0.5)
    bad("nbf string", nbf=str(NOW))
    bad("nbf false", nbf=False)
    good("iat at the edge of skew", iat=NOW + SKEW)
    bad("iat beyond skew", iat=NOW + SKEW + 1)
    bad("iat far ahead", iat=NOW + 600)
    bad("iat missing", iat=...)
    bad("iat string", iat=str(IAT))
    bad("iat true", iat=True)
    bad("iat negative", iat=-1)
    good("lifetime of a day", exp=IAT + 86400)
    bad("lifetime of a day and a second", exp=IAT + 86401)


def _names(s: Set):
    def both(name, expected, **changes):
        s.with_claims(name, expected, claims(**changes))

    both("aud array", True, aud=["other", AUDIENCE])
    both("aud array of one", True, aud=[AUDIENCE])
    both("aud missing", False, aud=...)
    both("aud null", False, aud=None)
    both("aud other", False, aud="other")
    both("aud other case", False, aud="API")
    both("aud prefix", False, aud="api2")
    both("aud with space", False, aud="api ")
    both("aud two in one string", False, aud="api other")
    both("aud empty string", False, aud="")
    both("aud empty array", False, aud=[])
    both("aud array of others", False, aud=["a", "b"])
    both("aud number", False, aud=7)
    both("aud object", False, aud={"api": True})
    both("aud array with a number", False, aud=[AUDIENCE, 7])
    both("aud nested array", False, aud=[[AUDIENCE]])
    both("iss missing", False, iss=...)
    both("iss null", False, iss=None)
    both("iss empty", False, iss="")
    both("iss other", False, iss="https://other.example")
    both("iss with slash", False, iss=ISSUER + "/")
    both("iss other case", False, iss="https://ISSUER.example")
    both("iss array", False, iss=[ISSUER])
    both("iss number", False, iss=7)
    both("sub missing", False, sub=...)
    both("sub null", False, sub=None)
    both("sub empty", False, sub="")
    both("sub number", False, sub=7)
    both("sub array", False, sub=["ada"])
    both("sub unicode", True, sub="Ada Lovelace \u00e9\u4e2d")
    both("sub of 1024 bytes", True, sub="a" * 1024)
    both("sub of 1025 bytes", False, sub="a" * 1025)
    both("sub with NUL", False, sub="ada\0admin")
    both("sub with line end", False, sub="ada\nadmin")
    both("sub with C1 control", False, sub="ada\u0085")
    both("sid with control", False, sid="s\u001b[2J")
    both("jti with control", False, jti="j\u0000")
    both("roles with control", False, roles=["admin\n"])
    both("sid good", True, sid="s1")
    both("jti good", True, jti="j1")
    both("jti null", True, jti=None)
    both("jti number", False, jti=7)
    both("sid number", False, sid=7)
    both("roles array", True, roles=["admin", "user"])
    both("roles string", True, roles="admin,user")
    both("roles number", False, roles=7)
    both("scope string", True, scope="read write")
    both("cnf", False, cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})
    both("unknown claim", True, favourite={"colour": ["blue", 7, None]})


def _json(s: Set):
    def text(name, expected, make):
        s.with_claims(name, expected, make(dump(claims())))

    text("duplicate sub", False, lambda t: t[:-1] + ',"sub":"eve"}')
    text("duplicate sub first", False, lambda t: '{"sub":"eve",' + t[1:])
    text("duplicate exp", False, lambda t: t[:-1] + f',"exp":{EXP}}}')
    text("duplicate sub escaped", False, lambda t: t[:-1] + ',"s\\u0075b":"eve"}')
    text("duplicate nested", False, lambda t: t[:-1] + ',"x":{"a":1,"a":2}}')
    text("BOM", False, lambda t: "\ufeff" + t)
    text("white space inside", True, lambda t: t.replace(",", " ,\r\n\t"))
    text("white space around", True, lambda t: f" {t}\n")
    text("second value", False, lambda t: t + "{}")
    text("array around", False, lambda t: f"[{t}]")
    text("string", False, lambda t: json.dumps(t))
    text("null", False, lambda t: "null")
    text("trailing comma", False, lambda t: t[:-1] + ",}")
    text("single quotes", False, lambda t: t.replace('"', "'"))
    text("comment", False, lambda t: "/**/" + t)
    text("control in string", False, lambda t: t.replace("ada", "a\tda"))
    text("lone surrogate", False, lambda t: t.replace("ada", "\\ud800"))
    text("surrogate pair", True, lambda t: t.replace("ada", "\\ud83d\\ude00"))
    text("escaped name", True, lambda t: t.replace('"sub"', '"s\\u0075b"'))
    text("cut", False, lambda t: t[:-1])
    for name, depth, expected in (("16", 16, True), ("17", 17, False), ("100", 100, False)):
        # The claims set itself is one level.
        nested = "[" * (depth - 1) + "]" * (depth - 1)
        text(f"nested {name} deep", expected, lambda t, n=nested: t[:-1] + f',"x":{n}}}')
    good = dump(claims()).encode()
    s.with_claims("invalid UTF-8", False, good.replace(b"ada", b"a\xffa"))
    s.with_claims("overlong UTF-8", False, good.replace(b"ada", b"a\xc0\xafa"))
    s.with_claims("UTF-16", False, dump(claims()).encode("utf-16-le"))
    s.with_claims("empty object", False, "{}")


def _headers(s: Set):
    def text(name, expected, make):
        s.with_header_text(name, expected, lambda key: make(dump(s.header(key))))

    for typ in ("JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "application/jwt"):
        s.with_header(f"typ {typ}", True, typ=typ)
    for typ in ("", "JWS", "JOSE", "dpop+jwt", "better-auth.session-cache+jwt", "jwt ", "at+jwt2"):
        s.with_header(f"typ {typ!r}", False, typ=typ)
    s.with_header("typ number", False, typ=7)
    s.with_header("typ null", False, typ=None)
    s.with_header("crit exp", False, crit=["exp"], exp=EXP)
    s.with_header("crit unknown", False, crit=["https://example.com/x"])
    s.with_header("crit unknown and there", False, crit=["x"], x=1)
    s.with_header("crit empty", False, crit=[])
    s.with_header("crit string", False, crit="exp")
    s.with_header("crit null", False, crit=None)
    s.with_header("b64 true", False, b64=True)
    s.with_header("b64 false", False, b64=False)
    s.with_header("b64 true and crit", False, b64=True, crit=["b64"])
    s.with_header("b64 false and crit", False, b64=False, crit=["b64"])
    s.with_header("jku", False, jku="https://evil.example/jwks")
    s.with_header("x5u", False, x5u="https://evil.example/cert")
    s.with_header("x5c", False, x5c=["MIIB"])
    s.with_header("unknown member", True, colour="blue")
    s.with_header("cty JWT", True, cty="JWT")
    s.with_header("alg missing", False, alg=...)
    s.with_header("alg null", False, alg=None)
    s.with_header("alg number", False, alg=256)
    s.with_header("alg array", False, alg=["HS256"])
    s.with_header("alg empty", False, alg="")
    s.with_header("kid unknown", is_secret, kid="nobody")
    s.with_header("kid other case", is_secret, kid="KEY-")
    s.with_header("kid path", is_secret, kid="../../../../dev/null")
    s.with_header("kid SQL", is_secret, kid="x' UNION SELECT 'secret' --")
    s.with_header("kid of 300 bytes", is_secret, kid="k" * 300)
    s.with_header("kid empty", is_secret, kid="")
    s.with_header("kid number", False, kid=7)
    s.with_header("kid null", False, kid=None)
    s.with_header("kid missing", True, kid=...)
    text("duplicate alg", False, lambda t: t[:-1] + ',"alg":"none"}')
    text("duplicate alg escaped", False, lambda t: t[:-1] + ',"\\u0061lg":"none"}')
    text("duplicate kid", False, lambda t: t[:-1] + ',"kid":"nobody"}')
    text("duplicate unknown", False, lambda t: t[:-1] + ',"x":1,"x":2}')
    text("BOM", False, lambda t: "\ufeff" + t)
    text("array", False, lambda t: f"[{t}]")
    text("not JSON", False, lambda t: t[:-1])
    text("second value", False, lambda t: t + t)
    text("white space", True, lambda t: t.replace(",", " , \n"))
    text("escaped alg", True, lambda t: t.replace('"alg"', '"\\u0061lg"'))
    text(
        "nested 17 deep", False, lambda t: t[:-1] + ',"x":' + "[" * 16 + "]" * 16 + "}"
    )


def _form(s: Set):
    def token(name, expected, make, **more):
        for key in s.two_keys(name):
            s.add(name, key, make(s.sign(key)), expected, **more)

    token("form leading space", False, lambda t: " " + t)
    token("form trailing space", False, lambda t: t + " ")
    token("form trailing line end", False, lambda t: t + "\n")
    token("form trailing CRLF", False, lambda t: t + "\r\n")
    token("form trailing NUL", False, lambda t: t + "\0")
    token("form leading tab", False, lambda t: "\t" + t)
    token("form space before dot", False, lambda t: t.replace(".", " .", 1))
    token("form line end in signature", False, lambda t: t[:-8] + "\n" + t[-8:])
    token("form space in signature", False, lambda t: t[:-8] + " " + t[-8:])
    token("form Bearer before", False, lambda t: "Bearer " + t)
    token("form quoted", False, lambda t: f'"{t}"')
    token("form percent encoded dot", False, lambda t: t.replace(".", "%2E"))
    token("form non-ASCII letter", False, lambda t: t[:-3] + "\u00e9" + t[-2:])
    token("form full-width dot", False, lambda t: t.replace(".", "\uff0e", 1))
    token("form two segments", False, lambda t: t.rsplit(".", 1)[0])
    token("form one segment", False, lambda t: t.split(".")[0])
    token("form no signature", False, lambda t: t.rsplit(".", 1)[0] + ".")
    token("form no payload", False, lambda t: "..".join(t.split(".")[::2]))
    token("form no header", False, lambda t: "." + t.split(".", 1)[1])
    token("form four segments", False, lambda t: t + ".AA")
    token("form five segments", False, lambda t: t + ".AA.AA")
    token("form trailing dot", False, lambda t: t + ".")
    token("form leading dot", False, lambda t: "." + t)
    token("form empty", False, lambda t: "")
    token("form dots", False, lambda t: "..")
    token("form JSON serialization", False, _json_serialization)
    token("form header and payload exchanged", False, _exchange)
    for key in s.two_keys("form JWE"):
        encrypted = {"alg": "dir", "enc": "A256GCM"}
        jwe = ".".join([b64(dump(encrypted).encode()), "", b64(b"\0" * 12), "AAAA", b64(b"\1" * 16)])
        s.add("form JWE", key, jwe, False)
    for name, index in (("header", 0), ("payload", 1)):
        for how, make in ENCODINGS.items():
            for key in s.two_keys(f"base64 {name} {how}"):
                # Signed as it stands: nothing is wrong but the encoding.
                s.add(f"base64 {name} {how}", key, _encoded(s, key, index, make), False)
    for how, make in ENCODINGS.items():
        token(f"base64 signature {how}", False,
              lambda t, m=make: t.rsplit(".", 1)[0] + "." + m(t.rsplit(".", 1)[1]))
    for size in (8191, 8192, 8193, 12000, 40000):
        for key in s.two_keys(f"form {size} bytes"):
            s.add(f"form {size} bytes", key, _long(s, key, size), size <= 8192)


def _json_serialization(token: str) -> str:
    header, payload, signature = token.split(".")
    return dump({"protected": header, "payload": payload, "signature": signature})


def _exchange(token: str) -> str:
    header, payload, signature = token.split(".")
    return f"{payload}.{header}.{signature}"


def _unused_bits(text: str) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) | 1]


# What lax decoders take for the same bytes.
ENCODINGS = {
    "padded": lambda t: t + "=" * (-len(t) % 4 or 4),
    "one = too many": lambda t: t + "=",
    "4n+1": lambda t: t + "A" * ((1 - len(t)) % 4),
    "unused bits": _unused_bits,
    "line end": lambda t: t[:4] + "\n" + t[4:],
    "space": lambda t: t[:4] + " " + t[4:],
    "standard alphabet": lambda t: t.replace("-", "+").replace("_", "/"),
    "star": lambda t: t + "*",
}


def _encoded(s: Set, key: Key, index: int, make) -> str:
    """A token whose part `index` is encoded otherwise, with text whose length lets that
    show: unused bits, and the characters that the two alphabets have apart."""
    odd = "\u00ff\u00fe?>~" * 4
    header, body = s.header(key), claims()
    for pad in range(3):
        if index == 0:
            header["cty"] = odd + "." * pad
        else:
            body["x"] = odd + "." * pad
        part = header if index == 0 else body
        text = b64(json.dumps(part, ensure_ascii=False, separators=(",", ":")).encode())
        if len(text) % 4 == 2:
            break
    assert "-" in text and "_" in text and len(text) % 4 == 2
    header_text = json.dumps(header, ensure_ascii=False, separators=(",", ":"))
    body_text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    change = {"h": make} if index == 0 else {"p": make}
    return s.sign(key, header_text, body_text, **change)


def _long(s: Set, key: Key, size: int) -> str:
    count = (size - len(s.sign(key))) * 3 // 4 - 40
    while True:
        for extra in range(4):
            # Some lengths no payload gives; the header's then.
            token = s.sign(key, s.header(key, cty="." * extra), claims(x="x" * count))
            if len(token) == size:
                return token
        count += 1
        assert len(token) < size + 16, "no token of this length"


def _algorithms(s: Set):
    names = ["none", "None", "NONE", "nOnE", "NoNe", "none ", "nonE"]
    for name in names:
        for key in s.two_keys(f"alg {name!r}"):
            header, body = dump({"alg": name, "kid": key.kid}), dump(claims())
            text = f"{b64(header.encode())}.{b64(body.encode())}"
            s.add(f"alg {name!r} unsigned", key, text + ".", False)
            s.add(f"alg {name!r} signed", key, s.sign(key, header), False)
            s.add(f"alg {name!r} listed", key, text + ".", False,
                  algorithms=[key.algorithm, "none"])
    others = list(s.keys)
    for key in s.keys.values():
        good = s.sign(key)
        s.add("alg not listed", key, good, False,
              algorithms=["RS256" if key.family != "RS" else "ES256"])
        for odd in (key.algorithm.lower(), key.algorithm + " ", "RSA1_5", "ES256K", "Ed448", "dir"):
            if odd == key.algorithm:
                continue
            s.add(f"alg {odd!r}", key, s.sign(key, s.header(key, alg=odd)), False,
                  algorithms=[key.algorithm])
        # Signed by this key, named as another's algorithm, all of them listed.
        for other in seeded(f"alg {key.algorithm}").sample([o for o in others if o != key.algorithm], 4):
            if {other, key.algorithm} == {"EdDSA", "Ed25519"}:
                continue
            s.add(f"alg says {other}", key, s.sign(key, s.header(key, alg=other)), False,
                  algorithms=[a for a in others if s.keys[a].family != "HS"]
                  if key.family != "HS" else [a for a in others if s.keys[a].family == "HS"])
        if key.family == "HS":
            continue
        # HMAC over what everybody knows: the public key in each of its shapes.
        bits = "256"
        public = {
            "PEM": key.public_pem(),
            "PEM without line end": key.public_pem().rstrip(),
            "DER": key.public_der(),
            "JWK": dump(key.jwk()).encode(),
            "JWKS": dump(s.jwks).encode(),
            "nothing": b"",
        }
        for shape, secret in public.items():
            forger = Key(f"HS{bits}", kid=key.kid, private=secret)
            token = s.sign(forger)
            s.add(f"HS{bits} keyed with {shape}", key, token, False)
            s.add(f"HS{bits} keyed with {shape} listed", key, token, False,
                  algorithms=[key.algorithm, f"HS{bits}"])
    for bits in ("256", "384", "512"):
        key = s.keys[f"HS{bits}"]
        s.add("oct key in the JWK Set", key, s.sign(key), False,
              keys={"jwks": dump({"keys": [key.jwk()]})})
        short = Key(f"HS{bits}", private=bytes_of("short", int(bits) // 8 - 1))
        s.add("secret one byte short", key, s.sign(short), False,
              keys={"secret": b64(short.private)})
        weak = Key(f"HS{bits}", private=b"a" * 64)
        s.add("secret of one letter", key, s.sign(weak), False, keys={"secret": b64(weak.private)})


def _signatures(s: Set):
    for key in s.keys.values():
        text = s.sign(key).rsplit(".", 1)[0]
        good = key.sign(text.encode())

        def add(name, signature, expected=False):
            s.add(f"signature {name}", key, f"{text}.{b64(signature)}", expected)

        add("valid", good, True)
        add("one byte shorter", good[:-1])
        add("first byte missing", good[1:])
        add("one byte longer", good + b"\0")
        add("zero byte before", b"\0" + good)
        add("all zero", b"\0" * len(good))
        add("all ones", b"\xff" * len(good))
        add("one byte", b"\0")
        add("twice", good + good)
        add("half", good[: len(good) // 2])
        stranger = Key(key.algorithm, kid="stranger")
        s.add("signature of another key", key,
              f"{text}.{b64(stranger.sign(text.encode()))}", False)
        other = s.sign(key, body=claims(sub="eve"))
        s.add("signature of another token", key, f"{text}.{other.rsplit('.', 1)[1]}", False)
        if key.family == "ES":
            _ecdsa(s, key, text, good, add)
        elif key.family == "Ed":
            scalar = int.from_bytes(good[32:], "little")
            add("S + L", good[:32] + (scalar + ED25519_L).to_bytes(32, "little"))
            add("S high bits", good[:63] + bytes([good[63] | 0xE0]))
            identity = b"\1" + b"\0" * 31
            add("R identity and S zero", identity + b"\0" * 32)
        elif key.family == "PS":
            size = key.hash.digest_size
            for salt in (0, 20, size - 1, size + 1, 256 - size - 2):
                add(f"salt of {salt} bytes", key.sign(text.encode(), salt))
        if key.family in ("PS", "RS"):
            _rsa(s, key, text, good, add)


def _ecdsa(s: Set, key: Key, text: str, good: bytes, add):
    n, size = ORDERS[key.bits], key.scalar_size
    r, rest = int.from_bytes(good[:size], "big"), int.from_bytes(good[size:], "big")
    add("(r, n - s)", key.raw(r, n - rest), True)
    for name, first, second in (
        ("r zero", 0, rest), ("s zero", r, 0), ("both zero", 0, 0), ("r is n", n, rest),
        ("s is n", r, n), ("both n", n, n), ("r and s one", 1, 1), ("(n - r, s)", n - r, rest),
        ("(s, r)", rest, r), ("r is n - 1", n - 1, rest),
    ):
        add(name, key.raw(first, second))
    add("DER", key.der_signature(text.encode()))
    wide = size + 1
    add("each half one byte wider", r.to_bytes(wide, "big") + rest.to_bytes(wide, "big"))


def _rsa(s: Set, key: Key, text: str, good: bytes, add):
    n = key.private.public_key().public_numbers().n
    number_ = int.from_bytes(good, "big")
    if number_ + n < 1 << 2048:
        add("plus n", (number_ + n).to_bytes(256, "big"))
    add("n minus it", (n - number_).to_bytes(256, "big"))
    add("one", (1).to_bytes(256, "big"))
    add("n minus one", (n - 1).to_bytes(256, "big"))
    other = "PS" if key.family == "RS" else "RS"
    padded_otherwise = Key(other + key.bits, private=key.private)
    add(f"padded as {other}{key.bits}", padded_otherwise.sign(text.encode()))
    for bits in {"256", "384", "512"} - {key.bits}:
        other_hash = Key(key.family + bits, private=key.private)
        add(f"hashed as {key.family}{bits}", other_hash.sign(text.encode()))


def _key_sets(s: Set):
    def add(name, key, expected, *jwks, token=None):
        keys = {"jwks": dump({"keys": list(jwks)})}
        s.add(f"key {name}", key, token or s.sign(key), expected, keys=keys)

    for key in [k for k in s.keys.values() if k.family != "HS"]:
        jwk = key.jwk()
        stranger = Key(key.algorithm, kid="stranger")
        other = stranger.jwk(alg=jwk["alg"])
        add("alone", key, True, jwk)
        add("without alg and use", key, True, {k: v for k, v in jwk.items() if k not in ("alg", "use")})
        add("with unknown members", key, True, {**jwk, "colour": "blue", "exp": 1})
        add("beside odd ones", key, True, {"kty": "LATTICE", "kid": "odd"}, jwk)
        add("missing", key, False, other)
        add("use enc", key, False, {**jwk, "use": "enc"})
        add("key_ops sign", key, False, {k: v for k, v in jwk.items() if k != "use"} | {"key_ops": ["sign"]})
        add("key_ops verify", key, True, {k: v for k, v in jwk.items() if k != "use"} | {"key_ops": ["verify"]})
        add("alg of another family", key, False, {**jwk, "alg": "HS256"})
        add("two of one kid", key, False, {**other, "kid": key.kid}, jwk)
        add("kid of a stranger's", key, False, {**other, "kid": key.kid})
        add("token brings its own", key, False, jwk,
            token=s.sign(stranger, s.header(key, jwk=stranger.jwk())))
        add("token brings the right one", key, False, jwk,
            token=s.sign(key, s.header(key, jwk=key.jwk())))
    for key in [k for k in s.keys.values() if k.family == "ES"]:
        x = key.jwk()["x"]
        add("off the curve", key, False, key.jwk(y=x))
        add("at infinity", key, False, key.jwk(x=number(0, key.scalar_size), y=number(0, key.scalar_size)))
        add("of another curve's name", key, False, key.jwk(crv={"P-256": "P-384"}.get(key.jwk()["crv"], "P-256")))
        add("coordinate one byte short", key, False, key.jwk(x=x[:-4] + "AA"[: len(x) % 4]))
    for name in ("EdDSA", "Ed25519"):
        key = s.keys[name]
        forged = f"{s.sign(key).rsplit('.', 1)[0]}.{b64(bytes([1]) + bytes(63))}"
        # RFC 9864: two names of one algorithm.
        add("of the other name", key, True, key.jwk(alg="EdDSA" if name == "Ed25519" else "Ed25519"))
        add("identity point", key, False, key.jwk(x=b64(bytes([1]) + bytes(31))), token=forged)
        add("x one byte short", key, False, key.jwk(x=key.jwk()["x"][:-2]))
        add("named X25519", key, False, key.jwk(crv="X25519"))
    for family in ("RS", "PS"):
        for bits in ("256", "384", "512"):
            weak = Key(family + bits, private=rsa_key("weak", 1024)) if family + bits != "PS512" else None
            if weak is not None:
                add("of 1024 bits", weak, False, weak.jwk())
            three = Key(family + bits, private=rsa_key("three", 2048, e=3))
            add("with exponent 3", three, False, three.jwk())
            key = s.keys[family + bits]
            one = f"{s.sign(key).rsplit('.', 1)[0]}"
            add("with exponent 1", key, False, key.jwk(e="AQ"), token=f"{one}.{b64(bytes(256))}")


def _valid(s: Set):
    for key in s.keys.values():
        rng = seeded(f"valid {key.algorithm}")
        for i in range(6):
            body = claims(
                sub=f"user-{rng.randrange(10**9)}", jti=f"{rng.randrange(10**12):x}",
                roles=rng.sample(["admin", "user", "support", "audit"], rng.randrange(4)),
                exp=EXP + rng.randrange(3600),
            )
            order = list(body.items())
            rng.shuffle(order)
            s.add(f"valid {i + 1}", key, s.sign(key, body=dict(order)), True)


def _flips(s: Set):
    """Single changes anywhere. None of them leaves a good token: every character of a
    token is signed, or is the signature in its one encoding."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for key in s.keys.values():
        rng = seeded(f"flips {key.algorithm}")
        good = s.sign(key, body=claims(jti=key.algorithm))
        for i in range(FLIPS):
            token = list(good)
            part = i % 3
            lengths = [len(p) for p in good.split(".")]
            start = sum(lengths[:part]) + part
            at = start + rng.randrange(lengths[part])
            what = ("changed", "removed", "doubled", "exchanged")[rng.randrange(4)]
            if what == "exchanged" and (at + 1 >= start + lengths[part] or token[at] == token[at + 1]):
                what = "changed"
            if what == "changed":
                token[at] = rng.choice([c for c in alphabet if c != token[at]])
            elif what == "removed":
                del token[at]
            elif what == "doubled":
                token.insert(at, token[at])
            else:
                token[at], token[at + 1] = token[at + 1], token[at]
            where = ("header", "payload", "signature")[part]
            s.add(f"flip {i + 1} {where} character {what}", key, "".join(token), False)


def generate() -> list[Case]:
    s = Set()
    for part in (_times, _names, _json, _headers, _form, _algorithms, _signatures, _key_sets,
                 _valid, _flips):
        part(s)
    names = [case.name for case in s.cases]
    assert len(names) == len(set(names)), "two cases have one name"
    return s.cases
