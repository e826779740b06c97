"""Measures the server beside the yardstick. Run by scripts/bench."""

import argparse
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

import checks
import flood
import mesh
import profiling
import proxied
import report
import revocations
import rules
import servers

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
REACH = 1.10  # The server's CPU a call against the yardstick's, one token repeated.

EPILOG = """\
Needs two CPUs: the servers get one, the load the other. The rounds of all
servers are interleaved, so that a machine that slows down slows all alike, and
the medians are printed. A call that fails or is denied ends the run.

examples:
  scripts/bench                    all but --clients, about twelve minutes
  scripts/bench --quick            the same with short rounds: only to see it work
  scripts/bench --yardstick-only   completion queue against callback API, no server
  scripts/bench --flood            one caller floods, another is measured
  scripts/bench --policy           a large policy, and many questions in one call
  scripts/bench --check            Envoy's Check with many routes
  scripts/bench --envoy            through a real Envoy, beside its own JWT filter
  scripts/bench --mesh             callers with certificates, and a thousand connections
  scripts/bench --clients          remembered checks in C++, Python and Node, and FastAPI
  scripts/bench --revocation       how fast revocations are, and a million of them
  scripts/bench --in-process       first sight and memory of a token, beside OpenSSL alone
  scripts/bench --profile          where the time of a Verify goes; with --check, of a Check
"""

# name -> flags of gatehouse-load.
CASES = {
    "Verify, one token": ("verify", "eddsa-one"),
    "Verify, distinct tokens": ("verify", "eddsa-many"),
    "Authorize, one token": ("authorize", "eddsa-one"),
    "Authorize, distinct tokens": ("authorize", "eddsa-many"),
}
EMPTY = "empty method"


def arguments():
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__.split(" Run by")[0], epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build-dir", default="build/release", help=argparse.SUPPRESS)
    parser.add_argument("--json", default="build/bench.json", metavar="FILE",
                        help="where the figures go (default: %(default)s)")
    parser.add_argument("--rounds", type=int, metavar="N", help="default 5")
    parser.add_argument("--seconds", type=float, metavar="S", help="length of a round, default 1")
    parser.add_argument("--tokens", type=int, metavar="N", help="distinct tokens, default 10000")
    parser.add_argument("--api", choices=["cq", "callback"], default="cq",
                        help="the yardstick that the ratios are against: the API that the "
                             "server uses (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 0.2 s, 500 tokens")
    parser.add_argument("--yardstick-only", action="store_true", help="leave the server out")
    parser.add_argument("--flood", action="store_true",
                        help="only what one caller feels of another's flood of forged tokens")
    parser.add_argument("--policy", action="store_true",
                        help="only what a large policy costs, and batches of questions")
    parser.add_argument("--check", action="store_true",
                        help="only what Envoy's Check costs with 500 routes, and by how many")
    parser.add_argument("--envoy", action="store_true",
                        help="only requests through a real Envoy: plain, with its own JWT filter, "
                             "with one that always says yes, with Gatehouse")
    parser.add_argument("--mesh", action="store_true",
                        help="only Verify under mTLS, what a connection costs, and a restart under "
                             "a tenth of --tokens of them")
    parser.add_argument("--clients", action="store_true",
                        help="only the clients that remember: what a remembered check costs in C++, "
                             "Python and Node, and FastAPI beside one that verifies itself")
    parser.add_argument("--revocation", action="store_true",
                        help="only how fast revocations are, beside SQLite alone, what they cost "
                             "others, and an index of 100 times --tokens entries")
    parser.add_argument("--in-process", action="store_true",
                        help="only what a token costs in process")
    parser.add_argument("--profile", action="store_true", help="profile Verify of one token; with --check, Check")
    parser.add_argument("--profiler", choices=["auto", "perf", "callgrind"], default="auto")
    options = parser.parse_args()
    rounds, seconds, tokens = (2, 0.2, 500) if options.quick else (5, 1.0, 10000)
    options.rounds = options.rounds or rounds
    options.seconds = options.seconds or seconds
    options.tokens = options.tokens or tokens
    if options.rounds < 1 or options.seconds <= 0 or options.tokens < 1:
        parser.error("--rounds, --seconds and --tokens must be above 0")
    return options


class Measurement:
    def __init__(self, bench, options):
        self.bench = bench
        self.options = options
        self.rounds = {}  # (case, server's name) -> what gatehouse-load printed, by round.
        self.memory = {}  # server's name -> KiB

    def note(self, text):
        print(f"      {text}", flush=True)

    def measure(self, case, name, server, *flags):
        self.rounds.setdefault((case, name), []).append(self.bench.load(server, *flags))

    def flags(self, case):
        if case == EMPTY:
            return ["--method=empty"]
        method, tokens = CASES[case]
        return [f"--method={method}", f"--tokens={self.bench.tokens(tokens)}"]

    def timed(self):
        return [f"--seconds={self.options.seconds}", "--warmup=0.2"]

    def full_and_half_load(self):
        options = self.options
        started = {api: self.bench.start_null(api) for api in ("cq", "callback")}
        plan = [(EMPTY, api) for api in started]
        if options.yardstick_only:
            plan += [(case, api) for case in CASES for api in started]
        else:
            started["gatehouse"] = self.bench.start_gatehouse()
            other = "callback" if options.api == "cq" else "cq"
            plan += [("Verify, one token", other)]
            plan += [(case, name) for case in CASES for name in (options.api, "gatehouse")]
        for server in started.values():
            self.note("  ".join(map(shlex.quote, server.command)))
        self.note(shlex.join(self.bench.load_command(server, *self.flags(plan[-1][0]),
                                                     *self.timed())))
        for number in range(1, options.rounds + 1):
            self.note(f"full load, round {number} of {options.rounds}: {len(plan)} runs")
            for case, name in report.in_turn(plan, number):
                self.measure(case, name, started[name], *self.flags(case), *self.timed())
        slowest = "gatehouse" if "gatehouse" in started else options.api
        for number in range(1, options.rounds + 1):
            self.note(f"half load, round {number} of {options.rounds}")
            for case, name in report.in_turn(plan, number):
                if case == EMPTY:
                    continue
                rate = report.median(self.rounds[case, slowest], "rate") / 2
                self.measure(f"{case}, half load", name, started[name], *self.flags(case),
                             *self.timed(), f"--rate={rate:.0f}")
        for name, server in started.items():
            self.memory[name] = server.rss_kib()
            self.bench.stop(server)

    def first_sight(self):
        """Each token once, on a server that has seen none of them."""
        options = self.options
        for number in range(1, options.rounds + 1):
            self.note(f"tokens at first sight, round {number} of {options.rounds}")
            for algorithm in ("eddsa", "rs256"):
                server = self.bench.start_gatehouse()
                self.bench.load(server, "--method=verify", "--seconds=0.1", "--warmup=0",
                                f"--tokens={self.bench.tokens(algorithm + '-one')}")
                self.measure(f"Verify, first sight, {algorithm}", "gatehouse", server,
                             "--method=verify", "--warmup=0", f"--calls={options.tokens}",
                             f"--tokens={self.bench.tokens(algorithm + '-many')}")
                self.bench.stop(server)

    def revocations(self):
        server = self.bench.start_gatehouse()
        for number in range(1, self.options.rounds + 1):
            self.note(f"revocations, round {number} of {self.options.rounds}")
            for connections, in_flight in ((1, 1), (2, 32)):
                self.measure(f"Revoke, {connections * in_flight} in flight", "gatehouse", server,
                             "--method=revoke", f"--issuer={servers.ISSUER}",
                             f"--connections={connections}", f"--in_flight={in_flight}",
                             *self.timed())
        self.memory["gatehouse, after the revocations"] = server.rss_kib()
        self.bench.stop(server)

    def figures(self):
        cases = {}
        for (case, name), rounds in self.rounds.items():
            entry = report.summary(rounds)
            yardstick = self.rounds.get((case, self.options.api))
            if yardstick is not None and name != self.options.api and case != EMPTY:
                entry["cpu_to_yardstick"] = report.ratio(rounds, yardstick)
            cases.setdefault(case, {})[name] = entry
        return cases

    def print_tables(self):
        cases = self.figures()
        rows, half = [], []
        for case, entries in cases.items():
            for name, e in entries.items():
                if case.endswith(", half load"):
                    half.append([case, name, f"{e['rate']:,.0f}", f"{e['server_cpu_us']:.1f}",
                                 f"{e['p50_us'] / 1000:.2f}", f"{e['p99_us'] / 1000:.2f}"])
                else:
                    ratio = e.get("cpu_to_yardstick")
                    rows.append([case, name, f"{e['rate']:,.0f}", f"{e['server_cpu_us']:.1f}",
                                 f"{ratio:.2f}x" if ratio else "", f"{e['server_busy']:.0%}",
                                 f"{e['load_busy']:.0%}", e["reply_bytes"]])
        print()
        print(report.table(["", "server", "calls/s", "CPU us", "ratio", "server busy",
                            "load busy", "reply bytes"], rows))
        print()
        print(report.table(["", "server", "calls/s", "CPU us", "p50 ms", "p99 ms"], half))
        print()
        print(report.table(["memory", "MiB"],
                           [[n, f"{kib / 1024:.1f}"] for n, kib in self.memory.items()]))
        print()
        self.print_verdict(cases)

    def print_verdict(self, cases):
        for case, (method, _) in CASES.items():
            entries = cases[case]
            if "gatehouse" not in entries:
                continue
            sizes = entries["gatehouse"]["reply_bytes"], entries[self.options.api]["reply_bytes"]
            if abs(sizes[0] - sizes[1]) > 0.1 * sizes[1]:
                print(f"{case}: the replies differ, {sizes[0]} and {sizes[1]} bytes: mend "
                      "tests/bench/null_reply.cc, or the ratio says little.")
        repeated = cases["Verify, one token"].get("gatehouse")
        if repeated:
            ratio = repeated["cpu_to_yardstick"]
            print(f"Verify of one token costs {ratio:.2f}x the yardstick ({self.options.api}); "
                  f"the reach is at most {REACH}x: {'reached' if ratio <= REACH else 'missed'}.")


def cpp_client(options):
    return ["gatehouse-client-bench", f"--rounds={min(11, 2 * options.rounds)}",
            f"--tokens={min(5000, 10 * options.tokens)}"]


def clients(options):
    """Each client's own program, with the interpreter and the packages of the tests."""
    venv = REPOSITORY / ".cache" / "venv" / "bin"
    folder = REPOSITORY / "tests" / "bench" / "clients"
    name, *flags = cpp_client(options)
    environment = {**os.environ, "GATEHOUSE_BIN": str(pathlib.Path(options.build_dir).absolute()),
                   "PATH": f"{venv}:{os.environ['PATH']}"}
    commands = [[servers.binary(options.build_dir, name), *flags],
                [str(venv / "python"), str(folder / "python_bench.py"),
                 f"--rounds={options.rounds}", f"--seconds={options.seconds}"],
                ["npm", "--silent", "--prefix", "client/typescript", "run", "build"],
                [str(venv / "node"), str(folder / "node_bench.mjs")]]
    for command in commands:
        print(f"\n{shlex.join(command)}", flush=True)
        subprocess.run(command, check=True, cwd=REPOSITORY, env=environment)


def in_process(bench, options):
    """What needs no server: these programs print their own tables."""
    flags = [f"--rounds={min(21, 4 * options.rounds)}", f"--tokens={min(500, options.tokens)}",
             f"--many={min(100_000, 10 * options.tokens)}"]
    for command in (["gatehouse-engine-bench", *flags], ["gatehouse-jose-bench"],
                    cpp_client(options)):
        print(f"\n{shlex.join(command)}", flush=True)
        subprocess.run([servers.binary(options.build_dir, command[0]), *command[1:]], check=True)


def policy(bench, options):
    """Of the servers, with the figures to write; then in process."""
    measured = rules.Rules(bench, options.rounds, options.seconds).run(
        lambda text: print(f"      {text}", flush=True))
    print()
    measured.print_table()
    rules.in_process(bench, min(21, 4 * options.rounds))
    return measured.figures()


def check(bench, options):
    """Of the servers, with the figures to write; then in process."""
    measured = checks.Checks(bench, options.rounds, options.seconds).run(
        lambda text: print(f"      {text}", flush=True))
    print()
    measured.print_table()
    checks.in_process(bench, min(21, 4 * options.rounds))
    return measured.figures()


def envoy(bench, options):
    measured = proxied.Proxied(bench, options.rounds, options.seconds).run(
        lambda text: print(f"      {text}", flush=True))
    print()
    measured.print_table()
    return measured.figures()


def in_the_mesh(bench, options):
    measured = mesh.Mesh(bench, options.rounds, options.seconds, max(10, options.tokens // 10))
    measured.run(lambda text: print(f"      {text}", flush=True))
    print()
    measured.print_tables()
    return measured.figures()


def revocation(bench, options):
    measured = revocations.Revocations(bench, options.rounds, options.seconds,
                                       100 * options.tokens)
    measured.run(lambda text: print(f"      {text}", flush=True))
    print()
    measured.print_tables()
    return measured.figures()


def run(options, bench):
    about = report.machine(options.build_dir, (bench.server_cpu, bench.load_cpu))
    for name, value in about.items():
        print(f"      {name.replace('_', ' ')}: {value}")
    print(f"      making {options.tokens} EdDSA and RS256 tokens", flush=True)
    bench.make_tokens(options.tokens)
    if options.profile:
        profiling.run(bench, options)
        return
    if options.in_process:
        in_process(bench, options)
        return
    if options.clients:
        clients(options)
        return
    measurement = Measurement(bench, options)
    flooded = None
    everything = not (options.flood or options.yardstick_only or options.policy or
                      options.revocation or options.check or options.envoy or options.mesh)
    if everything or options.yardstick_only:
        measurement.full_and_half_load()
    if everything:
        measurement.first_sight()
        measurement.revocations()
    if everything or options.flood:
        flooded = flood.Flood(bench, options.rounds, options.seconds).run(measurement.note)
    if everything or options.yardstick_only:
        measurement.print_tables()
    if flooded is not None:
        print()
        flooded.print_table()
    ruled = policy(bench, options) if everything or options.policy else None
    checked = check(bench, options) if everything or options.check else None
    through_envoy = envoy(bench, options) if everything or options.envoy else None
    meshed = in_the_mesh(bench, options) if everything or options.mesh else None
    revoked = revocation(bench, options) if everything or options.revocation else None
    if everything:
        in_process(bench, options)
    written = {"machine": about, "command": shlex.join(["scripts/bench", *sys.argv[1:]]),
               "rounds": options.rounds, "seconds": options.seconds, "tokens": options.tokens,
               "api": options.api, "memory_kib": measurement.memory,
               "cases": measurement.figures()}
    if flooded is not None:
        written["flood"] = flooded.figures()
    if ruled is not None:
        written["policy"] = ruled
    if checked is not None:
        written["check"] = checked
    if through_envoy is not None:
        written["envoy"] = through_envoy
    if meshed is not None:
        written["mesh"] = meshed
    if revoked is not None:
        written["revocation"] = revoked
    path = pathlib.Path(options.json)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(written, indent=2) + "\n")
    print(f"The figures are in {path}.")


def main():
    options = arguments()
    # In the build folder rather than /tmp: that may lie in memory, where a commit
    # costs nothing.
    work_dir = tempfile.mkdtemp(prefix="bench-", dir=pathlib.Path(options.build_dir).parent)
    bench = None
    try:
        bench = servers.Bench(options.build_dir, work_dir, servers.pick_cpus())
        run(options, bench)
    except servers.BenchError as error:
        sys.exit(f"scripts/bench: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        if bench is not None:
            bench.kill_all()
        shutil.rmtree(work_dir, ignore_errors=True)


if __name__ == "__main__":
    main()
