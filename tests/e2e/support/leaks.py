"""What must never be seen in a log: every token, secret and key of the suite."""

import re
from pathlib import Path

import ahocorasick

# Enough of it to know it by: the server cuts long values.
_ENOUGH = 24
_needles: set[str] = set()
# The start of any JSON object in base64url: header or claims of a token.
_ANY_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{12,}")


def remember(secret: str) -> str:
    """Gives its argument back, for use in the middle of an expression."""
    if len(secret) >= 12:
        _needles.add(secret[:_ENOUGH])
    return secret


def remember_token(token: str) -> str:
    # The header is no secret, and names the key; a claims set and a signature are.
    for part in token.split(".")[1:]:
        remember(part)
    return token


def remember_pem(pem: str) -> str:
    for line in pem.splitlines()[1:-1]:
        remember(line)
    return pem


def find(logs: list[Path]) -> list[str]:
    """The places of all leaks, without repeating what leaked."""
    # Thousands of them in one pass, or the search takes longer than the tests.
    known = ahocorasick.Automaton()
    for needle in _needles:
        known.add_word(needle, True)
    known.make_automaton()
    found = []
    for log in logs:
        text = log.read_text(errors="replace")
        if not _leaks(known, text):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if _leaks(known, line):
                found.append(f"{log}:{number}")
    return found


def _leaks(known: ahocorasick.Automaton, text: str) -> bool:
    if _ANY_TOKEN.search(text):
        return True
    return len(known) > 0 and next(known.iter(text), None) is not None


def count() -> int:
    return len(_needles)
