"""Where blocks and specs stand in the project's files: finds their lines, and writes them as messages show them."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mkdocs_gptimage.blocks.fence import find_blocks
from mkdocs_gptimage.text import Problem, escaped

if TYPE_CHECKING:
    from collections.abc import Callable

    from mkdocs_gptimage.blocks.fence import Block

# The line ends of Python-Markdown and of editors; `splitlines` splits at more.
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Location:
    """A file of the project and, if known, a line of it."""

    file: str
    """Relative to the project: `docs/guide/cats.md`."""
    line: int | None = None
    """Counts from 1; None for text that was included or made by a macro."""
    excerpt: str = ""
    """Identifies a block that has no line: `in included or generated text, the block 'prompt: a cat'`."""

    def __str__(self) -> str:
        """`docs/guide/cats.md:14`, or the file and the excerpt."""
        file = escaped(self.file, keep="")
        place = file if self.line is None else f"{file}:{self.line}"
        return f"{place}: {self.excerpt}" if self.excerpt else place

    def problem(self, message: str, role: str = "") -> Problem:
        """Return a problem at this location; `role` as in `Problem`."""
        if not self.excerpt:
            return Problem(message, self.file, self.line, role)
        return Problem(f"{self.excerpt}{f' ({role})' if role else ''}: {message}", self.file)


@dataclass(frozen=True, eq=False)
class Source:
    """The Markdown file of a page."""

    name: str
    """Relative to the project: `docs/guide/cats.md`."""
    text: Callable[[], str]
    """Reads the file, front matter included; called only when a line number is needed."""
    fence: str

    def line_of(self, block: Block, ordinal: int) -> int | None:
        """Return the line, from 1, of a block's opening fence; None for text that was included or made by a macro.

        `ordinal` is the index of the block among those of the page with the same text.
        """
        lines = self._lines.get(without_white_space(block.body), [])
        return lines[min(ordinal, len(lines) - 1)] if lines else None

    @functools.cached_property
    def _lines(self) -> dict[str, list[int]]:
        """Body of a block without white space → the lines, from 1, of the opening fences of the blocks with it."""
        lines: dict[str, list[int]] = {}
        try:
            text = self.text()
        except (OSError, UnicodeError):  # deleted since it was read: messages go without a line
            return lines
        for span in find_blocks(_LINE_END.split(text), self.fence):
            lines.setdefault(without_white_space(span.block.body), []).append(span.start + 1)
        return lines


def without_white_space(text: str) -> str:
    """Remove all white space, so that a block is recognised after Markdown changed its tabs and line ends."""
    return "".join(text.split())
