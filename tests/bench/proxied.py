"""What asking Gatehouse costs through a real Envoy, beside what else it can do with tokens."""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import time
import urllib.error
import urllib.request

import many_routes
import report
import servers

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENVOY = ROOT / ".cache/venv/bin/envoy"
TOKENS = {"EdDSA": "eddsa-one", "RS256": "rs256-one"}
CONNECTIONS = 32
PLAIN, JWT, CACHED, YES, GATEHOUSE = (
    "plain", "Envoy's JWT filter", "the same, with its cache", "ext_authz, always yes",
    "ext_authz, Gatehouse")
CASES = (PLAIN, JWT, CACHED, YES, GATEHOUSE)
LETS_ANYBODY_PASS = (PLAIN, YES)
CLUSTERS = {YES: "yes", GATEHOUSE: "gatehouse"}
TYPE = "type.googleapis.com/envoy.extensions"

# A browser's, beside those that wrk sends.
HEADERS = {
    "Host": "api.example.com",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
                  "Chrome/142.0.0.0 Safari/537.36",
    "Accept": "application/json, text/plain, */*",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-GB,en;q=0.9,de;q=0.8",
    "Cache-Control": "no-cache",
    "Referer": "https://app.example.com/documents",
    "Sec-Ch-Ua": '"Chromium";v="142", "Not_A Brand";v="99"',
    "Sec-Ch-Ua-Mobile": "?0",
    "Sec-Ch-Ua-Platform": '"Linux"',
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "same-site",
}


def _address(host, port):
    return {"socket_address": {"address": host, "port_value": port}}


def _jwt_filter(jwks, cached):
    provider = {
        "issuer": servers.ISSUER, "audiences": [servers.ISSUER],
        "local_jwks": {"inline_string": jwks},
        "claim_to_headers": [{"header_name": "x-auth-subject", "claim_name": "sub"}],
    }
    if cached:
        provider["jwt_cache_config"] = {"jwt_cache_size": 1000}
    return {"name": "jwt", "typed_config": {
        "@type": f"{TYPE}.filters.http.jwt_authn.v3.JwtAuthentication",
        "providers": {"issuer": provider},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "issuer"}}]}}


def _ext_authz(cluster):
    # So long a timeout that other work on the machine does not make a denial.
    return {"name": "ext_authz", "typed_config": {
        "@type": f"{TYPE}.filters.http.ext_authz.v3.ExtAuthz",
        "transport_api_version": "V3",
        "grpc_service": {"envoy_grpc": {"cluster_name": cluster}, "timeout": "5s"},
        "failure_mode_allow": False, "status_on_error": {"code": "ServiceUnavailable"}}}


def _listener(case, http_filter):
    """Answers by itself whatever its filters let pass: no service behind is measured."""
    manager = {
        "@type": f"{TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench", "normalize_path": True, "merge_slashes": True,
        "route_config": {"virtual_hosts": [{
            "name": "all", "domains": ["*"],
            "routes": [{"match": {"prefix": "/"},
                        "direct_response": {"status": 200, "body": {"inline_string": "ok"}}}]}]},
        "http_filters": ([http_filter] if http_filter else []) + [
            {"name": "router",
             "typed_config": {"@type": f"{TYPE}.filters.http.router.v3.Router"}}],
    }
    return {"name": case, "address": _address("127.0.0.1", 0),
            "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}]}


def _cluster(name, target):
    host, _, port = target.rpartition(":")
    return {
        "name": name, "type": "STATIC", "connect_timeout": "5s",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{TYPE}.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}}}},
        "load_assignment": {"cluster_name": name, "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": _address(host, int(port))}}]}]}}


def configuration(jwks, targets):
    """targets: case -> HOST:PORT of its ext_authz server."""
    filters = {PLAIN: None, JWT: _jwt_filter(jwks, False), CACHED: _jwt_filter(jwks, True),
               **{case: _ext_authz(cluster) for case, cluster in CLUSTERS.items()}}
    return {
        "admin": {"address": _address("127.0.0.1", 0)},
        "static_resources": {
            "listeners": [_listener(case, filters[case]) for case in CASES],
            "clusters": [_cluster(CLUSTERS[case], targets[case]) for case in CLUSTERS]}}


class Envoy:
    """One worker thread, a listener for each of CASES; on the servers' CPU."""

    def __init__(self, bench, config):
        if not ENVOY.exists():
            raise servers.BenchError(f"{ENVOY} is missing: run scripts/setup-tests")
        file = bench.work_dir / "envoy.json"
        file.write_text(json.dumps(config))
        admin = bench.work_dir / "envoy.admin"
        self._log = open(bench.work_dir / "envoy.log", "w+", encoding="utf-8")
        self.command = [*bench.pin_server(), str(ENVOY), "--config-path", str(file),
                        "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning",
                        "--admin-address-path", str(admin)]
        self._process = subprocess.Popen(self.command, stdout=self._log, stderr=self._log)
        self._admin = None
        try:
            self._wait_until(lambda: admin.exists() and admin.read_text().strip())
            self._admin = admin.read_text().strip()
            self._wait_until(lambda: self._get("/ready").strip() == "LIVE")
            self.addresses = {one["name"]: "{address}:{port_value}".format(
                **one["local_address"]["socket_address"])
                for one in json.loads(self._get("/listeners?format=json"))["listener_statuses"]}
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self):
        return self._process.pid

    def version(self):
        return json.loads(self._get("/server_info"))["version"].split("/")[1]

    def _get(self, path):
        try:
            with urllib.request.urlopen(f"http://{self._admin}{path}", timeout=5) as answer:
                return answer.read().decode()
        except (urllib.error.URLError, OSError):
            return ""

    def _wait_until(self, condition):
        deadline = time.monotonic() + 60
        while not condition():
            if self._has_ended(0.02) or time.monotonic() > deadline:
                self._log.seek(0)
                raise servers.BenchError("Envoy does not serve:\n" + self._log.read()[-3000:])

    def _has_ended(self, seconds):
        try:
            self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            pass
        self.kill()

    def kill(self):
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._log.close()


def _cpu_seconds(pid):
    """Of a process, user and system, to the nanosecond: Linux's clock of it."""
    return time.clock_gettime((~pid << 3) | 2)


class Proxied:
    """Rounds of HTTP/1.1 requests through Envoy, with one token of each algorithm."""

    def __init__(self, bench, rounds, seconds):
        self.bench = bench
        self.rounds = rounds
        self.seconds = max(1, round(seconds))  # wrk takes whole ones
        self.results = {}  # (token, case) -> rounds
        self.version = None
        self.load_average = []

    def run(self, note):
        if shutil.which("wrk") is None:
            raise servers.BenchError("wrk (Debian package wrk) is missing")
        self.load_average.append(round(os.getloadavg()[0], 2))
        asked = {YES: self.bench.start_null("cq"),
                 GATEHOUSE: self.bench.start_gatehouse(name="envoy", policy=many_routes.routes())}
        jwks = (self.bench.work_dir / "jwks.json").read_text()
        envoy = Envoy(self.bench, configuration(
            jwks, {case: server.target for case, server in asked.items()}))
        try:
            self.version = envoy.version()
            note(" ".join(envoy.command))
            self._prove(envoy)
            for number in range(self.rounds + 1):
                note(f"through Envoy, round {number} of {self.rounds}" if number else
                     "through Envoy, warming up")
                for algorithm in TOKENS:
                    for case in report.in_turn(CASES, number):
                        result = self._measure(envoy, case, algorithm, asked.get(case), number)
                        if number > 0:
                            self.results.setdefault((algorithm, case), []).append(result)
        finally:
            envoy.stop()
        for server in asked.values():
            self.bench.stop(server)
        self.load_average.append(round(os.getloadavg()[0], 2))
        return self

    def _request(self, algorithm):
        """The path and the headers for the one token."""
        line = pathlib.Path(self.bench.tokens(TOKENS[algorithm])).read_text().split()
        return (f"/v1/{line[1]}/kind-025/doc-42?view=full&lang=en",
                {**HEADERS, "Authorization": f"Bearer {line[0]}"})

    def _prove(self, envoy):
        """With the token all answer 200; with a forged one, those that look at it 401."""
        for algorithm in TOKENS:
            path, headers = self._request(algorithm)
            forged = {**headers, "Authorization": headers["Authorization"][:-8] + "AAAAAAAA"}
            for case in CASES:
                address = f"http://{envoy.addresses[case]}{path}"
                for sent, wanted in ((headers, 200),
                                     (forged, 200 if case in LETS_ANYBODY_PASS else 401)):
                    status = _status_of(urllib.request.Request(address, headers=sent))
                    if status != wanted:
                        raise servers.BenchError(
                            f"through Envoy, {case}, {algorithm}: {status} instead of {wanted}")

    def _measure(self, envoy, case, algorithm, asked, number):
        path, headers = self._request(algorithm)
        command = [*self.bench.pin_load(), "wrk", "-t1", f"-c{CONNECTIONS}",
                   f"-d{self.seconds if number else 1}s", "--timeout", "10s",
                   "-s", str(pathlib.Path(__file__).with_name("wrk_report.lua"))]
        for name, value in headers.items():
            command += ["-H", f"{name}: {value}"]
        pids = [envoy.pid] + ([asked.pid] if asked else [])
        before = [_cpu_seconds(pid) for pid in pids]
        done = subprocess.run([*command, f"http://{envoy.addresses[case]}{path}"],
                              capture_output=True, text=True, timeout=600, check=False)
        used = [_cpu_seconds(pid) - was for pid, was in zip(pids, before)]
        if done.returncode != 0:
            raise servers.BenchError(f"wrk:\n{done.stdout}{done.stderr}")
        result = json.loads(done.stdout.splitlines()[-1])
        if result["failed"] or not result["requests"]:
            raise servers.BenchError(f"through Envoy, {case}: {result}")
        result["rate"] = result["requests"] / result["seconds"]
        result["envoy_us"] = used[0] * 1e6 / result["requests"]
        result["server_us"] = used[1] * 1e6 / result["requests"] if asked else 0.0
        result["both_us"] = result["envoy_us"] + result["server_us"]
        return result

    def figures(self):
        figures = {"envoy": self.version, "load_average": self.load_average}
        for (algorithm, case), rounds in self.results.items():
            yes = self.results[algorithm, YES]
            entry = {field: round(report.median(rounds, field), 3) for field in
                     ("rate", "envoy_us", "server_us", "both_us", "p50_us", "p99_us")}
            entry["requests"] = sum(r["requests"] for r in rounds)
            # Of each round, since its parts were measured within seconds of each other.
            entry["both_to_yes"] = round(statistics.median(
                a["both_us"] / b["both_us"] for a, b in zip(rounds, yes)), 3)
            figures.setdefault(algorithm, {})[case] = entry
        return figures

    def print_table(self):
        figures = self.figures()
        rows = []
        for algorithm in TOKENS:
            for case in CASES:
                e = figures[algorithm][case]
                rows.append([f"{algorithm}: {case}", f"{e['rate']:,.0f}", f"{e['envoy_us']:.1f}",
                             f"{e['server_us']:.1f}" if e["server_us"] else "",
                             f"{e['both_us']:.1f}", f"{e['both_to_yes']:.2f}x",
                             f"{e['p50_us'] / 1000:.2f}", f"{e['p99_us'] / 1000:.2f}"])
        print(report.table([f"through Envoy {self.version}, a repeated token", "requests/s",
                            "Envoy us", "server us", "both us", "to always yes", "p50 ms",
                            "p99 ms"], rows))
        print(f"CPU a request. Envoy (one worker) and the server that it asks share a CPU, the "
              f"load ({CONNECTIONS} connections) has another. Envoy answers by itself: no service "
              "is behind it.")
        print(f"The load average was {' and '.join(map(str, self.load_average))} before and after.")


def _status_of(request):
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code
