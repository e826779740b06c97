"""The search of the logs can find what it looks for."""

from support import leaks


def test_secrets_and_tokens_are_found_in_a_log(hmac_issuer, tmp_path):
    log = tmp_path / "a.txt"
    for secret in (hmac_issuer.key, hmac_issuer.token(), hmac_issuer.token().split(".")[2]):
        log.write_text(f"harmless\n... {secret} ...\n")
        assert leaks.find([log]) == [f"{log}:2"]
    log.write_text("harmless\n")
    assert leaks.find([log]) == []
