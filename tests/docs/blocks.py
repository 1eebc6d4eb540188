"""The code blocks of a page, and the pages there are."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_COMMENT = re.compile(r"\s+# .*$")


@dataclass(frozen=True)
class Block:
    """What stands between two fences.

    Attributes:
        line: of the page, where its text begins.
        text: without the indentation of its fences.
    """

    page: str
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """The commands of a `console` block, without comments; lines that go on after a backslash are one."""
        joined = re.sub(r"\s*\\\n\s*", " ", self.text)
        return [_COMMENT.sub("", line[2:]).strip() for line in joined.splitlines() if line.startswith("$ ")]


def pages() -> list[str]:
    """Every page, by its path in the checkout."""
    found = [
        CHECKOUT / "README.md",
        CHECKOUT / "benchmarks/README.md",
        *sorted((CHECKOUT / "docs").rglob("*.md")),
    ]
    return [path.relative_to(CHECKOUT).as_posix() for path in found]


def blocks(page: str) -> list[Block]:
    text = (CHECKOUT / page).read_text(encoding="utf-8")
    return [
        Block(page, text[: found.start("text")].count("\n") + 1, found["language"], _dedented(found))
        for found in _BLOCK.finditer(text)
    ]


def _dedented(found: re.Match[str]) -> str:
    return re.sub(f"^{found['indent']}", "", found["text"], flags=re.MULTILINE)


def split(command: str) -> list[str]:
    return shlex.split(command)
