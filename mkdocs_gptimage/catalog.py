"""Every picture that a site asks for, and where; and every block that is not valid."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import blocks
from .errors import BlockError, one_line_each
from .validation import quote

if TYPE_CHECKING:
    from collections.abc import Callable

    from .blocks import Block
    from .spec import ImageSpec, Presentation, Reading


# As the Markdown parser divides a page; `splitlines` knows ends that no editor counts.
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, eq=False)
class Source:
    """The Markdown file of a page."""

    name: str
    """As messages show it, relative to the project: `docs/guide/cats.md`."""
    text: Callable[[], str]
    """Reads the file, front matter included; only called when a line number is wanted."""
    fence: str

    @functools.cached_property
    def blocks(self) -> dict[str, list[int]]:
        """Squeezed body of a block → the lines, from 1, of the opening fences of all blocks with that body."""
        found: dict[str, list[int]] = {}
        try:
            text = self.text()
        except (OSError, UnicodeError):  # gone since it was read: messages do without a line
            return found
        for span in blocks.find(_LINE_END.split(text), self.fence):
            found.setdefault(squeeze(span.block.body), []).append(span.start + 1)
        return found


@dataclass(frozen=True)
class Use:
    """One block on one page."""

    source: Source
    block: Block
    ordinal: int
    """Counts, from 0, the blocks of the page with the same text."""
    reading: Reading

    @property
    def line(self) -> int | None:
        """The line of the opening fence in the page's file; None for a block that was included or made by a macro."""
        lines = self.source.blocks.get(squeeze(self.block.body), [])
        return lines[min(self.ordinal, len(lines) - 1)] if lines else None

    def where(self, offset: int = -1) -> str:
        """Where to look, `docs/guide/cats.md:14`; `offset` counts the lines of the block's body from 0."""
        line = self.line
        if line is not None:
            return f"{self.source.name}:{line + 1 + offset}"
        first = next(filter(None, map(str.strip, self.block.body.splitlines())), "")
        return f"{self.source.name}: in included or generated text, the block {quote(first, 60)}"

    @property
    def presentation(self) -> Presentation:
        return self.reading.presentation


@dataclass
class Picture:
    """A picture and all of its uses; they share one digest, one submit and one file."""

    spec: ImageSpec
    uses: list[Use] = field(default_factory=list)

    @property
    def where(self) -> str:
        """Where the picture is asked for first."""
        return self.uses[0].where()


@dataclass
class Catalog:
    """What all pages that were read ask for."""

    pictures: dict[str, Picture] = field(default_factory=dict)
    """By digest, in the order of the pages."""
    problems: list[str] = field(default_factory=list)
    """One line each: `docs/guide/cats.md:14: size: '16:10' is not a size; did you mean '16:9'?`"""

    def require_valid(self) -> None:
        """Raise `BlockError` with every problem, a line each."""
        if self.problems:
            raise BlockError(one_line_each(self.problems))

    def add(self, use: Use) -> None:
        for offset, message in use.reading.problems:
            self.problems.append(f"{use.where(offset)}: {message}")
        spec = use.reading.spec
        if spec is not None:
            self.pictures.setdefault(spec.digest, Picture(spec)).uses.append(use)


def squeeze(text: str) -> str:
    """A block's text without white space: the host's handling of tabs and line ends does not hide where it stands."""
    return "".join(text.split())
