"""Every picture that a site asks for, and where; and every block that is not valid."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mkdocs_gptimage.blocks.fence import find_blocks
from mkdocs_gptimage.errors import BlockError
from mkdocs_gptimage.text import one_line_each, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mkdocs_gptimage.blocks.fence import Block
    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.spec.model import ImageSpec, ParsedBlock, Presentation


_FILE_NAME = re.compile(r"[\w .-]+\.(?:png|jpe?g|webp|avif|svg|gif)", re.IGNORECASE)
_REPEATS = {"prompt": "repeats the prompt", "file": "is the name of a file"}
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
        for span in find_blocks(_LINE_END.split(text), self.fence):
            found.setdefault(squeeze(span.block.body), []).append(span.start + 1)
        return found


@dataclass(frozen=True)
class Use:
    """One block on one page."""

    source: Source
    block: Block
    ordinal: int
    """Counts, from 0, the blocks of the page with the same text."""
    reading: ParsedBlock

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

    @property
    def dark(self) -> ImageSpec | None:
        """The picture that dark pages show instead, where the block asks for one."""
        return self.reading.dark

    @property
    def shows(self) -> tuple[ImageSpec, ...]:
        """The pictures that readers of the block see: the light one, and its dark twin."""
        return tuple(spec for spec in (self.reading.spec, self.reading.dark) if spec is not None)


@dataclass
class Picture:
    """A picture and all of its uses; they share one digest, one submit and one file."""

    spec: ImageSpec
    parents: tuple[Picture, ...] = ()
    """The pictures that it is drawn from; they come before it in the catalog."""
    shown_by: list[Use] = field(default_factory=list)
    needed_by: list[Use] = field(default_factory=list)
    """Blocks that show a picture which is drawn from this one."""
    role: str = ""
    """What it is there when no block declares it, `candidate 2`."""

    @property
    def is_shown(self) -> bool:
        """Whether a reader sees it; if not, it is only needed while a picture that is drawn from it is missing."""
        return bool(self.shown_by)

    @property
    def uses(self) -> list[Use]:
        """The blocks that ask for it."""
        return self.shown_by or self.needed_by

    @property
    def lineage(self) -> set[Digest]:
        """The digests of the picture and of all that it is drawn from, and those are drawn from."""
        found: set[Digest] = set()
        waiting = [self]
        while waiting:
            picture = waiting.pop()
            if picture.spec.digest not in found:
                found.add(picture.spec.digest)
                waiting += picture.parents
        return found

    @property
    def where(self) -> str:
        """Where the picture is asked for first, `docs/cats.md:14`, with what it is there unless that is the picture."""
        first = self.uses[0]
        if self.role:
            return f"{first.where()} ({self.role})"
        if first.reading.spec is not None and first.reading.spec.digest == self.spec.digest:
            return first.where()
        return f"{first.where()} ({'dark' if self.is_shown else 'reference'})"


@dataclass
class Catalog:
    """What all pages that were read ask for."""

    pictures: dict[Digest, Picture] = field(default_factory=dict)
    """By digest, in the order of the pages; what a picture is drawn from stands before it."""
    uses: list[Use] = field(default_factory=list)
    """The valid blocks, page by page in their order."""
    problems: list[str] = field(default_factory=list)
    """One line each: `docs/guide/cats.md:14: size: '16:10' is not a size; did you mean '16:9'?`"""

    def hints(self) -> list[str]:
        """One line for each alt text that tells nobody anything: it repeats the prompt, or names a file."""
        return [
            f"{use.where()}: alt: {quote(use.presentation.alt, 60)} {_REPEATS[kind]}; say what readers would miss, or "
            'write `alt: ""` for a decorative picture'
            for picture in self.pictures.values()
            for use in picture.shown_by
            if use.presentation.alt
            and (kind := _repeats(use.presentation.alt, use.presentation.prompt or picture.spec.prompt))
        ]

    def require_valid(self) -> None:
        """Raise `BlockError` with every problem, a line each."""
        if self.problems:
            raise BlockError(one_line_each(self.problems))

    def add(self, use: Use) -> None:
        for offset, message in use.reading.problems:
            self.problems.append(f"{use.where(offset)}: {message}")
        self.enter(use)

    def replace(self, uses: Iterable[Use]) -> None:
        """Take these uses, in the order of the pages, for all that there are; the problems stay."""
        self.pictures.clear()
        self.uses.clear()
        for use in uses:
            self.enter(use)

    def enter(self, use: Use) -> None:
        """Add the pictures of a use; what is wrong with it has been told."""
        if use.reading.spec is not None:
            self.uses.append(use)
        entered: dict[Digest, Picture] = {}
        for spec in use.shows:
            self._enter(spec, use, entered).shown_by.append(use)

    def _enter(self, spec: ImageSpec, use: Use, entered: dict[Digest, Picture]) -> Picture:
        """Return the picture of a spec, behind those that it is drawn from; `entered` are those of this use so far."""
        if spec.digest in entered:
            return entered[spec.digest]
        parents = tuple(self._enter(parent, use, entered) for parent in spec.parents)
        for parent in parents:
            if not parent.needed_by or parent.needed_by[-1] is not use:
                parent.needed_by.append(use)
        entered[spec.digest] = self.pictures.setdefault(spec.digest, Picture(spec, parents))
        return entered[spec.digest]


def _repeats(alt: str, prompt: str) -> str:
    """What an alt text only repeats: `prompt`, `file`, or nothing."""
    if squeeze(alt).rstrip(".").lower() == squeeze(prompt).rstrip(".").lower():
        return "prompt"
    return "file" if _FILE_NAME.fullmatch(alt.strip()) else ""


def squeeze(text: str) -> str:
    """A block's text without white space: the host's handling of tabs and line ends does not hide where it stands."""
    return "".join(text.split())
