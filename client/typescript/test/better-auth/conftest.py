"""What the tests of the Better Auth plugin start from."""

import itertools

import pytest

from postgres import Postgres
from support import leaks, stubs

stubs.generate()

from place import Place  # noqa: E402, since it imports what was generated


@pytest.fixture(scope="session", autouse=True)
def no_log_holds_a_secret(tmp_path_factory):
    """Searches the logs of the whole session when all tests are through."""
    yield
    found = leaks.find(sorted(tmp_path_factory.getbasetemp().rglob("*.log")))
    assert not found, f"a token or secret is logged at: {', '.join(found)}"


@pytest.fixture(scope="session")
def postgres(no_log_holds_a_secret):
    made = Postgres()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def shared(tmp_path_factory, postgres):
    """The places that all tests share who need no other, by the kind of their database."""
    made = {}

    def of(kind: str) -> Place:
        if kind not in made:
            database = postgres.make_database() if kind == "postgres" else None
            made[kind] = Place(tmp_path_factory.mktemp(f"better-auth-{kind}"), database=database)
        return made[kind]

    yield of
    for one in made.values():
        one.stop()


@pytest.fixture
def place(request, shared):
    """On SQLite, unless the test says otherwise; running again if a test has ended in the middle."""
    found = shared(getattr(request, "param", "sqlite"))
    if not found.gatehouse.running():
        found.gatehouse.start()
    if not found.app.running():
        found.app.start()
    return found


@pytest.fixture
def make_place(tmp_path, postgres):
    made, numbers = [], itertools.count(1)

    def make(*flags: str, on: str = "sqlite") -> Place:
        database = postgres.make_database() if on == "postgres" else None
        made.append(Place(tmp_path / f"place-{next(numbers)}", *flags, database=database))
        return made[-1]

    yield make
    for one in made:
        one.stop()
