"""What PyJWT and joserfc say of a token, used as their documentation tells one to, with
the rules of Gatehouse's that they have a setting for."""

import base64
import datetime
import json
from functools import cache

import jwt as pyjwt
import jwt.api_jwt
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet, OctKey
from joserfc.jwt import JWTClaimsRegistry

from support.cases import AUDIENCE, ISSUER, SKEW, Case

REQUIRED = ["exp", "iat", "iss", "aud", "sub"]


def _secret(keys: dict) -> bytes:
    return base64.urlsafe_b64decode(keys["secret"] + "=" * (-len(keys["secret"]) % 4))


class _FixedDatetime(datetime.datetime):
    current = 0

    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromtimestamp(cls.current, tz)


@cache
def _pyjwt_set(jwks: str) -> pyjwt.PyJWKSet:
    return pyjwt.PyJWKSet.from_dict(json.loads(jwks))


def _pyjwt_keys(case: Case) -> list:
    if "secret" in case.keys:
        return [_secret(case.keys)]
    header = pyjwt.get_unverified_header(case.token)
    # As PyJWKClient chooses them.
    keys = [key for key in _pyjwt_set(case.keys["jwks"]).keys if key.public_key_use in ("sig", None)]
    if "kid" in header:
        return [key for key in keys if key.key_id == header["kid"]][:1]
    return [key for key in keys if key.algorithm_name == header.get("alg")]


def _pyjwt(case: Case):
    _FixedDatetime.current = case.now
    last = KeyError("no key")
    for key in _pyjwt_keys(case):
        try:
            pyjwt.decode(
                case.token, key, algorithms=case.algorithms, audience=[AUDIENCE], issuer=ISSUER,
                leeway=SKEW,
                options={"require": REQUIRED, "enforce_minimum_key_length": True},
            )
            return
        except Exception as error:  # noqa: BLE001
            last = error
    raise last


@cache
def _joserfc_set(jwks: str) -> KeySet:
    return KeySet.import_key_set(json.loads(jwks))


def _joserfc(case: Case):
    key = OctKey.import_key(_secret(case.keys)) if "secret" in case.keys else _joserfc_set(
        case.keys["jwks"]
    )
    token = joserfc_jwt.decode(case.token, key, algorithms=case.algorithms)
    JWTClaimsRegistry(
        now=case.now, leeway=SKEW,
        iss={"essential": True, "value": ISSUER}, aud={"essential": True, "value": AUDIENCE},
        sub={"essential": True}, exp={"essential": True}, iat={"essential": True},
    ).validate(token.claims)


def _verdict(verify, case: Case) -> tuple[bool, str]:
    try:
        verify(case)
        return True, ""
    except RecursionError:
        raise
    except Exception as error:  # noqa: BLE001: whatever a library raises is a refusal
        return False, f"{type(error).__name__}: {error}"


def verdicts(cases: list[Case]):
    jwt.api_jwt.datetime = _FixedDatetime
    for case in cases:
        case.verdicts["pyjwt"] = _verdict(_pyjwt, case)
        case.verdicts["joserfc"] = _verdict(_joserfc, case)
