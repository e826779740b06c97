"""The application that python_bench.py measures: one endpoint, guarded in different ways."""

import json
import os
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException, Request
from gatehouse.fastapi import Gatehouse, Principal

KEYS = json.loads(os.environ["BENCH_KEYS"])
ISSUERS = {"rs256": "https://rsa.test", "eddsa": "https://issuer.test"}
OWNER = "ada"

authz = Gatehouse.from_env()
app = FastAPI(lifespan=authz.lifespan)
User = Annotated[Principal, Depends(authz.user())]


@app.get("/plain/{id}")
async def plain(id: str):
    return {"id": id, "owner": OWNER}


@app.get("/gatehouse/{id}")
async def gatehouse(id: str, user: User):
    await authz.require(user, "note", "read", owner=OWNER)
    return {"id": id, "owner": OWNER}


@app.get("/figures")
async def figures():
    made = authz.figures()
    return {"hits": made.hits, "misses": made.misses, "live": made.live}


def in_place(algorithm: str, name: str):
    """What an application does without Gatehouse: PyJWT, and its own `if`."""
    key = jwt.get_algorithm_by_name(algorithm).prepare_key(KEYS[ISSUERS[name]])
    issuer = ISSUERS[name]

    async def claims(request: Request) -> dict:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise HTTPException(401)
        try:
            return jwt.decode(
                token, key, [algorithm], audience=issuer, issuer=issuer,
                options={"require": ["exp", "iat", "sub"]},
            )  # fmt: skip
        except jwt.InvalidTokenError:
            raise HTTPException(401) from None

    return claims


def guard(algorithm: str, name: str):
    @app.get(f"/pyjwt-{name}/{{id}}")
    async def endpoint(id: str, claims: Annotated[dict, Depends(in_place(algorithm, name))]):
        if claims["sub"] != OWNER:
            raise HTTPException(403)
        return {"id": id, "owner": OWNER}


guard("RS256", "rs256")
guard("EdDSA", "eddsa")
