"""What a large policy costs, and many questions in one call."""

import statistics
import subprocess

import big_policy
import report
import servers

REACH = 1.05  # Authorize under the large policy against the same under the default one.
BATCHES = {1000: 500_000, 100: 300_000}  # checks in a call -> decisions/s on one core
AUTHORIZE = "Authorize, one token"
NULL, DEFAULT, LARGE = "null server", "default policy", "large policy"


def case_of(checks):
    return f"BatchAuthorize of {checks:,}"


class Rules:
    """Rounds of: each question to a do-nothing server, to one with the default policy
    and to one with the large one."""

    def __init__(self, bench, rounds, seconds):
        self.bench = bench
        self.rounds = rounds
        self.timed = [f"--seconds={seconds}", "--warmup=0.2"]
        self.results = {}  # (case, server) -> what gatehouse-load printed, by round

    def run(self, note):
        started = {
            NULL: self.bench.start_null("cq"),
            DEFAULT: self.bench.start_gatehouse(),
            LARGE: self.bench.start_gatehouse(name="large", policy=big_policy.policy()),
        }
        for number in range(1, self.rounds + 1):
            note(f"a large policy and batches, round {number} of {self.rounds}")
            for name, server in report.in_turn(started.items(), number):
                self._measure(AUTHORIZE, name, server, "--method=authorize")
            for checks in BATCHES:
                for name, server in report.in_turn(started.items(), number):
                    # As many checks under way, whatever the size of a call.
                    self._measure(case_of(checks), name, server, "--method=batch",
                                  f"--checks={checks}",
                                  f"--in_flight={4 if checks > 100 else 16}")
        for server in started.values():
            self.bench.stop(server)
        return self

    def _measure(self, case, name, server, *flags):
        self.results.setdefault((case, name), []).append(self.bench.load(
            server, f"--tokens={self.bench.tokens('eddsa-one')}", *flags, *self.timed))

    def figures(self):
        figures = {}
        for (case, name), rounds in self.results.items():
            figures.setdefault(case, {})[name] = report.summary(rounds)
        # Of each round, since its parts were measured within seconds of each other.
        figures[AUTHORIZE]["large_to_default"] = report.ratio(
            self.results[AUTHORIZE, LARGE], self.results[AUTHORIZE, DEFAULT])
        for checks in BATCHES:
            for name in (NULL, DEFAULT, LARGE):
                entry = figures[case_of(checks)][name]
                entry["decisions_per_core_second"] = round(statistics.median(
                    checks * 1e6 / r["server_cpu_us"]
                    for r in self.results[case_of(checks), name]))
        return figures

    def print_table(self):
        figures = self.figures()
        rows = []
        for case, checks in [(AUTHORIZE, 1)] + [(case_of(n), n) for n in BATCHES]:
            for name in (NULL, DEFAULT, LARGE):
                e = figures[case][name]
                rows.append([case, name, f"{e['rate'] * checks:,.0f}",
                             f"{checks * 1e6 / e['server_cpu_us']:,.0f}",
                             f"{e['server_cpu_us']:.1f}", f"{e['server_busy']:.0%}",
                             f"{e['load_busy']:.0%}", e["reply_bytes"]])
        print(report.table(["", "server", "decisions/s", "a core's second", "CPU us a call",
                            "server busy", "load busy", "reply bytes"], rows))
        ratio = figures[AUTHORIZE]["large_to_default"]
        print(f"Authorize under a policy of {big_policy.SIZE} costs {ratio:.3f}x the same under "
              f"the default one; the reach is at most {REACH}x: {_verdict(ratio <= REACH)}.")
        for checks, reach in BATCHES.items():
            rate = figures[case_of(checks)][LARGE]["decisions_per_core_second"]
            print(f"{case_of(checks)} under that policy: {rate:,.0f} decisions in a second of one "
                  f"core; the reach is at least {reach:,}: {_verdict(rate >= reach)}.")


def _verdict(reached):
    return "reached" if reached else "missed"


def in_process(bench, rounds):
    """Loading it and deciding by it, without a server: the program prints a table."""
    config = bench.write_config("large", big_policy.policy())
    command = [servers.binary(bench.build_dir, "gatehouse-policy-bench"), f"--config={config}",
               f"--rounds={rounds}"]
    print("\n" + " ".join(["gatehouse-policy-bench", *command[1:]]), flush=True)
    subprocess.run(command, check=True)
