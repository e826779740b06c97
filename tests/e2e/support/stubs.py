"""Python code for the protos, made from proto/ each time a test session starts."""

import importlib.resources
import sys

from grpc_tools import protoc

from support.places import CACHE, REPOSITORY


def generate():
    out = CACHE / "stubs"
    out.mkdir(parents=True, exist_ok=True)
    protos = REPOSITORY / "proto"
    files = sorted(str(path) for path in (protos / "gatehouse" / "v1").glob("*.proto"))
    well_known = importlib.resources.files("grpc_tools") / "_proto"
    status = protoc.main(
        ["protoc", f"-I{protos}", f"-I{well_known}", f"--python_out={out}",
         f"--grpc_python_out={out}", *files]
    )  # fmt: skip
    if status != 0:
        raise RuntimeError("protoc failed")
    if str(out) not in sys.path:
        sys.path.insert(0, str(out))
