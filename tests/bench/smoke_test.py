"""The load generator against the yardstick: everything asked is answered and
counted, and what is refused does not pass for an answer."""

import contextlib
import io
import json
import sqlite3
import subprocess
import sys
import tempfile
import unittest

import big_policy
import checks
import many_routes
import proxied
import report
import revocations
import rules
import servers

BUILD_DIR = None
CALLS = 500
REFUSING = "policy: {resources: {note: {actions: {read: {allow: [\"relation:editor\"]}}}}}\n"


class OrderTest(unittest.TestCase):
    def test_who_comes_first_changes_from_round_to_round(self):
        orders = [report.in_turn({"a": 1, "b": 2}, number) for number in (1, 2, 3)]
        self.assertEqual(orders, [["a", "b"], ["b", "a"], ["a", "b"]])

    def test_each_verify_beside_revocations_has_the_revocations_of_its_round(self):
        measured = revocations.Revocations(None, 2, 1, 1000)
        pairs = 2 * revocations.PAIRS
        measured.results = {
            "writes": [{"server_cpu_us": 1.0}, {"server_cpu_us": 2.0}],
            "idle": [{"server_cpu_us": float(n)} for n in range(pairs)],
            # Half of a second for 100,000 calls, and 5,000 revocations in it.
            "both": [{"server_busy": 0.5, "rate": 100000, "beside": {"rate": 5000}}] * pairs}
        half = revocations.PAIRS
        self.assertEqual(
            [(idle, round(beside, 3)) for idle, beside in measured._verify_cpu("writes")],
            [(float(n), 4.95 if n < half else 4.9) for n in range(pairs)])


class LoadTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.bench = servers.Bench(BUILD_DIR, cls.folder.name)
        cls.addClassCleanup(cls.bench.kill_all)
        cls.bench.make_tokens(50)
        cls.servers = [cls.bench.start_null("cq", threads=2), cls.bench.start_null("callback")]

    def each(self):
        for server in self.servers:
            with self.subTest(server=server.name):
                yield server

    def flags(self, method):
        return [f"--method={method}", f"--calls={CALLS}", "--warmup=0",
                f"--tokens={self.bench.tokens('eddsa-many')}"]

    def batch_flags(self, checks):
        return [*self.flags("batch"), f"--checks={checks}"]

    def batch(self, server, checks):
        result = self.bench.load(server, *self.batch_flags(checks))
        self.assertEqual(result["decisions"], {"CODE_OK": CALLS})
        return result

    def test_every_call_is_answered_and_allowed(self):
        for server in self.each():
            for method in ("verify", "authorize", "empty"):
                result = self.bench.load(server, *self.flags(method))
                self.assertEqual(result["calls"], CALLS)
                self.assertEqual(result["decisions"], {"CODE_OK": CALLS})
                self.assertEqual(result["errors"], {})
                self.assertGreater(result["server_cpu_us"], 0)
                self.assertGreaterEqual(result["p99_us"], result["p50_us"])

    def test_calls_on_a_beat_are_all_made(self):
        for server in self.each():
            result = self.bench.load(server, *self.flags("verify"), "--rate=20000")
            self.assertEqual(result["decisions"], {"CODE_OK": CALLS})
            self.assertGreaterEqual(result["seconds"], 0.99 * (CALLS - 1) / 20000)

    def test_both_apis_send_the_same_reply(self):
        sizes = {self.bench.load(server, *self.flags(method))["reply_bytes"]
                 for server in self.servers for method in ("verify", "authorize")}
        self.assertEqual(len(sizes), 1)
        self.assertGreater(sizes.pop(), 100)

    def test_a_batch_is_answered_with_a_decision_for_each_check(self):
        sizes = {checks: self.batch(self.servers[0], checks)["reply_bytes"] for checks in (1, 9)}
        self.assertGreater(sizes[9] - sizes[1], 8 * 40)

    def test_a_batch_is_no_success_unless_each_check_is_allowed(self):
        server = self.bench.start_gatehouse(policy=REFUSING)
        done = subprocess.run(self.bench.load_command(server, *self.batch_flags(3)),
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(json.loads(done.stdout)["decisions"],
                         {"CODE_INSUFFICIENT_PERMISSIONS": CALLS})
        self.bench.stop(server)

    def test_null_and_real_server_move_the_same_bytes(self):
        server = self.bench.start_gatehouse()
        sizes = [self.batch(one, 100)["reply_bytes"] for one in (self.servers[0], server)]
        self.assertAlmostEqual(sizes[0], sizes[1], delta=0.02 * sizes[0])
        self.bench.stop(server)

    def test_the_large_policy_is_as_large_as_is_said_and_always_the_same(self):
        text = big_policy.policy()
        self.assertEqual(text, big_policy.policy())
        self.assertNotEqual(text, big_policy.policy(seed=2))
        config = self.bench.write_config("large", text)
        checked = subprocess.run([servers.binary(BUILD_DIR, "gatehouse-policy-bench"),
                                  f"--config={config}", "--rounds=1", "--calls=10"],
                                 capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 0, checked.stderr)
        self.assertIn("200 resource types, 2000 actions, 50 roles", checked.stdout)
        for line in ("load: from YAML", "through two includes", "Filter of note read"):
            self.assertIn(line, checked.stdout)

    def test_rules_are_measured_beside_the_null_server(self):
        figures = rules.Rules(self.bench, 1, 0.05).run(lambda text: None).figures()
        self.assertGreater(figures[rules.AUTHORIZE]["large_to_default"], 0)
        for checks in rules.BATCHES:
            for name in (rules.NULL, rules.DEFAULT, rules.LARGE):
                entry = figures[rules.case_of(checks)][name]
                self.assertGreater(entry["decisions_per_core_second"], 0)

    def test_check_is_measured_beside_the_null_server(self):
        measured = checks.Checks(self.bench, 1, 0.05).run(lambda text: None)
        figures = measured.figures()
        for case in (checks.CASE, checks.HALF):
            self.assertGreater(figures[case]["cpu_to_null"], 0)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            measured.print_table()
        self.assertNotIn("differ", printed.getvalue())  # The replies are of one size.
        self.assertIn("at most 1.2x", printed.getvalue())

    def test_a_check_that_is_denied_is_no_success(self):
        server = self.bench.start_gatehouse(policy=many_routes.routes(10))  # not the one asked
        done = subprocess.run(self.bench.load_command(server, *self.flags("check")),
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(json.loads(done.stdout)["decisions"],
                         {"CODE_INSUFFICIENT_PERMISSIONS": CALLS})
        self.bench.stop(server)

    def test_the_tables_of_routes_are_as_large_as_is_said(self):
        configs = [self.bench.write_config(f"r{count}", many_routes.routes(count))
                   for count in checks.IN_PROCESS]
        done = subprocess.run([servers.binary(BUILD_DIR, "gatehouse-gate-bench"), "--rounds=1",
                               "--calls=10", f"--configs={','.join(map(str, configs))}"],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        for count in checks.IN_PROCESS:
            self.assertIn(f"{count} routes, the last one", done.stdout)

    def test_envoy_is_measured_with_and_without_gatehouse(self):
        measured = proxied.Proxied(self.bench, 1, 1).run(lambda text: None)
        figures = measured.figures()
        self.assertTrue(figures["envoy"].startswith("1.40."), figures["envoy"])
        for algorithm in proxied.TOKENS:
            for case in proxied.CASES:
                entry = figures[algorithm][case]
                self.assertGreater(entry["requests"], 0)
                self.assertGreater(entry["envoy_us"], 0)
                self.assertEqual(entry["server_us"] > 0, case in proxied.CLUSTERS)
        with contextlib.redirect_stdout(io.StringIO()):
            measured.print_table()

    def test_revocations_are_measured_beside_sqlite_alone_verify_and_those_who_watch(self):
        measured = revocations.Revocations(self.bench, 1, 0.1, 2000).run(lambda text: None)
        figures = measured.figures()
        for key in ("write_ratio", "verify_cpu_idle_us", "verify_p99_ratio", "watch_p99_ms",
                    "few_ratio", "hit_ratio", "start_seconds", "bytes_per_entry"):
            self.assertGreater(figures[key], 0, key)
        for key in ("start_seconds", "bytes_per_entry"):  # with fewer entries than it is about
            self.assertIsNone(figures["reaches"][key]["reached"])
        results = figures["results"]
        for what in ("idle", "both", "writes beside"):
            self.assertEqual(len(results[what]), revocations.PAIRS)
        self.assertEqual([size["entries"] for size in results["look-ups"]], [1000, 1000, 2000])
        for what in ("parts", "start"):
            self.assertEqual(results[what][0]["entries"], 2000)
        watch = results["watch"][0]
        self.assertEqual(watch["told"], watch["watchers"] * watch["changes"])
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            measured.print_tables()
        self.assertIn("memory of an entry", printed.getvalue())

    def test_sqlite_alone_writes_what_it_says_and_the_server_can_read_it(self):
        database = self.bench.make_database("bare")
        before = self._facts(database)
        result = self.bench.result_of([
            servers.binary(BUILD_DIR, "gatehouse-bare-writer"), f"--database={database}",
            "--threads=8", "--seconds=0.1", "--warmup=0"])
        self.assertGreater(result["calls"], 0)
        self.assertGreaterEqual(self._facts(database) - before, result["calls"])
        opened = self.bench.result_of([
            servers.binary(BUILD_DIR, "gatehouse-revocation-bench"), "--part=start",
            f"--database={database}"])
        self.assertEqual(opened["entries"], self._facts(database))

    @staticmethod
    def _facts(database):
        with contextlib.closing(sqlite3.connect(database)) as connection:
            return connection.execute("SELECT count(*) FROM fact").fetchone()[0]

    def test_revocations_beside_other_calls_are_counted_for_themselves(self):
        server = self.bench.start_gatehouse()
        result = self.bench.load(server, *self.flags("verify"), "--rate=5000",
                                 "--revocations_beside=1000")
        self.assertEqual(result["decisions"], {"CODE_OK": CALLS})
        beside = result["beside"]
        self.assertEqual(beside["decisions"], {"CODE_OK": beside["calls"]})
        self.assertAlmostEqual(beside["seconds"], result["seconds"], delta=0.05)
        self.bench.stop(server)

    def test_revocations_beside_calls_without_a_beat_are_refused(self):
        done = subprocess.run(
            self.bench.load_command(self.servers[0], *self.flags("verify"),
                                    "--revocations_beside=10"),
            capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--rate", done.stderr)

    def test_a_refused_call_is_counted_by_its_status_and_fails_the_run(self):
        callback = self.servers[1]  # Has no Revoke.
        done = subprocess.run(self.bench.load_command(callback, *self.flags("revoke")),
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        result = json.loads(done.stdout)
        self.assertEqual(result["calls"], 0)
        self.assertEqual(result["errors"], {"12": CALLS})  # UNIMPLEMENTED

    def test_a_token_file_without_subjects_is_refused_with_its_line(self):
        path = self.bench.work_dir / "bad"
        path.write_text("a.b.c ada\nd.e.f\n")
        done = subprocess.run(
            self.bench.load_command(self.servers[0], "--method=verify", f"--tokens={path}"),
            capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"{path}:2:", done.stderr)

    def test_the_servers_end_when_told(self):
        self.bench.stop(self.bench.start_null("cq"))
        self.bench.stop(self.bench.start_null("callback"))


if __name__ == "__main__":
    BUILD_DIR = sys.argv.pop(1)
    unittest.main()
