"""One caller floods the server with forged tokens; what does another feel of it?"""

import json
import statistics
import subprocess

import report
import servers

REACH = 3.0  # The neighbour's p99 under the flood against its p99 alone.
RATE = 500   # Calls a second of the neighbour, one in flight.
IN_FLIGHT = 64


class Flood:
    """Rounds of: the neighbour alone and the neighbour beside the flooder, in turn."""

    def __init__(self, bench, rounds, seconds):
        self.bench = bench
        self.rounds = rounds
        self.seconds = seconds
        self.alone, self.beside, self.floods = [], [], []

    def run(self, note):
        server = self.bench.start_gatehouse(callers=True)
        for number in range(1, self.rounds + 1):
            note(f"a flood of forged tokens, round {number} of {self.rounds}")
            for measure in report.in_turn((self._alone, self._beside), number):
                measure(server)
        self.bench.stop(server)
        return self

    def _alone(self, server):
        self.alone.append(self._neighbour(server))

    def _beside(self, server):
        with self._flooder(server) as flooder:
            # The flood begins while the neighbour warms up, and ends after it.
            self.beside.append(self._neighbour(server))
            flooder.wait_for_end()
        self.floods.append(flooder.result)

    def _neighbour(self, server):
        return self.bench.result_of(self.bench.load_as(
            "neighbour", server, "--method=verify", f"--rate={RATE}", "--connections=1",
            "--in_flight=1", f"--seconds={self.seconds}", "--warmup=0.3",
            f"--tokens={self.bench.tokens('eddsa-one')}"))

    def _flooder(self, server):
        return _Flooder(self.bench.load_as(
            "flooder", server, "--method=verify", "--connections=1", f"--in_flight={IN_FLIGHT}",
            f"--seconds={self.seconds + 0.5}", "--warmup=0.1",
            f"--tokens={self.bench.tokens('eddsa-forged')}",
            # Forged is denied, and too much at once is refused; nothing else may happen.
            "--allow_codes=CODE_TOKEN_INVALID", "--allow_errors=8"))

    def figures(self):
        told = {}
        for flood in self.floods:
            for code, count in {**flood["decisions"], **flood["errors"]}.items():
                told[code] = told.get(code, 0) + count
        figures = {
            "rounds": self.rounds, "rate": RATE, "in_flight": IN_FLIGHT,
            "alone_p50_us": report.median(self.alone, "p50_us"),
            "alone_p99_us": report.median(self.alone, "p99_us"),
            "flooded_p50_us": report.median(self.beside, "p50_us"),
            "flooded_p99_us": report.median(self.beside, "p99_us"),
            "flood_rate": statistics.median(
                sum({**f["decisions"], **f["errors"]}.values()) / f["seconds"]
                for f in self.floods),
            "flooder_was_told": told,
        }
        # Of each round, since its halves were measured within seconds of each other.
        figures["p99_ratio"] = round(statistics.median(
            b["p99_us"] / a["p99_us"] for a, b in zip(self.alone, self.beside)), 3)
        return figures

    def print_table(self):
        f = self.figures()
        print(report.table(
            [f"Verify of one token, {RATE}/s", "p50 ms", "p99 ms"],
            [["alone", f"{f['alone_p50_us'] / 1000:.3f}", f"{f['alone_p99_us'] / 1000:.3f}"],
             ["beside a flood of forged tokens", f"{f['flooded_p50_us'] / 1000:.3f}",
              f"{f['flooded_p99_us'] / 1000:.3f}"]]))
        told = ", ".join(f"{count} times {_NAMES.get(code, code)}"
                         for code, count in f["flooder_was_told"].items())
        print(f"The flooder, {IN_FLIGHT} in flight, made {f['flood_rate']:,.0f} calls/s and was "
              f"told {told}.")
        verdict = "reached" if f["p99_ratio"] <= REACH else "missed"
        print(f"Under the flood the other caller's p99 is {f['p99_ratio']:.2f}x; the reach is at "
              f"most {REACH:g}x: {verdict}.")


_NAMES = {"CODE_TOKEN_INVALID": "TOKEN_INVALID", "8": "RESOURCE_EXHAUSTED"}


class _Flooder:
    """A load generator that runs beside another; ended at the end of the block. It
    gives way to the other, which shares its CPU: only the server is to be short."""

    def __init__(self, command):
        self._command = ["nice", "-n", "19", *command]
        self._process = None
        self.result = None

    def __enter__(self):
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE,
                                         stderr=subprocess.PIPE, text=True)
        return self

    def wait_for_end(self):
        out, err = self._process.communicate(timeout=600)
        if self._process.returncode != 0:
            raise servers.BenchError(f"the flood ended with {self._process.returncode}:\n{out}{err}")
        self.result = json.loads(out)

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()
