"""What Envoy's Check costs with many routes, beside a do-nothing server; and in process."""

import os
import subprocess

import many_routes
import report
import servers

REACH = 1.2  # Check of one token against the same of the do-nothing server, CPU a call.
IN_PROCESS = (10, many_routes.ROUTES, 4000)  # routes
NULL, GATEHOUSE = "null server", "gatehouse"
CASE = f"Check, one token, {many_routes.ROUTES} routes"
HALF = f"{CASE}, half load"


class Checks:
    """Rounds of Check of one token to both, at full and then at half load."""

    def __init__(self, bench, rounds, seconds):
        self.bench = bench
        self.rounds = rounds
        self.timed = [f"--seconds={seconds}", "--warmup=0.2"]
        self.results = {}  # (case, server) -> what gatehouse-load printed, by round
        self.load_average = []

    def run(self, note):
        self.load_average.append(round(os.getloadavg()[0], 2))
        started = {NULL: self.bench.start_null("cq"),
                   GATEHOUSE: self.bench.start_gatehouse(name="routes", policy=many_routes.routes())}
        for number in range(1, self.rounds + 1):
            note(f"Check, full load, round {number} of {self.rounds}")
            for name, server in report.in_turn(started.items(), number):
                self._measure(CASE, name, server)
        rate = report.median(self.results[CASE, GATEHOUSE], "rate") / 2
        for number in range(1, self.rounds + 1):
            note(f"Check, half load, round {number} of {self.rounds}")
            for name, server in report.in_turn(started.items(), number):
                self._measure(HALF, name, server, f"--rate={rate:.0f}")
        for server in started.values():
            self.bench.stop(server)
        self.load_average.append(round(os.getloadavg()[0], 2))
        return self

    def _measure(self, case, name, server, *flags):
        self.results.setdefault((case, name), []).append(self.bench.load(
            server, "--method=check", f"--tokens={self.bench.tokens('eddsa-one')}", *flags,
            *self.timed))

    def figures(self):
        figures = {"load_average": self.load_average}
        for (case, name), rounds in self.results.items():
            figures.setdefault(case, {})[name] = report.summary(rounds)
        for case in (CASE, HALF):
            figures[case]["cpu_to_null"] = report.ratio(self.results[case, GATEHOUSE],
                                                        self.results[case, NULL])
        return figures

    def print_table(self):
        figures = self.figures()
        rows = []
        for case in (CASE, HALF):
            for name in (NULL, GATEHOUSE):
                e = figures[case][name]
                ratio = f"{figures[case]['cpu_to_null']:.2f}x" if name == GATEHOUSE else ""
                rows.append([case, name, f"{e['rate']:,.0f}", f"{e['server_cpu_us']:.1f}", ratio,
                             f"{e['p50_us'] / 1000:.2f}", f"{e['p99_us'] / 1000:.2f}",
                             f"{e['server_busy']:.0%}", f"{e['load_busy']:.0%}", e["reply_bytes"]])
        print(report.table(["", "server", "calls/s", "CPU us", "ratio", "p50 ms", "p99 ms",
                            "server busy", "load busy", "reply bytes"], rows))
        sizes = [figures[CASE][name]["reply_bytes"] for name in (NULL, GATEHOUSE)]
        if abs(sizes[0] - sizes[1]) > 0.1 * sizes[0]:
            print(f"The replies differ, {sizes[0]} and {sizes[1]} bytes: mend "
                  "tests/bench/null_reply.cc, or the ratio says little.")
        ratio = figures[CASE]["cpu_to_null"]
        print(f"Check of one token with {many_routes.ROUTES} routes costs {ratio:.2f}x the null "
              f"server; the reach is at most {REACH}x: {'met' if ratio <= REACH else 'not met'}.")
        print(f"The load average was {' and '.join(map(str, self.load_average))} before and after.")


def in_process(bench, rounds):
    """Deciding without a server, by the number of routes: the program prints a table."""
    configs = [bench.write_config(f"routes-{count}", many_routes.routes(count))
               for count in IN_PROCESS]
    command = [servers.binary(bench.build_dir, "gatehouse-gate-bench"),
               f"--configs={','.join(map(str, configs))}", f"--rounds={rounds}"]
    print("\n" + " ".join(["gatehouse-gate-bench", *command[1:]]), flush=True)
    subprocess.run(command, check=True)
