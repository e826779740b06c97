"""Starts what scripts/bench measures, each pinned to a CPU, and calls it."""

import contextlib
import json
import os
import pathlib
import re
import secrets
import signal
import sqlite3
import subprocess
import threading
import time

ISSUER = "http://localhost:3000"
REVOCATIONS = 100_000

CONFIG = """\
listen: {grpc: "127.0.0.1:%%d", http: "127.0.0.1:0"%%s}
issuers:
  - issuer: %s
    audiences: [%s]
    algorithms: [EdDSA, RS256]
    keys: {jwks_file: jwks.json}
revocations: {sqlite: {path: %%s.db}}
""" % (ISSUER, ISSUER)


# Two who call: one that floods, and one that must not feel it.
CALLERS = ("flooder", "neighbour")


class BenchError(Exception):
    """Something that the reader of the terminal must know; no stack trace."""


def binary(build_dir, name):
    found = [p for p in pathlib.Path(build_dir).rglob(name) if p.is_file() and os.access(p, os.X_OK)]
    if not found:
        raise BenchError(f"{name} is not in {build_dir}: build it first (scripts/bench does)")
    return str(found[0])


def pick_cpus():
    """One CPU for the server and one for the load, on different cores if there are."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise BenchError("two CPUs are needed, one for the server and one for the load")
    server = usable[0]
    try:
        path = f"/sys/devices/system/cpu/cpu{server}/topology/thread_siblings_list"
        siblings = _cpu_list(pathlib.Path(path).read_text())
    except OSError:
        siblings = {server}
    others = [c for c in usable[1:] if c not in siblings] or usable[1:]
    return server, others[0]


def _cpu_list(text):
    cpus = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        cpus.update(range(int(first), int(last or first) + 1))
    return cpus


class Server:
    """A process that says grpc="HOST:PORT" in a line when it listens."""

    def __init__(self, name, command, cpu=None, log=None):
        self.name = name
        self.command = (["taskset", "-c", str(cpu)] if cpu is not None else []) + command
        self._lines = []
        self._log = open(log, "w", encoding="utf-8") if log else None
        self._process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace")
        self.target = self._wait_for_address()
        # Else the pipe would fill up and the server stand still.
        self._drain = threading.Thread(target=self._read_on, daemon=True)
        self._drain.start()

    def _wait_for_address(self):
        for line in self._process.stdout:
            self._keep(line)
            found = re.search(r'grpc="?([\w.]+:\d+)', line)
            if found and "listening" in line:
                return found.group(1)
        self._process.wait()
        raise BenchError(f"{self.name} ended before it listened:\n" + "".join(self._lines[-20:]))

    def _read_on(self):
        for line in self._process.stdout:
            self._keep(line)

    def _keep(self, line):
        self._lines = self._lines[-99:] + [line]
        if self._log:
            self._log.write(line)

    @property
    def pid(self):
        return self._process.pid

    def rss_kib(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))

    def stop(self):
        """Ends it; an error unless it ends by itself, with 0, within 20 seconds."""
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise BenchError(f"{self.name} did not end after SIGTERM") from None
        self._close()
        if code != 0:
            raise BenchError(f"{self.name} ended with {code}:\n" + "".join(self._lines[-20:]))

    def kill(self):
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._close()

    def _close(self):
        self._drain.join()
        self._process.stdout.close()
        if self._log:
            self._log.close()


class Bench:
    """The built programs, a working folder and the CPUs to use."""

    def __init__(self, build_dir, work_dir, cpus=(None, None)):
        self.build_dir = build_dir
        self.work_dir = pathlib.Path(work_dir)
        self.server_cpu, self.load_cpu = cpus
        self.load_binary = binary(build_dir, "gatehouse-load")
        self.running = []

    def make_tokens(self, count):
        subprocess.run([binary(self.build_dir, "gatehouse-bench-tokens"), f"--dir={self.work_dir}",
                        f"--count={count}", f"--issuer={ISSUER}"], check=True)

    def tokens(self, name):
        return str(self.work_dir / name)

    def start_null(self, api, threads=1, wrapper=(), flags=()):
        command = [*wrapper, binary(self.build_dir, "gatehouse-null-server"), f"--api={api}",
                   f"--threads={threads}", *flags]
        return self._start(Server(f"yardstick ({api})", command, self.server_cpu))

    def caller_token(self, name):
        """The file with a caller's token, made when it is asked for first."""
        path = self.work_dir / f"{name}.token"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(32) + "\n")
        return path

    def _callers(self):
        lines = [f"  - {{name: {name}, token_file: {self.caller_token(name).name}, "
                 "may: [verify, authorize, revoke]}\n" for name in CALLERS]
        return "callers:\n" + "".join(lines)

    def write_config(self, name, more="", listen="", port=0):
        config = self.work_dir / f"{name}.yaml"
        config.write_text(CONFIG % (port, listen, name) + more)
        return config

    def start_gatehouse(self, wrapper=(), callers=False, name="gatehouse", policy="", listen=""):
        """With a fresh database that holds REVOCATIONS of others. Two that run at the
        same time need different names. `listen`: what that section has besides ports."""
        config = self.write_config(name, (self._callers() if callers else "") + policy, listen)
        return self._launch(name, self._make_database(name, config), wrapper)

    def restart_gatehouse(self, server, name, policy="", listen="", stopped=lambda: None):
        """Stops it, calls `stopped`, and starts it again on the same port and database."""
        port = int(server.target.rsplit(":", 1)[1])
        self.stop(server)
        stopped()
        config = self.write_config(name, policy, listen, port)
        return self._launch(name, [binary(self.build_dir, "gatehouse-server"), "--config",
                                   str(config)])

    def _launch(self, name, program, wrapper=()):
        return self._start(Server("gatehouse-server", [*wrapper, *program], self.server_cpu,
                                  self.work_dir / f"{name}.log"))

    def make_database(self, name):
        """The path of one that holds what a started server's does."""
        self._make_database(name, self.write_config(name))
        return self.work_dir / f"{name}.db"

    def _make_database(self, name, config):
        """The command of the server that it is for."""
        for old in self.work_dir.glob(f"{name}.db*"):
            old.unlink()
        program = [binary(self.build_dir, "gatehouse-server"), "--config", str(config)]
        made = subprocess.run(program + ["--create-database"], capture_output=True, text=True)
        if made.returncode != 0:
            raise BenchError("gatehouse-server --create-database failed:\n" + made.stderr)
        self._fill(self.work_dir / f"{name}.db")
        return program

    @staticmethod
    def _fill(path):
        """So that a decision's look-ups go through a full index and not past an empty one."""
        now = int(time.time()) * 1_000_000
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            database.execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
                " INSERT INTO fact (revision, id, tag, kind, issuer, target, issued_until, end_time,"
                " create_time, actor, reason) SELECT i, lower(hex(randomblob(16))), randomblob(16), 3,"
                " 'https://bench.example', 'session ' || i, 9223372036854775807, ?, ?, 'bench', ''"
                " FROM n", (REVOCATIONS, now + 10**12, now))
            database.execute("UPDATE revision SET value = ?", (REVOCATIONS,))

    def _start(self, server):
        self.running.append(server)
        return server

    def stop(self, server):
        self.running.remove(server)
        server.stop()

    def kill_all(self):
        while self.running:
            self.running.pop().kill()

    def pin_server(self):
        return ["taskset", "-c", str(self.server_cpu)] if self.server_cpu is not None else []

    def pin_load(self):
        return ["taskset", "-c", str(self.load_cpu)] if self.load_cpu is not None else []

    def load_command(self, server, *flags):
        return [*self.pin_load(), self.load_binary, f"--target={server.target}",
                f"--server_pid={server.pid}", *flags]

    def load_as(self, caller, server, *flags):
        """load_command as one of CALLERS."""
        return self.load_command(server, *flags, f"--caller_token_file={self.caller_token(caller)}")

    def load(self, server, *flags):
        """What gatehouse-load printed. An error unless all was answered and allowed."""
        return self.result_of(self.load_command(server, *flags))

    @staticmethod
    def result_of(command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            raise BenchError(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout)
