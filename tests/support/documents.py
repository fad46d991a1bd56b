"""The pages in `docs/` and the README as something that can be carried out.

A fenced block of `sh` or `console` is a step. A comment just before a block says otherwise:
`<!-- not run by tests: needs Docker -->` leaves it out, `<!-- file: path -->` is a file to write.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.processes import ROOT

_BLOCK = re.compile(r"(?:^<!-- (.*?) -->\n)?^```(\w*)\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    comment: str
    language: str
    text: str

    @property
    def why_not_run(self) -> str:
        return self.comment.partition("not run by tests:")[2].strip()

    @property
    def file(self) -> str:
        return self.comment.partition("file:")[2].strip()

    @property
    def is_step(self) -> bool:
        return self.language in ("sh", "console") or bool(self.file)


@dataclass(frozen=True)
class Command:
    text: str
    output: str | None
    """None where the page shows none."""


def pages() -> list[str]:
    return ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]


def blocks(page: str) -> list[Block]:
    text = (ROOT / page).read_text()
    return [
        Block(page, text.count("\n", 0, m.start()) + 1, m[1] or "", m[2], m[3])
        for m in _BLOCK.finditer(text)
    ]


def recipe(page: str, name: str) -> str:
    """Return the numbered steps below a name in bold, each run of white space as one space."""
    _, found, after = (ROOT / page).read_text().partition(f"**{name}.**")
    steps = re.search(r"^1\. .*?(?=\n\n)", after, re.M | re.S)
    assert found and steps, f"{page}: no recipe {name}"
    return " ".join(steps[0].split())


def commands(block: Block) -> Iterator[Command]:
    """An `sh` block is one; in a `console` block each `$ ` begins one, before what it prints."""
    if block.language == "sh":
        yield Command(block.text, None)
        return
    lines = block.text.splitlines()
    while lines:
        first = lines.pop(0)
        assert first.startswith("$ "), f"{block.page}, line {block.line}: not a command: {first}"
        command = first[2:]
        while _goes_on(command):
            command += "\n" + lines.pop(0)
        output = []
        while lines and not lines[0].startswith("$ "):
            output.append(lines.pop(0))
        yield Command(command, "\n".join(output))


def _goes_on(command: str) -> bool:
    try:
        shlex.split(command)
    except ValueError:
        return True
    return command.endswith("\\")
