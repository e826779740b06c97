"""Revocations: how fast they are written, what they cost those who verify, when those who
watch hear of them, and what an index of a million entries costs."""

import os
import statistics

import report
import servers

WRITES = 5000     # Revocations a second beside Verify.
IN_FLIGHT = 64
PAIRS = 3         # Of Verify without revocations and beside them, in each round.
WATCHERS, WATCHED = 100, 100  # Those who watch, and revocations a second that they hear of.

ENTRIES = 1_000_000  # What start and memory are judged at.

# What is to be reached: title, key in the figures, limit, unit, whether more is better.
REACHES = [
    ("Revoke, 64 in flight, against SQLite alone", "write_ratio", 0.60, "x", True),
    ("Verify's CPU a call beside 5,000 revocations/s", "verify_cpu_ratio", 1.2, "x", False),
    ("Verify's p99 at half load beside them", "verify_p99_ratio", 2.0, "x", False),
    ("from Revoke's return to 100 watchers, p99", "watch_p99_ms", 10.0, " ms", False),
    ("look-ups of 1,000 entries, slowest size to fastest", "few_ratio", 2.0, "x", False),
    ("start with all entries", "start_seconds", 1.0, " s", False),
    ("memory of an entry", "bytes_per_entry", 64.0, " B", False),
]


class Revocations:
    """Rounds of all that needs a server, then of what needs none."""

    def __init__(self, bench, rounds, seconds, entries):
        self.bench = bench
        self.rounds = rounds
        self.seconds = seconds
        self.entries = max(1000, entries)
        self.results = {}  # what -> what a program printed, by round
        self.load_average = []

    def run(self, note):
        note(f"load average {self._busy()}")
        self._with_server(note)
        self._in_process(note)
        note(f"load average {self._busy()}")
        return self

    def _busy(self):
        self.load_average.append(round(os.getloadavg()[0], 2))
        return self.load_average[-1]

    def _keep(self, what, result):
        self.results.setdefault(what, []).append(result)
        return result

    def _median(self, what, field):
        return report.median(self.results[what], field)

    def _timed(self):
        return [f"--seconds={self.seconds}", "--warmup=0.2"]

    # With a server.

    def _with_server(self, note):
        bare = self.bench.make_database("bare")
        server = self.bench.start_gatehouse()
        for number in range(1, self.rounds + 1):
            note(f"revocations, round {number} of {self.rounds}")
            self._in_turn(number, {
                "bare": lambda: self._pinned("gatehouse-bare-writer", f"--database={bare}",
                                             f"--threads={IN_FLIGHT}", *self._timed()),
                "revoke": lambda: self.bench.load(server, "--method=revoke", *self._timed())})
            self._beside(server)
            self._watch(server)
        self.bench.stop(server)

    def _in_turn(self, number, measured):
        for what, measure in report.in_turn(measured.items(), number):
            self._keep(what, measure())

    def _beside(self, server):
        """Revocations alone, and pairs of Verify at half load, alone and beside them."""
        full = self._keep("verify", self._verify(server))
        rate = f"--rate={full['rate'] / 2:.0f}"
        self._keep("writes", self.bench.load(server, "--method=revoke", f"--rate={WRITES}",
                                             *self._timed()))
        for _ in range(PAIRS):
            self._in_turn(len(self.results.get("both", [])) + 1, {
                "idle": lambda: self._verify(server, rate),
                "both": lambda: self._verify(server, rate, f"--revocations_beside={WRITES}")})
            self._keep("writes beside", self.results["both"][-1]["beside"])

    def _verify(self, server, *flags):
        return self.bench.load(server, "--method=verify", *self._timed(), *flags,
                               f"--tokens={self.bench.tokens('eddsa-one')}")

    def _watch(self, server):
        changes = max(20, round(3 * self.seconds * WATCHED))
        self._keep("watch", self.bench.result_of(
            [*self.bench.pin_load(), servers.binary(self.bench.build_dir, "gatehouse-watch-bench"),
             f"--target={server.target}", f"--watchers={WATCHERS}", f"--rate={WATCHED}",
             f"--changes={changes}"]))

    # Without.

    def _pinned(self, program, *flags):
        """On the server's CPU."""
        cpu = self.bench.server_cpu
        pin = ["taskset", "-c", str(cpu)] if cpu is not None else []
        return self.bench.result_of([*pin, servers.binary(self.bench.build_dir, program), *flags])

    def _in_process(self, note):
        note(f"look-ups in an index of up to {self.entries:,} entries")
        self.results["look-ups"] = self._alone("look-ups", f"--rounds={self.rounds}")["sizes"]
        note(f"starts with a database of {self.entries:,} entries")
        database = f"--database={self.bench.work_dir / 'entries.db'}"
        self._keep("file", self._alone("make", database))
        for _ in range(self.rounds):
            self._keep("parts", self._alone("parts", database))
            self._keep("start", self._alone("start", database))

    def _alone(self, part, *flags):
        return self._pinned("gatehouse-revocation-bench", f"--part={part}",
                            f"--entries={self.entries}", *flags)

    # What came of it.

    def _verify_cpu(self, written):
        """Of each pair: Verify's CPU a call in microseconds, idle and beside revocations. Each
        of those counts as it did in the same round of `written`."""
        pairs = []
        rounds = [result for result in self.results[written] for _ in range(PAIRS)]
        for idle, revoke, both in zip(self.results["idle"], rounds, self.results["both"],
                                      strict=True):
            cost = revoke["server_cpu_us"] * both["beside"]["rate"] / 1e6  # of a second
            pairs.append((idle["server_cpu_us"], (both["server_busy"] - cost) / both["rate"] * 1e6))
        return pairs

    def figures(self):
        cpu = self._verify_cpu("writes")
        figures = {
            "rounds": self.rounds, "seconds": self.seconds, "entries": self.entries,
            "load_average": self.load_average,
            "write_ratio": statistics.median(
                a["rate"] / b["rate"] for a, b in zip(self.results["revoke"],
                                                      self.results["bare"])),
            "verify_cpu_idle_us": statistics.median(idle for idle, _ in cpu),
            "verify_cpu_beside_us": statistics.median(beside for _, beside in cpu),
            "verify_cpu_ratio": statistics.median(beside / idle for idle, beside in cpu),
            "verify_cpu_ratio_at_most": statistics.median(
                beside / idle for idle, beside in self._verify_cpu("revoke")),
            # One p99 alone is much by chance, so that no ratio is taken of each pair.
            "verify_p99_ratio": (self._median("both", "p99_us")
                                 / self._median("idle", "p99_us")),
            "watch_p99_ms": self._median("watch", "p99_us") / 1000,
            "few_ratio": self._spread("few_ns"),
            "hit_ratio": self._spread("hit_ns"),
            "start_seconds": statistics.median(s["start"]["seconds"]
                                               for s in self.results["start"]),
            "bytes_per_entry": statistics.median(s["resident_bytes"] / s["entries"]
                                                 for s in self.results["start"]),
        }
        figures = {key: round(value, 3) if isinstance(value, float) else value
                   for key, value in figures.items()}
        figures["reaches"] = {
            key: {"limit": limit,
                  "reached": (figures[key] >= limit if more else figures[key] <= limit)
                  if self._is_fit(key) else None}
            for _, key, limit, _, more in REACHES}
        return {**figures, "results": self.results}

    def _is_fit(self, key):
        """Whether the run says anything of it."""
        if key in ("start_seconds", "bytes_per_entry"):
            return self.entries >= ENTRIES
        if key.startswith("verify_"):
            return self._median("writes beside", "rate") >= 0.9 * WRITES
        return True

    def _spread(self, field):
        values = [size[field] for size in self.results["look-ups"]]
        return max(values) / min(values)

    def print_tables(self):
        figures = self.figures()
        print(report.table(["", "calls/s", "server CPU us", "p50 ms", "p99 ms"],
                           self._call_rows(figures)))
        print(f"Verify costs {figures['verify_cpu_ratio']:.2f}x beside the revocations if each of "
              f"them costs what it does alone at {WRITES:,}/s, and at most "
              f"{figures['verify_cpu_ratio_at_most']:.2f}x if as little as {IN_FLIGHT} in flight.")
        print(f"Verify's p99 at half load is {figures['verify_p99_ratio']:.2f}x beside them: the "
              f"median of all {len(self.results['both'])} measurements beside them over that of as "
              f"many without, {PAIRS} pairs a round, of which now the one and now the other comes "
              "first.")
        print()
        watch = self.results["watch"]
        print(f"From Revoke's return to the receipt of {WATCHERS} watchers, {WATCHED} revocations "
              f"a second: p50 {report.median(watch, 'p50_us') / 1000:.2f} ms, p99 "
              f"{report.median(watch, 'p99_us') / 1000:.2f} ms, the slowest "
              f"{max(w['max_us'] for w in watch) / 1000:.1f} ms.")
        print()
        print(report.table(
            ["look-up, ns", "hit", "miss", "hit in order", "hit of 1,000 again"],
            [[f"{s['entries']:,} entries"] + [f"{s[f]:.1f}" for f in (
                "hit_ns", "miss_ns", "ordered_ns", "few_ns")] for s in self.results["look-ups"]]))
        print("All entries in turn by chance wait for memory once the table is beyond the cache; in"
              " the order of the table, or a thousand of them again and again, they do not.")
        print()
        size = self.results["file"][0]["bytes"]
        print(report.table([f"start, {self.entries:,} entries, {size / 1e6:.0f} MB", "s", "CPU s"],
                           self._start_rows()))
        print()
        print(report.table(["revocations", "measured", "reach", ""], [
            [title, f"{figures[key]:.2f}{unit}",
             f"{'at least' if more else 'at most'} {limit:g}{unit}",
             {True: "met", False: "not met", None: "says nothing"}[
                 figures["reaches"][key]["reached"]]]
            for title, key, limit, unit, more in REACHES]))
        if not self._is_fit("verify_cpu_ratio"):
            print(f"Fewer than {WRITES:,} revocations a second were made beside Verify: other work "
                  "had the machine.")
        if self.entries < ENTRIES:
            print(f"Start and memory are judged at {ENTRIES:,} entries.")
        print(f"The load average was {' and '.join(map(str, self.load_average))} before and after.")

    def _call_rows(self, figures):
        rows = []
        for title, what in (("SQLite alone, 64 threads waiting", "bare"),
                            ("Revoke, 64 in flight", "revoke"),
                            ("Verify, full load", "verify"), ("Verify, half load", "idle"),
                            (f"{WRITES:,} revocations/s", "writes"),
                            ("Verify, half load, beside them", "both"),
                            ("the revocations beside it", "writes beside")):
            cpu = "" if what == "bare" else f"{self._median(what, 'server_cpu_us'):.1f}"
            if what == "both":
                cpu = f"{figures['verify_cpu_beside_us']:.1f}"
            elif what == "writes beside":
                cpu = ""  # counts both
            rows.append([title, f"{self._median(what, 'rate'):,.0f}", cpu,
                         f"{self._median(what, 'p50_us') / 1000:.2f}",
                         f"{self._median(what, 'p99_us') / 1000:.2f}"])
        return rows

    def _start_rows(self):
        rows = []
        for title, what, part in (("check of the file", "parts", "check"),
                                  ("rows to index", "parts", "load"),
                                  ("the whole", "start", "start")):
            rounds = [result[part] for result in self.results[what]]
            rows.append([title] + [f"{report.median(rounds, f):.3f}"
                                   for f in ("seconds", "cpu_seconds")])
        return rows

