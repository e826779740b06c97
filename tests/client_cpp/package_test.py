"""The package as its users have it: built alone, installed, found by find_package from a folder
outside the tree, with the example of its README as it stands there, against a real server."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "client/cpp/README.md").read_text()


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def block(kind: str) -> str:
    return re.search(rf"```{kind}\n(.*?)```", README, re.S)[1]


def build_package(build: Path, compiler: str, launcher: str):
    flags = ["-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_CXX_COMPILER={compiler}"]
    if launcher:
        flags.append(f"-DCMAKE_CXX_COMPILER_LAUNCHER={launcher}")
    run("cmake", "-S", ROOT / "client/cpp", "-B", build, "-G", "Ninja", *flags)
    run("nice", "cmake", "--build", build)


def build_consumer(folder: Path, prefix: Path, compiler: str) -> Path:
    folder.mkdir()
    (folder / "CMakeLists.txt").write_text(block("cmake"))
    (folder / "main.cc").write_text(block("cpp"))
    run("cmake", "-S", folder, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DCMAKE_CXX_COMPILER={compiler}", "-DCMAKE_CXX_STANDARD=17",
        "-DCMAKE_CXX_STANDARD_REQUIRED=ON", "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Werror")  # fmt: skip
    run("cmake", "--build", folder / "build")
    return folder / "build" / "notes"


def expect(what: str, got, wanted):
    if got != wanted:
        sys.exit(f"{what}: {got!r}, not {wanted!r}")


def check_headers(prefix: Path):
    """What is installed names neither gRPC nor protobuf, nor what only this tree has."""
    headers = sorted(prefix.rglob("*.h"))
    expect("client.h is installed", any(one.name == "client.h" for one in headers), True)
    for header in headers:
        for line in header.read_text().splitlines():
            if line.startswith("#include") and re.search(r'grpc|proto|absl|server/|"client/', line):
                sys.exit(f"{header}: {line}")


def try_example(program: Path, build_dir: Path):
    server = subprocess.Popen(
        [ROOT / ".cache/venv/bin/python", "-B", ROOT / "tests/clients/server.py"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={"GATEHOUSE_BIN": str(build_dir), **os.environ},
    )  # fmt: skip
    try:
        ready = json.loads(server.stdout.readline())
        settings = {"GATEHOUSE_TARGET": ready["grpc"],
                    "GATEHOUSE_TOKEN_FILE": ready["callers"]["backend"], "PATH": os.environ["PATH"]}  # fmt: skip

        def ask(token: str, **more) -> tuple[int, str, str]:
            done = subprocess.run([program, token], capture_output=True, text=True, timeout=60,
                                  env={**settings, **more})  # fmt: skip
            return done.returncode, done.stdout, done.stderr

        code, said, _ = ask(ready["tokens"]["ada"])
        expect("the owner", (code, said[:4]), (0, "200 "))
        code, said, _ = ask(ready["tokens"]["bob"])
        expect("another one", (code, said[:4]), (1, "403 "))
        code, said, _ = ask("garbage")
        expect("no token", (code, said[:4]), (1, "401 "))
        code, said, why = ask(ready["tokens"]["ada"], GATEHOUSE_TARGET="127.0.0.1:1")
        expect("nobody there", (code, said[:4], "GATEHOUSE_TARGET" in why), (1, "503 ", True))
        code, said, why = ask(ready["tokens"]["ada"], GATEHOUSE_TARGET="gatehouse")
        expect("no target", (code, said, "GATEHOUSE_TARGET" in why), (2, "", True))
    finally:
        server.stdin.close()
        server.wait(60)


def main(build_dir: str, compiler: str, launcher: str = ""):
    build = Path(build_dir) / "client-package"
    build_package(build, compiler, launcher)
    with tempfile.TemporaryDirectory(prefix="gatehouse-package-") as folder:
        prefix = Path(folder) / "prefix"
        run("cmake", "--install", build, "--prefix", prefix)
        check_headers(prefix)
        expect("the licence is installed", len(list(prefix.rglob("LICENSE"))), 1)
        program = build_consumer(Path(folder) / "consumer", prefix, compiler)
        try_example(program, Path(build_dir))
    print("the installed package and the README's example work")


if __name__ == "__main__":
    main(*sys.argv[1:])
