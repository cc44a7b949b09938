"""Pictures that are shown by the id of the block that declared them: `![alt](gpt-image:ID)`, `image: gpt-image:ID`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .spelling import nearest
from .validation import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from .catalog import Catalog
    from .spec import ImageSpec

SCHEME = "gpt-image:"

IMAGE = re.compile(rf'<img\b[^>]*?\ssrc="{SCHEME}(?P<id>[^"]*)"[^>]*>')
"""An image of a page's content; Python-Markdown escapes quotes and `>` inside attributes."""

LINK = re.compile(rf'(?<=\shref="){SCHEME}(?P<id>[^"]*)(?=")')
"""The address of a link that a neighbour has put around such an image."""


@dataclass(frozen=True)
class Mention:
    """A place that shows a picture by its id."""

    page: str
    """The name of its file, as messages show it."""
    id: str
    text: Callable[[], str] = field(default=str, compare=False)
    """Reads the page's file."""

    @property
    def where(self) -> str:
        """The page and line, `docs/a.md:7`; the page alone for what was included or made by a macro."""
        try:
            before, found, _ = self.text().partition(f"{SCHEME}{self.id}")
        except (OSError, UnicodeError):
            return self.page
        return f"{self.page}:{before.count(chr(10)) + 1}" if found else self.page


class Mentions:
    """All mentions of a build, and what they stand for once all pages are read."""

    def __init__(self) -> None:
        self._found: dict[Mention, None] = {}
        self._pictures: dict[Mention, ImageSpec] = {}
        self._unique: dict[str, ImageSpec] = {}

    def add(self, mention: Mention) -> None:
        self._found[mention] = None

    def resolve(self, catalog: Catalog) -> list[str]:
        """Find the picture of each mention; return a problem for each that has none, or several."""
        declared = _declared(catalog)
        self._unique = {name: one for name, pages in declared.items() if (one := _only(pages.values())) is not None}
        problems = []
        for mention in self._found:
            candidates = declared.get(mention.id, {})
            found = candidates.get(mention.page) or _only(candidates.values())
            if found is None:
                problems.append(f"{mention.where}: {SCHEME}{_why_not(mention.id, candidates, declared)}")
            else:
                self._pictures[mention] = found
        return problems

    def picture(self, page: str, name: str) -> ImageSpec | None:
        """The picture that a page means by an id; on pages that show parts of others, the only one of that id."""
        return self._pictures.get(Mention(page, name)) or self._unique.get(name)


def _only(pictures: Iterable[ImageSpec]) -> ImageSpec | None:
    """The picture that all of these are, if they are one."""
    found = {spec.digest: spec for spec in pictures}
    return next(iter(found.values())) if len(found) == 1 else None


def _declared(catalog: Catalog) -> dict[str, dict[str, ImageSpec]]:
    """Id → the pages that declare it, with the picture that they mean."""
    declared: dict[str, dict[str, ImageSpec]] = {}
    for picture in catalog.pictures.values():
        for use in picture.shown_by:
            if use.presentation.id and use.reading.spec is not None:
                declared.setdefault(use.presentation.id, {})[use.source.name] = use.reading.spec
    return declared


def _why_not(name: str, candidates: Collection[str], declared: Collection[str]) -> str:
    shown = quote(name).strip("'")
    if candidates:
        pages = " and ".join(sorted(candidates))
        return f"{shown} is declared for different pictures on {pages}; give them ids of their own"
    best = nearest(name, list(declared)) if declared else None
    advice = f"did you mean '{best}'?" if best else "expected the id of a block on any page"
    return f"{shown} is not the id of a block; {advice}"
