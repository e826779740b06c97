"""The token in a cookie, through Envoy, nginx, Traefik and Caddy by the files of examples/proxies:
where it counts, that no other site can use it, and that the service does not get it."""

import pytest

from support.proxies import COOKIE, ORIGIN

MINE = "/users/ada/tasks/7"


def test_a_token_in_the_cookie_counts_and_a_header_decides_alone(stage, proxy):
    cookie = ("Cookie", f"theme=dark; {COOKIE}={stage.token()}; x=y")
    got = proxy.ask("GET", MINE, cookie).upstream
    assert got.values("x-auth-subject") == ["ada"]
    assert "theme=dark" in got.values("cookie")[0]
    stage.upstream.seen.clear()
    assert proxy.ask("GET", MINE, cookie, ("Authorization", "Bearer a.b.c")).status == 401
    assert proxy.ask("GET", MINE, cookie, ("Authorization", "")).status in (400, 401)
    two = ("Cookie", f"{cookie[1]}; {COOKIE}={stage.token(sub='bob')}")
    assert proxy.ask("GET", MINE, two).status == 400
    lines = [("Cookie", f"theme=dark; {COOKIE}={stage.token()}"), two]
    assert proxy.ask("GET", MINE, *lines).status == 400
    # A host may not shadow a cookie by one of a like name.
    for name in (f"{COOKIE}x", COOKIE.lower(), f'"{COOKIE}"'):
        assert proxy.ask("GET", MINE, ("Cookie", f"{name}={stage.token()}")).status == 401
    assert stage.upstream.seen == []


@pytest.mark.parametrize("name", ["envoy", "nginx", "caddy"])
def test_the_token_is_taken_out_of_header_and_cookie(stage, name):
    proxy, token = stage.proxies[name], f"{COOKIE}={stage.token()}"

    def reaches(path, *lines):
        got = proxy.ask("GET", path, *[("Cookie", line) for line in lines]).upstream
        assert COOKIE not in str(got.headers), (path, lines)
        assert got.values("authorization") == []
        return sorted(one for value in got.values("cookie") for one in value.split("; ") if one)

    for path in (MINE, "/public/page"):
        both = ["theme=dark", "x=y"]
        for cookies in (f"{token}; theme=dark; x=y", f"theme=dark; {token}; x=y",
                        f"theme=dark; x=y; {token}", f"theme=dark;{token} ;x=y"):  # fmt: skip
            assert "".join(reaches(path, cookies)).replace(";", "") == "".join(both), cookies
        assert reaches(path, "theme=dark", token, "x=y") == both
        assert reaches(path, token) == []
    for cookies in (f"{token}; {token}", f"{token};{token}; x=y; {token}", f"x=y; {token}; {token}"):
        assert reaches("/public/page", cookies) in ([], ["x=y"])
    alike = [f"a{COOKIE}=1", f"{COOKIE}2=2"]
    got = proxy.ask("GET", "/public/page", ("Cookie", "; ".join(alike))).upstream
    assert got.values("cookie") == ["; ".join(alike)]


def test_the_tokens_cookie_in_a_line_of_its_own_counts(stage, proxy):
    lines = [("Cookie", "theme=dark"), ("Cookie", f"{COOKIE}={stage.token()}"), ("Cookie", "x=y")]
    assert proxy.ask("GET", MINE, *lines).upstream.values("x-auth-subject") == ["ada"]


def test_the_tokens_cookie_behind_a_comma_is_400(stage, proxy, nothing_reaches):
    for path in (MINE, "/public/page"):
        for comma in (",", ", "):
            cookie = ("Cookie", f"theme=dark{comma}{COOKIE}={stage.token()}")
            answer = proxy.ask("GET", path, cookie)
            assert answer.status == 400 and answer.json["code"] == "INVALID_REQUEST"


SAFE = [
    [("Origin", ORIGIN)],
    [("Origin", ORIGIN), ("Sec-Fetch-Site", "cross-site")],
    [("Sec-Fetch-Site", "same-origin")],
]
FORGERIES = [
    [],
    [("Origin", "https://evil.example")],
    [("Origin", "null")],
    [("Origin", "")],
    [("Origin", ORIGIN + ".evil.example")],
    [("Origin", ORIGIN + "/")],
    [("Origin", "http://app.example.com")],
    [("Origin", "null"), ("Sec-Fetch-Site", "same-origin")],
    [("Origin", ORIGIN), ("Origin", "https://evil.example")],
    [("Sec-Fetch-Site", "same-site")],
    [("Sec-Fetch-Site", "cross-site")],
    [("Sec-Fetch-Site", "none")],
    [("Referer", ORIGIN + "/page")],
    [("X-Forwarded-Host", "app.example.com")],
    [("sec_fetch_site", "same-origin")],
]


@pytest.mark.parametrize("headers", SAFE, ids=str)
def test_an_unsafe_method_with_the_cookie_passes_from_where_it_may_come(stage, proxy, headers):
    cookie = ("Cookie", f"{COOKIE}={stage.token()}")
    assert proxy.ask("PUT", MINE, cookie, *headers, body=b"x").status == 200


@pytest.mark.parametrize("headers", FORGERIES, ids=str)
def test_an_unsafe_method_with_the_cookie_is_refused_from_elsewhere(
    stage, proxy, nothing_reaches, headers
):
    cookie = ("Cookie", f"{COOKIE}={stage.token()}")
    assert proxy.ask("DELETE", MINE, cookie, *headers).status in (400, 403)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", None])
def test_a_page_elsewhere_opens_no_web_socket_with_the_cookie(
    stage, proxy, nothing_reaches, origin
):
    headers = [
        ("Cookie", f"{COOKIE}={stage.token()}"),
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        *([("Origin", origin)] if origin else []),
    ]
    assert proxy.ask("GET", MINE, *headers).status == 403


def test_a_page_elsewhere_that_has_the_token_itself_is_no_forgery(stage, proxy):
    headers = [("Origin", "https://other.example")]
    assert proxy.ask("DELETE", MINE, *headers, token=stage.token()).status == 200
