"""What callers with certificates cost, what a connection costs, and how soon all are served
again after a restart."""

import json
import os
import subprocess

import report
import servers

REACH = 1.10  # Verify of one token under mTLS against the do-nothing server's under the same.
NULL, GATEHOUSE = "null server", "gatehouse"
CASE = "Verify, one token, mTLS"
HALF = f"{CASE}, half load"
PLAIN, MUTUAL = "plaintext", "mTLS"

CALLER = "spiffe://bench.example/ns/load/sa/load"
CALLERS = f"callers: [{{name: load, spiffe_ids: \"{CALLER}\", may: [verify]}}]\n"


def make_certificates(folder):
    """A CA, and certificates of it for a server on loopback and for a caller."""
    def run(*arguments):
        done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise servers.BenchError(f"openssl {' '.join(arguments)}:\n{done.stderr}")

    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    run("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=bench CA")
    for name, san in (("server", "DNS:localhost,IP:127.0.0.1"), ("load", f"URI:{CALLER}")):
        run("req", "-x509", "-CA", "ca.pem", "-CAkey", "ca.key", *new, "-keyout", f"{name}.key",
            "-out", f"{name}.pem", "-subj", f"/CN={name}", "-addext", f"subjectAltName={san}",
            "-addext", "basicConstraints=critical,CA:FALSE")
        os.chmod(folder / f"{name}.key", 0o600)


class Mesh:
    """Rounds of Verify to both, then many connections to the server."""

    def __init__(self, bench, rounds, seconds, connections):
        self.bench = bench
        self.rounds = rounds
        self.connections = connections
        self.timed = [f"--seconds={seconds}", "--warmup=0.2"]
        self.results = {}  # (case, server) -> what gatehouse-load printed, by round
        self.many = {}  # of PLAIN and MUTUAL -> figures
        self.load_average = []

    def run(self, note):
        self._busy()
        make_certificates(self.bench.work_dir)
        started = {NULL: self.bench.start_null("cq", flags=self._tls("server")),
                   GATEHOUSE: self._start(MUTUAL)}
        for number in range(1, self.rounds + 1):
            note(f"Verify under mTLS, full load, round {number} of {self.rounds}")
            for name, server in report.in_turn(started.items(), number):
                self._measure(CASE, name, server)
        rate = report.median(self.results[CASE, GATEHOUSE], "rate") / 2
        for number in range(1, self.rounds + 1):
            note(f"Verify under mTLS, half load, round {number} of {self.rounds}")
            for name, server in report.in_turn(started.items(), number):
                self._measure(HALF, name, server, f"--rate={rate:.0f}")
        for server in started.values():
            self.bench.stop(server)
        for kind in (PLAIN, MUTUAL):
            note(f"{self.connections} connections, {kind}")
            self.many[kind] = self._many(kind)
        self._busy()
        return self

    def _busy(self):
        self.load_average.append(round(os.getloadavg()[0], 2))

    def _path(self, name):
        return self.bench.work_dir / name

    def _tls(self, name):
        return [f"--tls_ca={self._path('ca.pem')}", f"--tls_cert={self._path(name + '.pem')}",
                f"--tls_key={self._path(name + '.key')}"]

    @staticmethod
    def _config(kind):
        if kind == PLAIN:
            return {}
        return {"policy": CALLERS, "listen": ", tls: {cert_file: server.pem, key_file: server.key, "
                                             "client_ca_file: ca.pem}"}

    def _start(self, kind):
        return self.bench.start_gatehouse(name="mesh", **self._config(kind))

    def _measure(self, case, name, server, *flags):
        self.results.setdefault((case, name), []).append(self.bench.load(
            server, "--method=verify", f"--tokens={self.bench.tokens('eddsa-one')}",
            *self._tls("load"), *flags, *self.timed))

    def _many(self, kind):
        server = self._start(kind)
        before = server.rss_kib()
        command = [*self.bench.pin_load(), servers.binary(self.bench.build_dir, "gatehouse-storm"),
                   f"--target={server.target}", f"--tokens={self.bench.tokens('eddsa-one')}",
                   f"--connections={self.connections}", *(self._tls("load") if kind == MUTUAL else [])]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as storm:
            first = self._answer(storm)
            figures = {"connections": self.connections,
                       "rss_kib_each": (server.rss_kib() - before) / self.connections,
                       "first_half_seconds": first["half_seconds"],
                       "first_all_seconds": first["all_seconds"]}
            server = self._restart(server, kind, storm)
            again = self._answer(storm)
            storm.stdin.close()
        figures |= {"again_half_seconds": again["half_seconds"],
                    "again_all_seconds": again["all_seconds"]}
        self.bench.stop(server)
        return figures

    def _restart(self, server, kind, storm):
        # They ask as soon as they are cut off, and wait.
        def ask():
            storm.stdin.write("again\n")
            storm.stdin.flush()
        return self.bench.restart_gatehouse(server, name="mesh", stopped=ask, **self._config(kind))

    @staticmethod
    def _answer(storm):
        line = storm.stdout.readline()
        if not line:
            raise servers.BenchError("gatehouse-storm ended: see above")
        return json.loads(line)

    def figures(self):
        figures = {"load_average": self.load_average, "connections": self.many}
        for (case, name), rounds in self.results.items():
            figures.setdefault(case, {})[name] = report.summary(rounds)
        for case in (CASE, HALF):
            figures[case]["cpu_to_null"] = report.ratio(self.results[case, GATEHOUSE],
                                                        self.results[case, NULL])
        return figures

    def print_tables(self):
        figures = self.figures()
        rows = []
        for case in (CASE, HALF):
            for name in (NULL, GATEHOUSE):
                e = figures[case][name]
                ratio = f"{figures[case]['cpu_to_null']:.2f}x" if name == GATEHOUSE else ""
                rows.append([case, name, f"{e['rate']:,.0f}", f"{e['server_cpu_us']:.1f}", ratio,
                             f"{e['p50_us'] / 1000:.2f}", f"{e['p99_us'] / 1000:.2f}",
                             f"{e['server_busy']:.0%}", f"{e['load_busy']:.0%}"])
        print(report.table(["", "server", "calls/s", "CPU us", "ratio", "p50 ms", "p99 ms",
                            "server busy", "load busy"], rows))
        print()
        print(report.table(
            [f"{self.connections} connections at once", "KiB each", "half served, s", "all served, s",
             "after a restart: half, s", "all, s"],
            [[kind, f"{e['rss_kib_each']:.1f}", f"{e['first_half_seconds']:.2f}",
              f"{e['first_all_seconds']:.2f}", f"{e['again_half_seconds']:.2f}",
              f"{e['again_all_seconds']:.2f}"] for kind, e in self.many.items()]))
        print("After a restart: from the end of the old server, the new one's start included.")
        ratio = figures[CASE]["cpu_to_null"]
        print(f"Verify of one token under mTLS costs {ratio:.2f}x the yardstick under the same; the "
              f"reach is at most {REACH:.2f}x: {'reached' if ratio <= REACH else 'missed'}.")
