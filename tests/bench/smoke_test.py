"""The load generator against the yardstick: everything asked is answered and
counted, and what is refused does not pass for an answer."""

import json
import subprocess
import sys
import tempfile
import unittest

import servers

BUILD_DIR = None
CALLS = 500


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
