"""The package itself: it installs with plain pip, its types hold, its protos are those of proto/."""

import os
import re
import subprocess
import sys
from pathlib import Path

import grpc_tools
from google.protobuf import descriptor_pb2
from grpc_tools import protoc

from support.stand import REPOSITORY

PACKAGE = Path(__file__).resolve().parents[1]
SOURCES = PACKAGE / "src" / "gatehouse"


def run(*args, **more):
    return subprocess.run(
        [str(arg) for arg in args], capture_output=True, text=True, timeout=300, **more
    )


def test_the_types_hold_under_mypy_strict(tmp_path):
    done = run(sys.executable, "-m", "mypy", "--cache-dir", tmp_path, cwd=PACKAGE)
    assert done.returncode == 0, done.stdout
    (tmp_path / "use.py").write_text(
        "from gatehouse import Gatehouse, Principal\n"
        "async def f(authz: Gatehouse, user: Principal) -> str:\n"
        "    reveal_type(await authz.require(user, 'note', 'read', owner='ada'))\n"
        "    await authz.require(user, 'note', 'read', id=42)\n"
        "    return (await authz.filter(user, 'note', 'read')).kind\n"
    )
    env = {**os.environ, "MYPYPATH": str(PACKAGE / "src")}
    done = run(sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path, "use.py",
               cwd=tmp_path, env=env)  # fmt: skip
    assert 'Revealed type is "gatehouse.decisions.Decision"' in done.stdout, done.stdout
    assert re.search(r'use.py:4: error: Argument "id"', done.stdout) and "Found 1 error" in done.stdout


def test_its_protos_are_those_of_the_repository(tmp_path):
    protos = REPOSITORY / "proto"
    made = tmp_path / "protos.binpb"
    known = Path(grpc_tools.__file__).parent / "_proto"
    files = sorted(str(file) for file in (protos / "gatehouse" / "v1").glob("*.proto"))
    args = [f"-I{protos}", f"-I{known}", "--include_imports", f"--descriptor_set_out={made}", *files]
    assert protoc.main(["protoc", *args]) == 0

    def parsed(path):
        found = descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes())
        return {file.name: file for file in found.file}

    command = "python -m grpc_tools.protoc " + " ".join(args[:3]) + " ..."
    assert parsed(made) == parsed(SOURCES / "protos.binpb"), f"make it anew: {command}"


def test_it_installs_with_plain_pip_and_needs_nothing_but_grpcio_and_protobuf(tmp_path):
    """The build takes setuptools from here, so that no test needs the network."""
    out = tmp_path / "site"
    source = tmp_path / "source"
    run("cp", "-r", PACKAGE, source)
    done = run(sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation",
               "--no-input", "--disable-pip-version-check", "--target", out, source)  # fmt: skip
    assert done.returncode == 0, done.stderr
    installed = {str(path.relative_to(out / "gatehouse")) for path in (out / "gatehouse").rglob("*") if path.is_file()}
    assert {"py.typed", "protos.binpb", "aio.py", "sync.py", "fastapi.py"} <= installed
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import gatehouse, gatehouse.sync\n"
        "assert gatehouse.__file__.startswith(sys.argv[1])\n"
        "names = {name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)\n"
        "print(sorted(name for name in names if not name.startswith('_')))"
    )
    done = run(sys.executable, "-c", code, out, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    unwanted = {"fastapi", "starlette", "pydantic", "sqlalchemy"}
    assert not unwanted.intersection(eval(done.stdout))
    [licence] = out.glob("gatehouse-*.dist-info/licenses/LICENSE")
    assert licence.read_text() == (REPOSITORY / "LICENSE").read_text()
    [metadata] = out.glob("gatehouse-*.dist-info/METADATA")
    needs = re.findall(r"^Requires-Dist: ([a-z]+)[^;\n]*$", metadata.read_text(), re.M)
    assert sorted(needs) == ["grpcio", "protobuf"]


def test_beside_an_applications_own_generated_code(tmp_path):
    """Which may be of another version of the protos: the pools are not shared."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "decision.proto").write_text(
        'syntax = "proto3";\npackage gatehouse.v1;\nmessage Decision { string other = 9; }\n'
    )
    (tmp_path / "gatehouse" / "v1").mkdir(parents=True)
    made = tmp_path / "gatehouse" / "v1" / "decision.proto"
    made.write_text((tmp_path / "p" / "decision.proto").read_text())
    out = tmp_path / "own"
    out.mkdir()
    assert protoc.main(["protoc", f"-I{tmp_path}", f"--python_out={out}", str(made)]) == 0
    (out / "gatehouse" / "v1" / "decision_pb2.py").rename(out / "own_decision.py")
    code = "import own_decision, gatehouse; own_decision.Decision(other='x')"
    env = {**os.environ, "PYTHONPATH": f"{PACKAGE / 'src'}:{out}"}
    done = run(sys.executable, "-c", code, env=env)
    assert done.returncode == 0, done.stderr


def test_python_310_can_read_it():
    """Nothing newer in the syntax."""
    import ast

    for file in SOURCES.rglob("*.py"):
        ast.parse(file.read_text(), feature_version=(3, 10))
