"""The search of the logs can find what it looks for."""

from support import leaks
from support.client import assert_allowed


def test_secrets_and_tokens_are_found_in_a_log(hmac_issuer, tmp_path):
    log = tmp_path / "a.txt"
    for secret in (hmac_issuer.key, hmac_issuer.token(), hmac_issuer.token().split(".")[2]):
        log.write_text(f"harmless\n... {secret} ...\n")
        assert leaks.find([log]) == [f"{log}:2"]
    log.write_text("harmless\n")
    assert leaks.find([log]) == []


def test_grpcs_own_trace_cannot_be_switched_on(make_server, hmac_issuer, tmp_path):
    """It writes what is received: the session's search of the logs would find the token."""
    server = make_server(
        [hmac_issuer.config_with_file(tmp_path)],
        env={"GRPC_TRACE": "all", "GRPC_VERBOSITY": "DEBUG"},
    )
    assert_allowed(server.client.verify(hmac_issuer.token()))
    log = (server.folder / "server.log").read_text()
    assert "listening" in log
    assert hmac_issuer.token().split(".")[1][:24] not in log
    assert len(log.splitlines()) < 100
