"""For how long nobody is answered when the one server restarts, and what it takes of a machine:
with an empty database and with a million revocations.

  .cache/venv/bin/python tests/bench/restart_gap.py

Needs the release build with its benchmarks (scripts/bench makes it). A client asks without a pause
while the server gets SIGTERM, ends, and is started again at once by us, as the kubelet would do it
with a container; what a cluster adds (scheduling, a volume that moves, probes) is not in it.
"""

import argparse
import contextlib
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import grpc
import servers

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from support import stubs  # noqa: E402

stubs.generate()
from gatehouse.v1 import authorization_service_pb2 as messages  # noqa: E402
from gatehouse.v1 import authorization_service_pb2_grpc as services  # noqa: E402


CONFIG = """\
listen: {{grpc: "127.0.0.1:{port}", http: "127.0.0.1:0"}}
issuers:
  - issuer: {issuer}
    audiences: [{issuer}]
    algorithms: [EdDSA, RS256]
    keys: {{jwks_file: jwks.json}}
revocations: {{sqlite: {{path: {name}.db}}}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Asker(threading.Thread):
    """Asks about one token again and again, and keeps when it was answered."""

    def __init__(self, target, token):
        super().__init__(daemon=True)
        self.target, self.token = target, token
        self.answers = []
        self.ended = False

    def run(self):
        # Comes back within milliseconds: what is measured is the server, not a client's patience.
        options = [("grpc.initial_reconnect_backoff_ms", 5), ("grpc.min_reconnect_backoff_ms", 5),
                   ("grpc.max_reconnect_backoff_ms", 5)]
        with grpc.insecure_channel(self.target, options=options) as channel:
            stub = services.AuthorizationServiceStub(channel)
            while not self.ended:
                with contextlib.suppress(grpc.RpcError):
                    stub.Verify(messages.VerifyRequest(token=self.token), timeout=1)
                    self.answers.append(time.monotonic())

    def wait_for(self, count):
        until = time.monotonic() + 60
        while len(self.answers) < count:
            if time.monotonic() > until:
                raise servers.BenchError("the server did not answer")
            time.sleep(0.001)


class Measured:
    def __init__(self, bench, revocations, rounds):
        self.bench, self.revocations, self.rounds = bench, revocations, rounds
        self.name = f"restart-{revocations}"
        self.config = bench.work_dir / f"{self.name}.yaml"
        self.config.write_text(CONFIG.format(port=free_port(), issuer=servers.ISSUER,
                                             name=self.name))
        self.command = [servers.binary(bench.build_dir, "gatehouse-server"), "--config",
                        str(self.config)]

    def run(self, token):
        servers.REVOCATIONS = self.revocations
        self._make_database()
        server = servers.Server("gatehouse-server", self.command)
        idle = server.rss_kib()
        gaps, stops, starts = [], [], []
        for _ in range(self.rounds):
            asker = Asker(server.target, token)
            asker.start()
            asker.wait_for(50)
            asked = time.monotonic()
            server.stop()
            ended = time.monotonic()
            server = servers.Server("gatehouse-server", self.command)
            listening = time.monotonic()
            asker.wait_for(len(asker.answers) + 50)
            asker.ended = True
            asker.join()
            gaps.append(max(b - a for a, b in zip(asker.answers, asker.answers[1:])))
            stops.append(ended - asked)
            starts.append(listening - ended)
        used = self._load(server)
        told = {
            "revocations": self.revocations,
            "gap_s": [round(gap, 3) for gap in sorted(gaps)],
            "stop_s": round(statistics.median(stops), 3),
            "start_s": round(statistics.median(starts), 3),
            "rss_idle_mib": round(idle / 1024, 1),
            **used,
        }
        server.stop()
        return told

    def _make_database(self):
        made = subprocess.run([*self.command, "--create-database"], capture_output=True,
                                      text=True)
        if made.returncode != 0:
            raise servers.BenchError(made.stderr)
        if self.revocations:
            self.bench._fill(self.bench.work_dir / f"{self.name}.db")

    def _load(self, server):
        """As fast as it answers, known tokens, and what the process has then."""
        before = self._cpu_s(server.pid)
        began = time.monotonic()
        self.bench.load(server, "--method=verify", "--seconds=5", "--warmup=1",
                        f"--tokens={self.bench.tokens('eddsa-many')}")
        passed = time.monotonic() - began
        idle_from, idle_began = self._cpu_s(server.pid), time.monotonic()
        time.sleep(3)
        return {
            "rss_loaded_mib": round(server.rss_kib() / 1024, 1),
            "cpus_loaded": round((idle_from - before) / passed, 2),
            "cpus_idle": round((self._cpu_s(server.pid) - idle_from)
                               / (time.monotonic() - idle_began), 4),
        }

    @staticmethod
    def _cpu_s(pid):
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--build-dir", default="build/release")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--revocations", type=int, nargs="+", default=[0, 1_000_000])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = servers.Bench(chosen.build_dir, folder)
        bench.make_tokens(10_000)
        token = pathlib.Path(bench.tokens("eddsa-one")).read_text().split()[0]
        for revocations in chosen.revocations:
            print(Measured(bench, revocations, chosen.rounds).run(token), flush=True)
    print(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} CPUs")


if __name__ == "__main__":
    main()
