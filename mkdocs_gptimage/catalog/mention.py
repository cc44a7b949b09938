"""Pictures that are shown by the id of what declares them: `![alt](gpt-image:ID)`, `image: gpt-image:ID`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mkdocs_gptimage.blocks.fence import Block
from mkdocs_gptimage.catalog.catalog import Use
from mkdocs_gptimage.spec.model import BY_ID, ParsedBlock, Presentation

if TYPE_CHECKING:
    from mkdocs_gptimage.catalog.catalog import Source
    from mkdocs_gptimage.catalog.ids import Declaration


@dataclass(frozen=True)
class Mention:
    """A place that shows a picture by its id."""

    page: str
    """The name of its file, as messages show it."""
    id: str
    source: Source = field(compare=False)

    @property
    def line(self) -> int | None:
        """The line in the page's file; None for what was included or made by a macro."""
        try:
            before, found, _ = self.source.text().partition(f"{BY_ID}{self.id}")
        except (OSError, UnicodeError):
            return None
        return before.count(chr(10)) + 1 if found else None

    @property
    def where(self) -> str:
        """The page and line, `docs/a.md:7`; the page alone where there is no line."""
        line = self.line
        return self.page if line is None else f"{self.page}:{line}"


@dataclass(frozen=True)
class UseById(Use):
    """A page that shows a picture of a specs file."""

    mention: Mention
    declared: str
    """The place of its declaration, `images/cats.yml:3`."""

    @property
    def line(self) -> int | None:
        return self.mention.line

    def where(self, offset: int = -1) -> str:  # noqa: ARG002 - a valid spec has no lines to tell apart
        return self.declared


def use_of_mention(mention: Mention, declaration: Declaration, reading: ParsedBlock) -> UseById:
    """Return the use of a picture of a specs file on a page, which shows no twin of it."""
    presentation = Presentation(id=mention.id, alt=reading.presentation.alt, prompt=reading.presentation.prompt)
    shown = ParsedBlock(reading.spec, presentation)
    return UseById(mention.source, Block("", ""), 0, shown, mention, declaration.where(-1))
