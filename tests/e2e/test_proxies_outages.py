"""Gatehouse stopped, slow, or coming and going, behind every proxy: nothing passes undecided."""

import itertools
import threading

import pytest

from support.proxies import NAMES
from support.waiting import wait_until

MINE, BOBS = "/users/ada/tasks/7", "/users/bob/tasks/7"
REFUSED_STATUS = {"envoy": {503}, "nginx": {500}}
ANY_FAILURE = set(range(500, 600))


def passes_again(stage, name):
    def passes():
        return stage.proxies[name].ask("GET", MINE, token=stage.token()).status == 200

    wait_until(passes, f"what is allowed to pass {name} again")


@pytest.fixture
def back_in_the_end(stage):
    yield
    if not stage.gatehouse.running():
        stage.start_gatehouse()
    for name in NAMES:
        passes_again(stage, name)


def test_nothing_passes_while_gatehouse_is_stopped(stage, back_in_the_end):
    known = stage.token()
    for proxy in stage.proxies.values():
        assert proxy.ask("GET", MINE, token=known).status == 200
    stage.gatehouse.stop()
    stage.upstream.seen.clear()
    for name, proxy in stage.proxies.items():
        for path, token in ((MINE, known), (MINE, None), (BOBS, known), ("/public/page", None)):
            status = proxy.ask("GET", path, token=token).status
            assert status in REFUSED_STATUS.get(name, ANY_FAILURE), (name, path)
    assert stage.upstream.seen == []


def test_nothing_passes_while_gatehouse_does_not_answer(stage, back_in_the_end):
    known = stage.token()
    for proxy in stage.proxies.values():
        assert proxy.ask("GET", MINE, token=known).status == 200
    stage.upstream.seen.clear()
    with stage.gatehouse_stuck():
        for name, proxy in stage.proxies.items():
            for path, token in ((MINE, known), (BOBS, known), ("/public/page", None)):
                # Traefik would wait for half a minute: the client goes before.
                seconds = 0.5 if name == "traefik" else 20
                try:
                    status = proxy.ask("GET", path, token=token, seconds=seconds).status
                except TimeoutError:
                    assert name == "traefik"
                else:
                    assert status in REFUSED_STATUS.get(name, ANY_FAILURE), (name, path)
        assert stage.upstream.seen == []
    # What is answered late opens nothing either.
    for name in NAMES:
        passes_again(stage, name)
    assert all(got.target == MINE for got in stage.upstream.seen)


def test_of_2000_requests_none_is_wrongly_allowed_while_gatehouse_restarts(stage, back_in_the_end):
    revoked = stage.token()
    stage.revoke(revoked)
    allowed, expired = stage.token(), stage.token(iat=1_700_000_000, exp=1_700_000_600)
    # The path tells the service which one it is.
    kinds = [
        ("allowed", "/users/ada/tasks/allowed-{}", allowed),
        ("bobs", "/users/bob/tasks/denied-{}", allowed),
        ("revoked", "/users/ada/tasks/denied-{}", revoked),
        ("allowed", "/users/ada/tasks/allowed-{}", allowed),
        ("expired", "/users/ada/tasks/denied-{}", expired),
        ("missing", "/users/ada/tasks/denied-{}", None),
        ("admin", "/admin/denied-{}", allowed),
    ]
    each, enough = 520, threading.Event()
    answers: list[tuple[str, str, int]] = []
    mistakes: list[BaseException] = []
    stage.upstream.seen.clear()

    def ask(proxy):
        try:
            for number in itertools.count():
                if number >= each and enough.is_set():
                    return
                kind, path, token = kinds[number % len(kinds)]
                status = proxy.ask("GET", path.format(number), token=token).status
                answers.append((proxy.name, kind, status))
        except BaseException as mistake:
            mistakes.append(mistake)

    askers = [threading.Thread(target=ask, args=(proxy,)) for proxy in stage.proxies.values()]
    for asker in askers:
        asker.start()
    for restart in range(4):
        before = len(answers)
        wait_until(lambda before=before: len(answers) > before + 100 or mistakes, "more answers")
        stage.gatehouse.kill() if restart % 2 else stage.gatehouse.stop()
        down = len(answers)
        wait_until(lambda down=down: len(answers) > down + 40 or mistakes, "answers meanwhile")
        stage.start_gatehouse()
    enough.set()
    for asker in askers:
        asker.join()
    assert not mistakes, mistakes

    assert len(answers) >= 2000
    wrong = [answer for answer in answers if answer[1] != "allowed" and answer[2] == 200]
    assert not wrong
    for name in NAMES:
        got = {(kind, status) for asked, kind, status in answers if asked == name}
        assert ("allowed", 200) in got
        assert any(kind == "allowed" and status >= 500 for kind, status in got), name
        for kind, status in got:
            right = {"allowed": {200}, "bobs": {403}, "admin": {403}}.get(kind, {401})
            assert status in right or status >= 500, (name, kind, status)
    targets = [got.target for got in stage.upstream.seen]
    assert all("/allowed-" in target for target in targets)
    assert len(targets) == sum(status == 200 for _, _, status in answers)
