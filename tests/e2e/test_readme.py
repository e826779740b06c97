"""The README's blocks run as they stand there, one after the other."""

import os
import signal
import socket
import subprocess

import pytest

from support.places import CACHE, E2E, NODE, REPOSITORY
from support.processes import Process
from support.readme import Block, blocks_of

PORTS = (7070, 7071, 8081, 9000)
README = REPOSITORY / "README.md"
TYPESCRIPT = REPOSITORY / "client" / "typescript"


@pytest.fixture
def demonstration(tmp_path):
    """The folder of a running `scripts/run`, as on its first use."""
    for port in PORTS:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, (
                f"something is on port {port}, where the README starts something: end it first"
            )
    demo = tmp_path / "demo"
    run = Process(
        [REPOSITORY / "scripts" / "run"], tmp_path / "run.log", {"GATEHOUSE_DEMO": str(demo)}
    )
    try:
        # It may have to build first.
        run.wait_for_line(lambda line: "Gatehouse is running" in line, "that it runs", seconds=1800)
        yield demo
    finally:
        status = run.end(signal.SIGTERM)
    assert status == 0, run.text()


@pytest.fixture
def typescript():
    """The TypeScript client as `npm pack` would take it."""
    env = {**os.environ, "PATH": f"{CACHE / 'venv' / 'bin'}:{os.environ['PATH']}"}
    build = ["npm", "--prefix", str(TYPESCRIPT), "run", "build"]
    done = subprocess.run(build, capture_output=True, text=True, timeout=600, env=env)
    assert done.returncode == 0, done.stdout + done.stderr


class Reader:
    """Somebody who pastes block after block into one terminal, in a copy of the tree."""

    def __init__(self, folder, demo=None):
        self.folder = folder
        folder.mkdir()
        for entry in REPOSITORY.iterdir():
            if entry.name not in (".git", "demo"):
                (folder / entry.name).symlink_to(entry)
        if demo:
            (folder / "demo").symlink_to(demo)
        (folder / "package.json").symlink_to(E2E / "readme" / "package.json")
        modules = folder / "node_modules"
        modules.mkdir()
        for entry in (E2E / "readme" / "node_modules").iterdir():
            (modules / entry.name).symlink_to(entry)
        # The clients, as if they were installed.
        (modules / "@gatehouse").mkdir()
        (modules / "@gatehouse" / "client").symlink_to(TYPESCRIPT)
        self._env = {**os.environ, "PYTHONPATH": str(REPOSITORY / "client" / "python" / "src")}
        self._env["PATH"] = f"{CACHE / 'venv' / 'bin'}:{CACHE / 'bin'}:{self._env['PATH']}"
        self._cwd = str(folder)

    def run(self, block: Block):
        done = getattr(self, f"_run_{block.language}")(block)
        output = done.stdout + done.stderr
        shown = f"README.md:{block.line} printed:\n{output}"
        for text in block.prints:
            assert text in output, f"{text!r} is missing. {shown}"
        assert block.prints or done.returncode == 0, f"exit status {done.returncode}. {shown}"

    def _run_sh(self, block: Block):
        # Variables and the folder of one block are there in the next.
        state = self.folder / "state"
        strict = "" if block.prints else "set -e -o pipefail\n"
        script = f"set -a\n{strict}{block.source}{{ pwd; env -0; }} >'{state}'\n"
        state.write_text("")
        done = self._run("bash", "-c", script)
        if "\n" in state.read_text():
            self._cwd, variables = state.read_text().split("\n", 1)
            pairs = (each.split("=", 1) for each in variables.split("\0") if "=" in each)
            self._env = dict(pairs)
        return done

    def _run_python(self, block: Block):
        file = self.folder / f"readme_{block.line}.py"
        file.write_text(block.source)
        return self._run(CACHE / "venv" / "bin" / "python", file)

    def _run_ts(self, block: Block):
        file = self.folder / f"readme_{block.line}.ts"
        file.write_text(block.source)
        return self._run(
            NODE, "--experimental-strip-types", "--disable-warning=ExperimentalWarning", file
        )

    def _run(self, *command):
        return subprocess.run(
            [str(each) for each in command], stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=600, env=self._env, cwd=self._cwd,
        )  # fmt: skip


def test_blocks_of_the_readme_run_and_print_what_they_say(demonstration, typescript, tmp_path):
    blocks = blocks_of(README.read_text())
    assert blocks, "README.md has no block that can be run"
    reader = Reader(tmp_path / "reader", demonstration)
    for block in blocks:
        print(f"README.md: {block}")
        reader.run(block)


EXAMPLE = """\
# Title
```sh
export WORD="two words"
cd server
```
Text.
<!-- It would take too long. -->

```sh no-run
rm -rf everything
```
    ```
````python
import os
print(os.environ["WORD"])
# prints: two words
```
not the end
````
```yaml
a: 1
```
~~~ts
const word: string = process.env.WORD!;
console.log(word);
// prints: two words
~~~
"""


def test_extractor_finds_the_blocks_that_are_meant():
    blocks = blocks_of(EXAMPLE)
    assert [(block.language, block.line, block.prints) for block in blocks] == [
        ("sh", 2, ()),
        ("python", 13, ("two words",)),
        ("ts", 23, ("two words",)),
    ]
    assert blocks[0].source == 'export WORD="two words"\ncd server\n'
    assert "not the end" in blocks[1].source


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("```sh\nls\n", "line 1: a block is never closed"),
        ("Text.\n```sh no-run\nls\n```\n", "line 2: no comment says why"),
        ("```sh norun\nls\n```\n", "line 1: unknown word"),
    ],
)
def test_extractor_refuses_what_it_does_not_understand(text, complaint):
    with pytest.raises(ValueError, match=complaint):
        blocks_of(text)


def test_reader_carries_variables_and_the_folder_along(tmp_path):
    reader = Reader(tmp_path / "reader")
    reader.run(Block("sh", 1, 'export WORD="two words"\ncd server\n', ()))
    reader.run(Block("sh", 4, 'echo "$WORD in $(pwd)"\nfalse\n', ("two words in", "/server")))
    python = 'import os, grpc\nprint(os.environ["WORD"])\n'
    reader.run(Block("python", 8, python, ("two words",)))
    ts = (
        'import grpc from "@grpc/grpc-js";\nconst w: string = process.env.WORD!;\nconsole.log(w);\n'
    )
    reader.run(Block("ts", 12, ts, ("two words",)))
    with pytest.raises(AssertionError, match="'three words' is missing"):
        reader.run(Block("sh", 16, "echo two words\n", ("three words",)))
    with pytest.raises(AssertionError, match="exit status 1"):
        reader.run(Block("sh", 18, "false\ntrue\n", ()))
