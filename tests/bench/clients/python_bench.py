"""What the Python client costs: a remembered check, a FastAPI endpoint beside one that verifies
the token itself, and 10,000 first questions at once.

Needs two CPUs: uvicorn gets one, wrk the other. The rounds of all endpoints are interleaved.
"""

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
import timeit
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "client/python/src"), str(ROOT / "client/python/tests")]

import gatehouse  # noqa: E402
import gatehouse.sync  # noqa: E402
from support.stand import Stand  # noqa: E402
from support.waiting import wait_until  # noqa: E402

REACH_NS, REACH_RATIO = 5_000, 1.5
CONNECTIONS = 32
# What is measured, and with which token.
PATHS = {
    "no check": ("/plain/1", "rs256"),
    "Gatehouse, RS256 token": ("/gatehouse/1", "rs256"),
    "PyJWT RS256": ("/pyjwt-rs256/1", "rs256"),
    "Gatehouse, EdDSA token": ("/gatehouse/1", "eddsa"),
    "PyJWT EdDSA": ("/pyjwt-eddsa/1", "eddsa"),
}


def settings(stand) -> gatehouse.Settings:
    return gatehouse.Settings(stand.facts["grpc"], token_file=stand.caller(), deadline=30.0)


def remembered_check(stand, count: int) -> dict:
    """Nanoseconds of `await authz.authorize(...)`, and of the synchronous one: the best of five."""
    token = stand.token()

    async def aio() -> float:
        async with gatehouse.Gatehouse(settings(stand)) as authz:
            while not authz.figures().live:
                await asyncio.sleep(0.01)
            took = []
            for _ in range(5):
                await asyncio.sleep(0.05)  # the stream is read
                await authz.authorize(token, "note/1", "read", owner="ada")
                began = time.perf_counter()
                for _ in range(count):
                    await authz.authorize(token, "note/1", "read", owner="ada")
                took.append(time.perf_counter() - began)
            assert authz.figures().hits >= 5 * count
            return min(took) / count * 1e9

    def threads() -> float:
        with gatehouse.sync.Gatehouse(settings(stand)) as authz:
            wait_until(lambda: authz.figures().live, "a live stream")
            ask = lambda: authz.authorize(token, "note/1", "read", owner="ada")  # noqa: E731
            ask()
            took = min(timeit.repeat(ask, number=count, repeat=5))
            assert authz.figures().hits >= 5 * count
            return took / count * 1e9

    return {"aio_ns": round(asyncio.run(aio())), "sync_ns": round(threads())}


def at_once(stand, count: int = 10_000, distinct: int = 100) -> dict:
    token = stand.token()

    async def run():
        async with gatehouse.Gatehouse(settings(stand)) as authz:
            while not authz.figures().live:
                await asyncio.sleep(0.01)
            began = time.perf_counter()
            answers = await asyncio.gather(*(
                authz.authorize(token, f"note/{n % distinct}", "read", owner="ada")
                for n in range(count)
            ))  # fmt: skip
            assert all(answers)
            return time.perf_counter() - began

    before = stand.rpcs()
    took = asyncio.run(run())
    return {"questions": count, "distinct": distinct, "rpcs": int(stand.rpcs() - before),
            "seconds": round(took, 3)}  # fmt: skip


class Uvicorn:
    def __init__(self, stand):
        env = {
            **os.environ, "GATEHOUSE_TARGET": stand.facts["grpc"],
            "GATEHOUSE_TOKEN_FILE": stand.caller(), "GATEHOUSE_DEADLINE": "5s",
            "PYTHONPATH": str(ROOT / "client/python/src"),
            "BENCH_KEYS": json.dumps(stand.facts["keys"]),
        }  # fmt: skip
        args = ["taskset", "-c", "0", sys.executable, "-m", "uvicorn", "python_app:app", "--port",
                "0", "--no-access-log", "--loop", "uvloop", "--http", "httptools"]  # fmt: skip
        self.process = subprocess.Popen(
            args, cwd=Path(__file__).parent, env=env, stderr=subprocess.PIPE, text=True
        )
        self._log = []
        threading.Thread(target=lambda: self._log.extend(self.process.stderr), daemon=True).start()
        self.url = wait_until(self._url, "uvicorn to listen")[1]

    def _url(self):
        assert self.process.poll() is None, "".join(self._log)
        return re.search(r"running on (http://127.0.0.1:\d+)", "".join(self._log))

    def figures(self) -> dict:
        with urllib.request.urlopen(self.url + "/figures", timeout=10) as reply:
            return json.loads(reply.read())


def wrk(url: str, token: str, seconds: float) -> dict:
    done = subprocess.run(
        ["taskset", "-c", "1", "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s",
         "-s", str(ROOT / "tests/bench/wrk_report.lua"), "--latency", "-H",
         f"Authorization: Bearer {token}", url], capture_output=True, text=True, check=True,
    )  # fmt: skip
    made = json.loads(done.stdout.strip().splitlines()[-1])
    assert made["failed"] == 0 and made["requests"] > 0, made
    return made


def endpoints(stand, rounds: int, seconds: float) -> dict:
    recipes = {"rs256": "https://rsa.test", "eddsa": "https://issuer.test"}
    claims = {"sub": "ada", "jti": "bench", "email": "ada@example.com", "sid": "bench"}
    tokens = {
        name: stand.do("token", recipe={"issuer": issuer, "claims": claims})["token"]
        for name, issuer in recipes.items()
    }
    server = Uvicorn(stand)
    try:
        wait_until(lambda: server.figures()["live"], "a live stream")
        rates: dict[str, list[float]] = {name: [] for name in PATHS}
        for number in range(rounds + 1):
            for name, (path, token) in PATHS.items():
                made = wrk(server.url + path, tokens[token], 1 if number == 0 else seconds)
                if number:  # the first warms up
                    rates[name].append(made["requests"] / made["seconds"])
        figures = server.figures()
    finally:
        server.process.terminate()
        server.process.wait(30)
    assert figures["hits"] > 100 * figures["misses"], figures

    def ratio(ours: str, theirs: str) -> float:
        return round(statistics.median(a / b for a, b in zip(rates[ours], rates[theirs])), 2)

    return {
        "requests_per_second": {name: round(statistics.median(all_)) for name, all_ in rates.items()},
        "ratio_rs256": ratio("Gatehouse, RS256 token", "PyJWT RS256"),
        "ratio_eddsa": ratio("Gatehouse, EdDSA token", "PyJWT EdDSA"),
        "hits": figures["hits"], "misses": figures["misses"],
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--quick", action="store_true", help="one short round: only to see it work")
    parser.add_argument("--json", metavar="FILE", help="where the figures go")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 1
    stand = Stand()
    try:
        check = remembered_check(stand, 20_000 if options.quick else 100_000)
        together = at_once(stand)
        served = endpoints(stand, options.rounds, options.seconds)
    finally:
        stand.end()

    print("The Python client")
    print(f"  a remembered check    asyncio {check['aio_ns']:,} ns, threads {check['sync_ns']:,} ns"
          f"    (reach: under {REACH_NS:,})")
    print("  a FastAPI endpoint, requests/s of one uvicorn (uvloop, httptools)")
    for name, rate in served["requests_per_second"].items():
        print(f"    {name:<24} {rate:>8,}")
    print(f"  Gatehouse : PyJWT     RS256 {served['ratio_rs256']}, EdDSA {served['ratio_eddsa']}"
          f"    (reach: {REACH_RATIO})")
    print(f"  first questions       {together['questions']:,} at once, {together['distinct']} distinct: "
          f"{together['rpcs']} RPCs in {together['seconds']} s    (reach: one each)")
    result = {"remembered_check": check, "first_questions": together, "fastapi": served}
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=2) + "\n")
    reached = (
        max(check.values()) < REACH_NS
        and min(served["ratio_rs256"], served["ratio_eddsa"]) >= REACH_RATIO
        and together["rpcs"] <= together["distinct"]
    )
    print("  " + ("all reached" if reached else "NOT ALL REACHED"))
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
