"""The pictures that a site uses, where each is used, and the problems of its blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mkdocs_gptimage.catalog.location import Location, Source, without_white_space
from mkdocs_gptimage.errors import BlockError
from mkdocs_gptimage.text import one_line_each, quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mkdocs_gptimage.blocks.fence import Block
    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.spec.model import ImageSpec, ParsedBlock, Presentation
    from mkdocs_gptimage.text import Problem


_FILE_NAME = re.compile(r"[\w .-]+\.(?:png|jpe?g|webp|avif|svg|gif)", re.IGNORECASE)
_REPEATS = {"prompt": "repeats the prompt", "file": "is the name of a file"}


@dataclass(frozen=True)
class Use:
    """One block on one page."""

    source: Source
    block: Block
    ordinal: int
    """Index among the blocks of the page with the same text."""
    parsed: ParsedBlock

    @property
    def line(self) -> int | None:
        """The line of the opening fence in the page's file; None for a block that was included or made by a macro."""
        return self.source.line_of(self.block, self.ordinal)

    def location(self, offset: int = -1) -> Location:
        """The location of a line of the block's body, counted from 0; -1 is the opening fence."""
        line = self.line
        if line is not None:
            return Location(self.source.name, line + 1 + offset)
        first = next(filter(None, map(str.strip, self.block.body.splitlines())), "")
        return Location(self.source.name, None, f"in included or generated text, the block {quote(first, 60)}")

    def where(self) -> str:
        """The location of the block as text, `docs/guide/cats.md:14`."""
        return str(self.location())

    @property
    def lines(self) -> range:
        """The lines of the block in the page's file, both fences included; empty for one without a line."""
        line = self.line
        return range(0) if line is None else range(line, line + self.block.body.count("\n") + 3)

    def has(self, problem: Problem) -> bool:
        """Whether a problem lies in this block."""
        where = self.location()
        if problem.file != where.file:
            return False
        if where.line is None:
            return bool(where.excerpt) and problem.message.startswith(where.excerpt)
        return problem.line in self.lines

    @property
    def presentation(self) -> Presentation:
        return self.parsed.presentation

    @property
    def dark(self) -> ImageSpec | None:
        """The twin for dark pages, where the block requests one."""
        return self.parsed.dark

    @property
    def shows(self) -> tuple[ImageSpec, ...]:
        """The pictures that readers of the block see: the light one, and its dark twin."""
        return tuple(spec for spec in (self.parsed.spec, self.parsed.dark) if spec is not None)


@dataclass
class Picture:
    """A picture and all of its uses; they share one digest, one submit and one file."""

    spec: ImageSpec
    parents: tuple[Picture, ...] = ()
    """The pictures among its references; they come before it in the catalog."""
    shown_by: list[Use] = field(default_factory=list)
    needed_by: list[Use] = field(default_factory=list)
    """Blocks that show a picture which has this one as a reference."""
    role: str = ""
    """As in `Problem`; set for a picture that no block describes, `candidate 2`."""

    @property
    def is_shown(self) -> bool:
        """Whether a page shows it; if not, it is needed only while a picture drawn from it is missing."""
        return bool(self.shown_by)

    @property
    def uses(self) -> list[Use]:
        """The blocks that show it, or else those that need it."""
        return self.shown_by or self.needed_by

    @property
    def lineage(self) -> set[Digest]:
        """The digests of the picture and of all its ancestors."""
        lineage: set[Digest] = set()
        pending = [self]
        while pending:
            picture = pending.pop()
            if picture.spec.digest not in lineage:
                lineage.add(picture.spec.digest)
                pending += picture.parents
        return lineage

    @property
    def role_in_first_use(self) -> str:
        """As in `Problem`: empty if the first use describes this picture, else `dark`, `reference` or `role`."""
        if self.role:
            return self.role
        described = self.uses[0].parsed.spec
        if described is not None and described.digest == self.spec.digest:
            return ""
        return "dark" if self.is_shown else "reference"

    @property
    def where(self) -> str:
        """Where the picture is used first, with its role there: `docs/cats.md:14 (dark)`."""
        role = self.role_in_first_use
        return f"{self.uses[0].where()}{f' ({role})' if role else ''}"

    def problem(self, message: str) -> Problem:
        """Return a problem with this picture, located at its first use."""
        return self.uses[0].location().problem(message, self.role_in_first_use)


@dataclass
class Catalog:
    """The pictures and blocks of all pages."""

    pictures: dict[Digest, Picture] = field(default_factory=dict)
    """By digest, in the order of the pages; parents before what is drawn from them."""
    uses: list[Use] = field(default_factory=list)
    """The valid blocks, page by page in their order."""
    blocks: list[Use] = field(default_factory=list)
    """All blocks, also those with problems, in the same order."""
    problems: list[Problem] = field(default_factory=list)
    """Problems of blocks and spec files, page by page."""

    def hints(self) -> list[str]:
        """One line for each useless alt text: it repeats the prompt, or is a file name."""
        return [
            f"{use.where()}: alt: {quote(use.presentation.alt, 60)} {_REPEATS[kind]}; say what readers would miss, or "
            'write `alt: ""` for a decorative picture'
            for picture in self.pictures.values()
            for use in picture.shown_by
            if use.presentation.alt
            and (kind := _repetition(use.presentation.alt, use.presentation.prompt or picture.spec.prompt))
        ]

    def require_valid(self) -> None:
        """Raise `BlockError` with every problem, a line each."""
        if self.problems:
            raise BlockError(one_line_each([str(problem) for problem in self.problems]))

    def add(self, use: Use) -> None:
        """Add the pictures and the problems of a use."""
        self.problems += [use.location(offset).problem(message) for offset, message in use.parsed.problems]
        self.add_pictures(use)

    def replace(self, uses: Iterable[Use]) -> None:
        """Replace all pictures and uses by those of `uses`, in the order of the pages; the problems stay."""
        self.pictures.clear()
        self.uses.clear()
        self.blocks.clear()
        for use in uses:
            self.add_pictures(use)

    def add_pictures(self, use: Use) -> None:
        """Add the pictures of a use whose problems are in the catalog already."""
        self.blocks.append(use)
        if use.parsed.spec is not None:
            self.uses.append(use)
        added: dict[Digest, Picture] = {}
        for spec in use.shows:
            self._add_picture(spec, use, added).shown_by.append(use)

    def _add_picture(self, spec: ImageSpec, use: Use, added: dict[Digest, Picture]) -> Picture:
        """Return the picture of a spec, its parents added before it; `added` holds those of this use so far."""
        if spec.digest in added:
            return added[spec.digest]
        parents = tuple(self._add_picture(parent, use, added) for parent in spec.parents)
        for parent in parents:
            if not parent.needed_by or parent.needed_by[-1] is not use:
                parent.needed_by.append(use)
        added[spec.digest] = self.pictures.setdefault(spec.digest, Picture(spec, parents))
        return added[spec.digest]


def _repetition(alt: str, prompt: str) -> str:
    """Why an alt text is useless: `prompt` or `file`, its key in `_REPEATS`; empty for a useful one."""
    if without_white_space(alt).rstrip(".").lower() == without_white_space(prompt).rstrip(".").lower():
        return "prompt"
    return "file" if _FILE_NAME.fullmatch(alt.strip()) else ""
