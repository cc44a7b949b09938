"""Finds fenced blocks in the lines of a Markdown text, inside lists, quotes and other containers too."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


DEFAULT_FENCE = "gpt-image"
TAB = 4
# The lookaheads prevent quadratic backtracking on long lines.
_OPENING = re.compile(r"(?P<prefix>[> \t]*)(?P<fence>`{3,}(?!`)|~{3,}(?!~))(?P<info>[^`\n]*)$")
_INFO = re.compile(r"(?:\{\s*)?\.?(?P<language>[^\s{}]+)(?![^\s{}])(?P<header>[^}]*)\}?\Z")
_PREFIX = re.compile(r"[> \t]*")


@dataclass(frozen=True)
class Block:
    """A fenced block of a Markdown text."""

    body: str
    """The text between the fences, without the indentation of the fence."""
    original: str
    """The whole block, fences included, to restore it where it turns out to be code."""
    header: str = ""
    """The text after the language; a valid block has none, as options belong into the body."""
    blank_lines_added: tuple[bool, bool] = (False, False)
    """Whether a blank line was inserted (before, after) the block, which keeps it out of paragraphs."""


@dataclass(frozen=True)
class Span:
    """A fenced block in a list of lines."""

    start: int
    end: int
    """The line after the closing fence."""
    prefix: str
    """White space and quote marks before the fence, tabs expanded."""
    block: Block


def find_blocks(lines: list[str], fence: str = DEFAULT_FENCE) -> Iterator[Span]:
    """Find the closed blocks whose language is `fence`; those inside other fences, or never closed, are text."""
    end = 0
    open_until: dict[str, int] = {}
    for index in [index for index, line in enumerate(lines) if "```" in line or "~~~" in line]:
        opening = _OPENING.match(lines[index]) if index >= end else None
        if opening is None:
            continue
        marks = opening["prefix"] + opening["fence"]
        if index < open_until.get(marks, 0):
            continue
        content = _content(lines, index, opening)
        after = index + len(content) + 1
        if not content or content[-1].rstrip() != opening["fence"]:
            # A later fence of this kind would search the same lines again.
            open_until[marks] = after
            continue
        end = after
        info = _INFO.match(opening["info"].strip())
        if info and info["language"] == fence:
            prefix = opening["prefix"].expandtabs(TAB)
            original = "\n".join([without_prefix(lines[index], prefix) or "", *content])
            yield Span(index, end, prefix, Block(body_of("\n".join(content[:-1])), original, info["header"].strip()))


def without_blocks(text: str, fence: str = DEFAULT_FENCE) -> str:
    """Return a Markdown text without its blocks, as plugins for excerpts need it."""
    lines = text.split("\n")
    kept: list[str] = []
    position = 0
    for span in find_blocks(lines, fence):
        kept += lines[position : span.start]
        position = span.end
    return "\n".join(kept + lines[position:])


def body_of(source: str) -> str:
    """Return the body of a block without trailing blank lines; every line ends in a line break."""
    kept = source.rstrip("\n")
    return f"{kept}\n" if kept else ""


def _content(lines: list[str], start: int, opening: re.Match[str]) -> list[str]:
    """Return the lines after an opening fence without the prefix of their container.

    The last one is the closing fence, unless the text or the container ends before it.
    """
    prefix = opening["prefix"].expandtabs(TAB)
    contents: list[str] = []
    for line in itertools.islice(lines, start + 1, None):
        content = without_prefix(line, prefix)
        if content is None:
            break
        contents.append(content)
        if content.rstrip() == opening["fence"]:
            break
    return contents


def without_prefix(line: str, prefix: str) -> str | None:
    """Remove the container's prefix from a line; None if the line is outside of the container."""
    line = line.expandtabs(TAB) if "\t" in line else line
    if line.startswith(prefix):
        return line[len(prefix) :]
    if not line.strip():
        return None if ">" in prefix else ""
    head = line[: len(prefix)]
    if ">" in prefix and not head.strip("> ") and head.count(">") == prefix.count(">"):
        return line[len(prefix) :]
    bare = line.strip()
    return "" if ">" in prefix and bare.replace(" ", "") == prefix.replace(" ", "") else None


def blank_between(prefix: str, adjacent: str | None) -> str | None:
    """Return the blank line to insert between a block and an adjacent line; None if none is needed."""
    if adjacent is None:
        return None
    level = min(prefix.count(">"), _quote_level(adjacent))
    if not adjacent.strip("> \t") and level == _quote_level(adjacent):
        return None
    return ">".join([*prefix.split(">")[:level], ""]) if level else ""


def _quote_level(line: str) -> int:
    """The number of block quotes that a line is nested in."""
    found = _PREFIX.match(line)
    return found[0].count(">") if found else 0
