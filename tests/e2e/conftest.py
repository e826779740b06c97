"""What all end-to-end tests start from. See support/ for how it works."""

import contextlib
import itertools

import pytest

from support import image, leaks, machine, stubs

stubs.generate()

from support.better_auth import BetterAuth  # noqa: E402  (needs the stubs, as the next does)
from support.client import Client  # noqa: E402
from support.issuers import Issuer, JwksServer  # noqa: E402
from support.proxies import NAMES, Stage  # noqa: E402
from support.server import Server, listen  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def no_log_holds_a_secret(tmp_path_factory):
    """Searches the logs of the whole session when all tests are through."""
    yield
    folder = tmp_path_factory.getbasetemp()
    # Decision logs too, those that were rotated included.
    logs = sorted([*folder.rglob("*.log"), *folder.rglob("*.jsonl*")])
    found = leaks.find(logs)
    assert not found, f"a token, secret or private key is logged at: {', '.join(found)}"
    print(f"\n{len(logs)} logs hold none of {leaks.count()} secrets")


@pytest.fixture
def make_server(tmp_path):
    """make_server(issuers, env=..., **sections) -> a Server with a database, running.
    start=False leaves both to the test."""
    made, numbers = [], itertools.count(1)

    def make(issuers, *, start=True, **settings) -> Server:
        server = Server(tmp_path / f"server-{next(numbers)}", issuers, **settings)
        made.append(server)
        return server.create_database().start() if start else server

    yield make
    for server in made:
        if server.running():
            server.stop()


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """A Gatehouse, an upstream, and all proxies between them."""
    made = Stage(tmp_path_factory.mktemp("stage"))
    try:
        made.gatehouse.create_database()
        made.start_gatehouse()
        for name in NAMES:
            made.start(name)
        yield made
    finally:
        made.stop()


@pytest.fixture(params=NAMES)
def proxy(request, stage):
    stage.upstream.seen.clear()
    return stage.proxies[request.param]


@pytest.fixture
def nothing_reaches(stage):
    """Fails if anything has reached the service at the end of the test."""
    stage.upstream.seen.clear()
    yield
    assert stage.upstream.seen == []


@pytest.fixture(scope="session")
def machine_library(tmp_path_factory):
    return machine.build(tmp_path_factory.mktemp("machine"))


@pytest.fixture
def make_machine(machine_library, tmp_path):
    """make_machine() -> a Machine to start servers on, with its `env`."""
    numbers = itertools.count(1)
    return lambda: machine.Machine(machine_library, tmp_path / f"machine-{next(numbers)}")


@pytest.fixture
def better_auth(tmp_path):
    auth = BetterAuth(tmp_path / "better-auth")
    yield auth
    auth.stop()


@pytest.fixture
def jwks_server():
    """jwks_server(answer) -> a JwksServer that has not appeared yet."""
    made = []

    def make(answer) -> JwksServer:
        made.append(JwksServer(answer))
        return made[-1]

    yield make
    for server in made:
        server.vanish()


@pytest.fixture
def hmac_issuer() -> Issuer:
    return Issuer("HS256")


@pytest.fixture
def server(make_server, hmac_issuer, tmp_path) -> Server:
    """A running one that trusts `hmac_issuer`."""
    return make_server([hmac_issuer.config_with_file(tmp_path)]).wait_until_ready()


@pytest.fixture
def serve(make_server, hmac_issuer, tmp_path):
    """serve(start=..., **fields of listen) -> a Server that trusts `hmac_issuer`."""
    section = hmac_issuer.config_with_file(tmp_path)
    return lambda start=True, **fields: make_server(
        [section], start=start, listen=listen(**fields)
    )


@pytest.fixture
def probe():
    """probe(server) -> a Client of its health port."""
    with contextlib.ExitStack() as made:
        yield lambda server: made.enter_context(
            contextlib.closing(Client(server.address("health")))
        )


@pytest.fixture(scope="session")
def container_image(tmp_path_factory):
    """The root folder that scripts/package makes."""
    folder = tmp_path_factory.mktemp("image") / "root"
    made = image.make(folder)
    assert made.returncode == 0, made.stderr
    print(made.stdout)
    return folder
