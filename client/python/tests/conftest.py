"""What all tests of the Python client start from."""

import pytest

from gatehouse import Settings
from support.either import KINDS
from support.stand import Stand
from support.waiting import wait_until


@pytest.fixture(scope="session")
def stand():
    """One server for all tests that leave it as it was."""
    made = Stand()
    yield made
    leaks = made.do("leaks")["leaks"]
    made.end()
    assert not leaks


@pytest.fixture
def own_stand():
    """One for a test that stops, restores or reloads it."""
    made = Stand()
    yield made
    made.end()


@pytest.fixture(params=list(KINDS))
def kind(request):
    return request.param


@pytest.fixture
def connect(kind):
    """connect(stand, caller=..., target=..., **settings) -> a client of this kind."""
    made = []

    def make(stand, caller="backend", target=None, live=True, watch=True, **settings):
        token_file = None if caller is None else stand.caller(caller)
        settings = {"deadline": 5.0, **settings}
        target = target or stand.proxy
        client = KINDS[kind](
            Settings(target=target, token_file=token_file, **settings), watch=watch
        )
        made.append(client)
        client.start()
        if live and watch:
            wait_until(lambda: client.figures().live, "a live stream")
        return client

    yield make
    for client in made:
        client.close()
