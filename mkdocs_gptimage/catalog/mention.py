"""Images that name a picture by id instead of by file: `![alt](gpt-image:ID)`, `image: gpt-image:ID`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mkdocs_gptimage.blocks.fence import Block
from mkdocs_gptimage.catalog.catalog import Use
from mkdocs_gptimage.catalog.location import Location
from mkdocs_gptimage.spec.model import BY_ID, ParsedBlock, Presentation

if TYPE_CHECKING:
    from mkdocs_gptimage.catalog.ids import Declaration
    from mkdocs_gptimage.catalog.location import Source


@dataclass(frozen=True)
class Mention:
    """A page's image that names a picture by id."""

    page: str
    """The name of its file, as messages show it."""
    id: str
    source: Source = field(compare=False)

    @property
    def line(self) -> int | None:
        """The line of the first mention in the page's file; None for one that was included or made by a macro."""
        try:
            before, found, _ = self.source.text().partition(f"{BY_ID}{self.id}")
        except (OSError, UnicodeError):
            return None
        return before.count("\n") + 1 if found else None

    @property
    def location(self) -> Location:
        """The page and, if known, the line."""
        return Location(self.page, self.line)

    @property
    def where(self) -> str:
        """The location as text, `docs/a.md:7`."""
        return str(self.location)


@dataclass(frozen=True)
class UseById(Use):
    """A page that shows a picture of a spec file by its id."""

    mention: Mention
    declared_at: Location
    """Where the spec file declares the picture."""

    @property
    def line(self) -> int | None:
        return self.mention.line

    def location(self, offset: int = -1) -> Location:  # noqa: ARG002 - a mention has no body
        return self.declared_at


def use_of_mention(mention: Mention, declaration: Declaration, parsed: ParsedBlock) -> UseById:
    """Return the use of a spec file's picture on a page; a mention shows the light picture only."""
    presentation = Presentation(id=mention.id, alt=parsed.presentation.alt, prompt=parsed.presentation.prompt)
    shown = ParsedBlock(parsed.spec, presentation)
    return UseById(mention.source, Block("", ""), 0, shown, mention, declaration.location(-1))
