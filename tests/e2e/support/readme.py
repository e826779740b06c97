"""The README's blocks as programs.

A fenced block whose info string begins with sh, python or ts is run, unless the info
string also says no-run; an HTML comment right before such a block gives the reason.
A line `# prints: TEXT` (`// prints: TEXT`) in a block says that TEXT must occur in
what the block prints. A block that has one may exit as it likes, since what it shows
may be a refusal; in any other each command must succeed.
"""

import dataclasses
import re

LANGUAGES = ("sh", "python", "ts")
_FENCE = re.compile(r"^(?P<fence>`{3,}|~{3,})\s*(?P<info>[^`]*)$")
_PRINTS = re.compile(r"^\s*(?:#|//) prints: (?P<text>.*\S)\s*$")


@dataclasses.dataclass(frozen=True)
class Block:
    language: str
    line: int
    source: str
    prints: tuple[str, ...]

    def __str__(self):
        return f"{self.language} of line {self.line}"


@dataclasses.dataclass(frozen=True)
class Fence:
    """A fenced block of any kind; `before` is the last line of text above it."""

    info: list[str]
    line: int
    before: str
    lines: list[str]

    @property
    def source(self) -> str:
        return "\n".join(self.lines) + "\n"


def fences_of(text: str) -> list[Fence]:
    """All of them, in order."""
    found, before, opened = [], "", None
    for number, line in enumerate(text.splitlines(), 1):
        if opened is None:
            match = _FENCE.match(line)
            if match:
                opened = (match["fence"], Fence(match["info"].split(), number, before, []))
            elif line.strip():
                before = line.strip()
            continue
        fence, block = opened
        # What closes is at least as long, of the same kind, and has no info string.
        if line.strip() and set(line.strip()) == {fence[0]} and len(line.strip()) >= len(fence):
            found.append(block)
            opened, before = None, ""
        else:
            block.lines.append(line)
    if opened is not None:
        raise ValueError(f"line {opened[1].line}: a block is never closed")
    return found


def blocks_of(text: str) -> list[Block]:
    """The blocks to run, in order."""
    return [block for block in map(_block, fences_of(text)) if block]


def _block(fence: Fence) -> Block | None:
    info = fence.info
    if not info or info[0] not in LANGUAGES:
        return None
    if set(info[1:]) - {"no-run"}:
        raise ValueError(f"line {fence.line}: unknown word after {info[0]}: {' '.join(info[1:])}")
    if "no-run" in info:
        if not fence.before.endswith("-->"):
            raise ValueError(f"line {fence.line}: no comment says why this block is not run")
        return None
    prints = tuple(match["text"] for match in map(_PRINTS.match, fence.lines) if match)
    return Block(info[0], fence.line, fence.source, prints)
