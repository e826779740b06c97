"""A running server's configuration, and what came of changing it."""

import os
import re
import signal

import yaml

from support.waiting import wait_until


def policy_of(who: str, **action) -> dict:
    return {"resources": {"task": {"actions": {"read": {"allow": [who], **action}}}}}


OWNER = policy_of("owner")
SUPPORT = policy_of("role:support") | {"roles": {"support": {}}}


def count(server, result: str) -> int:
    text = server.get("/metrics")[1]
    return int(re.search(rf'gatehouse_config_reloads_total{{result="{result}"}} (\d+)', text)[1])


def gauge(server, name: str) -> float:
    return float(re.search(rf"^gatehouse_config_{name} (\S+)$", server.get("/metrics")[1], re.M)[1])


def write(server, text: str):
    """Replaces the file at once, as an editor or a deployment does."""
    new = server.folder / "new.yaml"
    new.write_text(text)
    os.replace(new, server.config)


def settings_of(server) -> dict:
    return yaml.safe_load(server.config.read_text())


def put(server, **changes):
    settings = {**settings_of(server), **changes}
    write(server, yaml.safe_dump({k: v for k, v in settings.items() if v is not None}))


def hang_up(server, result: str = "ok"):
    """SIGHUP, and what came of it."""
    before = count(server, result)
    os.kill(server.pid, signal.SIGHUP)
    wait_until(lambda: count(server, result) > before, f"a reload that is {result}")


def reload(server, **changes):
    put(server, **changes)
    hang_up(server)
