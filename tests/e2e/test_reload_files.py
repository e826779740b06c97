"""Files that change, come and go under a running server: each is noticed without a signal."""

import os
import secrets
from pathlib import Path

import grpc
import pytest
import yaml
from support.callers import Caller
from support.client import assert_allowed, assert_denied, code, status_of
from support.issuers import Issuer
from support.reloads import OWNER, SUPPORT, count, put, settings_of
from support.waiting import wait_until


@pytest.fixture
def issuer(hmac_issuer) -> Issuer:
    return hmac_issuer


@pytest.fixture
def governed(make_server, issuer, tmp_path):
    return make_server([issuer.config_with_file(tmp_path)], policy=OWNER).wait_until_ready()


def test_a_link_that_is_turned_to_another_file_is_a_change(make_server, issuer, tmp_path):
    # As Kubernetes mounts a ConfigMap: gatehouse.yaml -> ..data/gatehouse.yaml
    server = make_server([issuer.config_with_file(tmp_path)], policy=OWNER, start=False)
    settings = settings_of(server)
    settings["revocations"]["sqlite"]["path"] = str(server.database)
    for name, policy in (("..1", OWNER), ("..2", SUPPORT)):
        (server.folder / name).mkdir()
        text = yaml.safe_dump({**settings, "policy": policy})
        (server.folder / name / "gatehouse.yaml").write_text(text)
    (server.folder / "..data").symlink_to("..1")
    server.config.unlink()
    server.config.symlink_to("..data/gatehouse.yaml")
    server.create_database().start().wait_until_ready()
    token = issuer.token(roles=["support"])
    assert_denied(server.client.authorize(token, "task/1", "bob"), "INSUFFICIENT_PERMISSIONS")
    (server.folder / "..next").symlink_to("..2")
    os.replace(server.folder / "..next", server.folder / "..data")
    wait_until(lambda: count(server, "ok") == 1, "the link's new file to be read")
    assert_allowed(server.client.authorize(token, "task/1", "bob"))


def test_a_file_that_is_missing_for_a_while_is_told_once_and_changes_nothing(governed, issuer):
    away = governed.folder / "away.yaml"
    os.rename(governed.config, away)
    wait_until(lambda: "is missing" in governed.log, "the missing file to be told")
    assert_allowed(governed.client.authorize(issuer.token(), "task/1", "ada"))
    os.rename(away, governed.config)
    put(governed, policy=SUPPORT)
    token = issuer.token(roles=["support"])
    wait_until(
        lambda: governed.client.authorize(token, "task/1", "bob").decision.code == code("OK"),
        "the file that is back to be read",
    )
    assert governed.log.count("is missing") == 1
    assert count(governed, "refused") == 0


def test_a_callers_token_file_is_read_again_when_it_changes(make_server, issuer, tmp_path):
    caller, other = Caller(tmp_path, "api"), Caller(tmp_path, "spare")
    server = make_server([issuer.config_with_file(tmp_path)], callers=[caller.config])
    server.wait_until_ready()
    with caller.token_file.open("a") as file:
        file.write(other.token + "\n")
    wait_until(lambda: count(server, "ok") == 1, "the changed token file to be read")
    for one in (caller, other):
        client = one.client(server.grpc)
        assert_allowed(client.verify(issuer.token()))
        client.close()


def test_a_caller_who_is_taken_out_along_with_the_token_file_is_refused(
    make_server, issuer, tmp_path
):
    stays, goes = Caller(tmp_path, "stays"), Caller(tmp_path, "goes")
    server = make_server(
        [issuer.config_with_file(tmp_path)], callers=[stays.config, goes.config]
    ).wait_until_ready()
    client = goes.client(server.grpc)
    assert_allowed(client.verify(issuer.token()))
    goes.token_file.unlink()
    wait_until(lambda: count(server, "refused") == 1, "the missing token file to be refused")
    assert "goes.token" in server.log
    assert_allowed(client.verify(issuer.token()))
    put(server, callers=[stays.config])
    wait_until(lambda: count(server, "ok") == 1, "the caller to be taken out")
    assert status_of(lambda: client.verify(issuer.token())) == grpc.StatusCode.UNAUTHENTICATED
    client.close()


def test_a_policy_moves_from_a_file_to_a_folder(make_server, issuer, tmp_path):
    server = make_server(
        [issuer.config_with_file(tmp_path)], policy={"path": "policy.yaml"}, start=False
    )
    (server.folder / "policy.yaml").write_text(yaml.safe_dump(OWNER))
    server.create_database().start().wait_until_ready()
    (server.folder / "policies").mkdir()
    (server.folder / "policies" / "one.yaml").write_text(yaml.safe_dump(SUPPORT))
    put(server, policy={"path": "policies"})
    (server.folder / "policy.yaml").unlink()
    wait_until(lambda: count(server, "ok") == 1, "the folder to be read")
    assert_allowed(server.client.authorize(issuer.token(roles=["support"]), "task/1", "bob"))


def test_a_secret_file_that_is_replaced_ends_the_old_secrets_tokens(
    make_server, issuer, tmp_path
):
    server = make_server([issuer.config_with_file(tmp_path)]).wait_until_ready()
    token = issuer.token()
    assert_allowed(server.client.verify(token))
    file = Path(settings_of(server)["issuers"][0]["keys"]["secret_file"])
    new = file.with_suffix(".new")
    new.write_text(secrets.token_urlsafe(48))
    os.replace(new, file)
    wait_until(lambda: count(server, "ok") == 1, "the new secret to be read")
    assert_denied(server.client.verify(token), "TOKEN_INVALID")


def test_what_was_refused_for_a_missing_key_file_is_taken_when_the_file_comes(governed, tmp_path):
    other = Issuer("EdDSA")
    section = other.config_with_file(tmp_path)
    file = Path(section["keys"]["jwks_file"])
    away = file.with_suffix(".away")
    os.rename(file, away)
    put(governed, issuers=[section])
    wait_until(lambda: count(governed, "refused") == 1, "the missing key file to be refused")
    os.rename(away, file)
    wait_until(lambda: count(governed, "ok") == 1, "the key file to be found")
    assert count(governed, "refused") == 1
    assert_allowed(governed.client.verify(other.token()))
