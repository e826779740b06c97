"""What the tests of the Better Auth plugin start from."""

import pytest

from support import leaks, stubs

stubs.generate()


@pytest.fixture(scope="session", autouse=True)
def no_log_holds_a_secret(tmp_path_factory):
    """Searches the logs of the whole session when all tests are through."""
    yield
    found = leaks.find(sorted(tmp_path_factory.getbasetemp().rglob("*.log")))
    assert not found, f"a token or secret is logged at: {', '.join(found)}"
