"""Python code for the protos, made from proto/ each time a test session starts."""

import importlib.resources
import shutil
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

from support.places import CACHE, REPOSITORY


def generate():
    out = CACHE / "stubs"
    out.mkdir(parents=True, exist_ok=True)
    # Several test processes do this at once: each file is there as a whole or not at all.
    made = Path(tempfile.mkdtemp(dir=out))
    protos = REPOSITORY / "proto"
    files = sorted(str(path) for path in (protos / "gatehouse" / "v1").glob("*.proto"))
    well_known = importlib.resources.files("grpc_tools") / "_proto"
    status = protoc.main(
        ["protoc", f"-I{protos}", f"-I{well_known}", f"--python_out={made}",
         f"--grpc_python_out={made}", *files]
    )  # fmt: skip
    if status != 0:
        raise RuntimeError("protoc failed")
    for file in [path for path in made.rglob("*") if path.is_file()]:
        place = out / file.relative_to(made)
        place.parent.mkdir(parents=True, exist_ok=True)
        file.replace(place)
    shutil.rmtree(made)
    if str(out) not in sys.path:
        sys.path.insert(0, str(out))
