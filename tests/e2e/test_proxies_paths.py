"""Paths in every spelling, through every proxy: whatever reaches the service was allowed to."""

import contextlib
import http.client
import posixpath
from urllib.parse import unquote_to_bytes

import pytest

MINE = "/users/ada/tasks/7"
# What Ada may not see, behind a prefix that she may: {0} is the path to it without its
# first slash.
WAYS_OUT = [
    "/public/../{0}",
    "/public/./../{0}",
    "/public/a/../../{0}",
    "/public/%2e%2e/{0}",
    "/public/%2E%2e/{0}",
    "/public/.%2e/{0}",
    "/public/..%2f{0}",
    "/public/..%2F{0}",
    "/public%2f..%2f{0}",
    "/public/%2e%2e%2f{0}",
    "/public/..\\{0}",
    "/public\\..\\{0}",
    "/public/..%5c{0}",
    "/public/%5c..%5c{0}",
    "/public/..;/{0}",
    "/public;/../{0}",
    "/public/..;x=y/{0}",
    "/public/..%3b/{0}",
    "/public/%252e%252e/{0}",
    "/public/..%252f{0}",
    "/public/..%25%32%66{0}",
    "/public/%25252e%25252e/{0}",
    "/public/..%00/{0}",
    "/public/%00/../{0}",
    "/public/x%00/../../{0}",
    "/public/\x00/../{0}",
    "/public/%c0%ae%c0%ae/{0}",
    "/public/%e0%80%ae%e0%80%ae/{0}",
    "/public/%ff/../{0}",
    "/public/%u002e%u002e/{0}",
    "/public/%2/../{0}",
    "/public/%/../{0}",
    "/public/..%20/{0}",
    "/public/.. /{0}",
    "/public/..%09/{0}",
    "/public/..%0d%0a/{0}",
    "/public/%0d%0aX-Auth-Subject:%20bob/../{0}",
    "/public/#/../../{0}",
    "/public/%23/../../{0}",
    "/public/%3f/../../{0}",
    "/public/a/..//../{0}",
    "/public/...../../{0}",
    "//{0}",
    "///{0}",
    "/./{0}",
    "/.//{0}",
    "/;/{0}",
    "/%2f{0}",
    "/\\{0}",
    "{0}",
    "/{0}",
    "/{0}/",
    "/{0}/.",
    "/{0};.css",
    "/{0}%00.css",
    "/{0}%20",
    "/{0}.",
    "/{0}?/public/x",
    "/{0}#/public/x",
    "/{0}?x=/../public/x",
    "http://app.example.com/{0}",
    "http://evil.example/{0}",
    "HTTP://app.example.com/public/../{0}",
    "http:///{0}",
    "http://app.example.com/public/..%2f{0}",
    "/public/x HTTP/1.1\r\nHost: app.example.com\r\n\r\nGET /{0}",
]
HIDDEN = [
    "admin/x", "%61dmin/x", "ADMIN/x", "admin%2fx", "users/bob/tasks/7", "users/%62ob/tasks/7",
]  # fmt: skip
UNDER_ONES_OWN = [
    "/users/ada/../bob/tasks/7",
    "/users/ada/%2e%2e/bob/tasks/7",
    "/users/ada%2f..%2fbob/tasks/7",
    "/users/ada%2f../bob/tasks/7",
    "/users/ada;/../bob/tasks/7",
    "/users/ada\\..\\bob/tasks/7",
    "/users/ada%5c..%5cbob/tasks/7",
    "/users/ada/tasks/..%2f..%2fbob%2ftasks%2f7",
    "/users/ada/tasks/../../bob/tasks/7",
    "/users/ada/tasks/%252e%252e%252f%252e%252e%252fbob",
    "/users/ada/tasks/7%2f..%2f..%2f..%2fbob",
    "/users/ada//../bob/tasks/7",
    "/users//ada/tasks/7/../../../bob/tasks/7",
    "/users/ada%00/../bob/tasks/7",
    "/users/bob%00ada/tasks/7",
    "/users/ada,bob/tasks/7",
    "/users/bob/tasks/7?owner=ada",
    "/users/bob/tasks/7#/users/ada/tasks/7",
    "/users/bob;/users/ada/tasks/7",
]


def readings(target: bytes) -> set[str]:
    """Where a careless service might find itself: decoded as often as there is something to
    decode, with and without what else some program takes for a separator or an end."""
    found = set()
    if b"://" in target.split(b"?")[0]:
        target = b"/" + target.split(b"://", 1)[1].partition(b"/")[2]
    path = target.split(b"?")[0]
    for _ in range(4):
        for cut in (path, path.split(b"\0")[0], path.split(b"#")[0], path.split(b"?")[0]):
            for text in (cut, b"/".join(part.split(b";")[0] for part in cut.split(b"/"))):
                parts = text.replace(b"\\", b"/").split(b"/")
                joined = "/" + "/".join(
                    part.rstrip(b" \t").decode("latin-1") for part in parts if part.strip()
                )
                found.add(posixpath.normpath(joined).lower())
        path = unquote_to_bytes(path)
    return found


def assert_only_what_is_hers_was_seen(stage, asked):
    for got in stage.upstream.seen:
        for path in readings(got.target.encode("latin-1")):
            ok = path == "/" or path.startswith(("/public", "/users/ada/tasks/"))
            assert ok, f"asked {asked!r}, and the service saw {got.target!r}, perhaps {path!r}"


@pytest.mark.parametrize("hidden", HIDDEN)
def test_no_spelling_of_a_path_walks_around_a_rule(stage, proxy, hidden):
    token = stage.token()
    for way in WAYS_OUT:
        target = way.format(hidden).encode("latin-1")
        for given in (token, None):
            stage.upstream.seen.clear()
            with contextlib.suppress(http.client.HTTPException, ConnectionError):
                proxy.ask("GET", target, token=given)
            assert_only_what_is_hers_was_seen(stage, target)


def test_ones_own_prefix_leads_to_nobody_elses(stage, proxy):
    for target in UNDER_ONES_OWN:
        stage.upstream.seen.clear()
        with contextlib.suppress(http.client.HTTPException, ConnectionError):
            proxy.ask("GET", target, token=stage.token())
        assert_only_what_is_hers_was_seen(stage, target)


def test_bytes_that_are_no_utf_8_reach_nothing(stage, proxy):
    token = stage.token()
    for target in (b"/users/ada/tasks/\xff", b"/users/ada/tasks/%ff", b"/users/\xc3\xa4da/tasks/7",
                   b"/public/\x80", b"/public/%c0%af", b"/public/%ed%a0%80"):  # fmt: skip
        stage.upstream.seen.clear()
        assert proxy.ask("GET", target, token=token).status in (400, 403), target
        assert stage.upstream.seen == []


def test_an_escape_that_means_one_thing_alone_is_read(stage, proxy):
    got = proxy.ask("GET", "/users/%61da/tasks/a%20b", token=stage.token()).upstream
    assert readings(got.target.encode()) >= {"/users/ada/tasks/a b"}
    assert got.values("x-auth-subject") == ["ada"]


def test_a_path_and_headers_of_great_length_reach_nothing_or_are_hers(stage, proxy):
    token = stage.token()
    for length in (4_000, 9_000, 40_000):
        for target in (f"/users/ada/tasks/{'7' * length}", f"/admin/{'7' * length}"):
            stage.upstream.seen.clear()
            with contextlib.suppress(http.client.HTTPException, ConnectionError):
                proxy.ask("GET", target, token=token)
            assert_only_what_is_hers_was_seen(stage, target[:40])
    stage.upstream.seen.clear()
    with contextlib.suppress(http.client.HTTPException, ConnectionError):
        many = [(f"x-{n}", "v" * 1000) for n in range(100)]
        assert proxy.ask("GET", "/admin/x", *many, token=token).status >= 400
    assert stage.upstream.seen == []


def test_a_method_in_lower_case_or_of_no_kind_reaches_nothing(stage, proxy):
    for method in ("get", "Get", "G\x00T", "PURGE", "CONNECT", "TRACE", "X" * 100):
        with contextlib.suppress(http.client.HTTPException, ConnectionError):
            assert proxy.ask(method, MINE, token=stage.token()).status >= 400, method
        assert stage.upstream.seen == []
