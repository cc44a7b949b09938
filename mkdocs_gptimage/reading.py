"""Blocks of the pages → figures in their HTML, and a catalog of what the site asks for.

The figure is written while the page is converted, with its final `src` and `alt`, because neighbours read them from
the page's content. What needs the picture's bytes is filled in later, when all pages are read and the pictures are
there: until then a marker holds its place, and what a page asks for is read back from the markers that a reader sees.
"""

from __future__ import annotations

import html
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import caption, markup, references, spec
from .catalog import Catalog, Source, Use, squeeze
from .references import References
from .validation import quote
from .visibility import pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from markdown import Markdown

    from .blocks import Block
    from .settings import Settings
    from .spec import ImageSpec, Reading
    from .store import Damage, Entry, Store

PLACEHOLDER_FORMAT = "svg"


@dataclass(frozen=True)
class Page:
    """The page that is being converted."""

    source: Source
    folder: str
    """The absolute path of the folder that local reference images are relative to."""
    url: Callable[[str], str]
    """Path of a file in the site → its URL as this page writes it."""


@dataclass(frozen=True)
class Shown:
    """The file that the site shows for a picture."""

    name: str
    width: int
    """Pixels, as the height."""
    height: int


class Reader:
    """Reads the pages of one build."""

    def __init__(self, settings: Settings, store: Store, *, may_generate: bool) -> None:
        self.catalog = Catalog()
        self.page: Page | None = None
        self._settings = settings
        self._store = store
        self._format_of_missing = "png" if may_generate else PLACEHOLDER_FORMAT
        self._references = References(settings.project, settings.docs)
        self._token = secrets.token_hex(8)
        self._uses: list[Use] = []
        self._ordinals: dict[tuple[Source, str], int] = {}
        self._found: dict[str, Entry | Damage | None] = {}
        self._expected: dict[str, str] = {}
        self._shown: Mapping[str, Shown] = {}
        self._marker = re.compile(f' data-gptimage="{self._token}-(?P<key>[0-9]+)"')

    def look(self, digest: str) -> Entry | Damage | None:
        """Find a picture in the store, once per build."""
        if digest not in self._found:
            self._found[digest] = self._store.look(digest)
        return self._found[digest]

    def forget_store(self) -> None:
        """Look anew: pictures were stored since."""
        self._found.clear()

    def render(self, block: Block, md: Markdown) -> str:
        """Return the figure of a block on the current page; one with problems leaves only its marker."""
        page = self.page
        if page is None:
            # Text that some plugin converts before there are pages: nobody is known to see it.
            return f"<pre><code>{html.escape(block.original)}</code></pre>"
        use = Use(page.source, block, self._count(page.source, block), self._read(block, page))
        marker = f'data-gptimage="{self._token}-{len(self._uses)}"'
        self._uses.append(use)
        picture = use.reading.spec
        if picture is None:
            return f"<figure {marker}></figure>"
        return self._figure(picture, use.presentation, page, marker, md)

    def _figure(
        self, picture: ImageSpec, presentation: spec.Presentation, page: Page, marker: str, md: Markdown
    ) -> str:
        shown = self._shown.get(picture.digest)
        src = page.url(f"{self._settings.assets}/{shown.name if shown else self.expected_name(picture)}")
        return markup.figure(
            picture,
            presentation,
            src=src,
            size=markup.dimensions(shown.width, shown.height) if shown else marker,
            caption=caption.render(presentation.caption, md) if presentation.caption else "",
            full=src if presentation.link else None,
        )

    def expected_name(self, picture: ImageSpec) -> str:
        """The name of the file that the site will show, as far as it is known before the picture is there."""
        if picture.digest not in self._expected:
            # Records are read later, all together: that is several times faster than between conversions.
            ending = self._store.ending(picture.digest) or self._format_of_missing
            self._expected[picture.digest] = f"{picture.stem}.{ending}"
        return self._expected[picture.digest]

    def _count(self, source: Source, block: Block) -> int:
        key = (source, squeeze(block.body))
        ordinal = self._ordinals.get(key, 0)
        self._ordinals[key] = ordinal + 1
        return ordinal

    def _read(self, block: Block, page: Page) -> Reading:
        reading = spec.read(
            block.body, self._settings.defaults, lambda entry: self._references.resolve(entry, Path(page.folder))
        )
        problems = list(reading.problems)
        if block.header:
            problems.append((-1, f"{quote(block.header)} stands behind the fence; write options as lines in the block"))
        if reading.spec is not None:
            if self._settings.require_alt and reading.presentation.alt is None:
                problems.append((0, 'alt: is missing, and this site requires it; `alt: ""` marks a decorative picture'))
            try:
                references.check_together(reading.spec.references)
            except spec.UnusableReferenceError as error:
                problems.append((0, f"image_urls: {error}"))
        return spec.Reading(None, reading.presentation, tuple(problems)) if problems else reading

    def collect(self, content: str) -> list[Use]:
        """Add what a page's finished content asks for to the catalog; return its uses."""
        if self._token not in content:
            return []
        uses = [
            self._uses[int(match["key"])]
            for piece, is_visible in pieces(content, self._token)
            if is_visible
            for match in self._marker.finditer(piece)
        ]
        for use in uses:
            self.catalog.add(use)
        return uses

    def deliver(self, shown: Mapping[str, Shown]) -> None:
        """Take what the site shows, by digest; from now on figures are written finished."""
        self._shown = shown

    def finish(self, content: str) -> str:
        """Fill in what the figures of a page's content were waiting for."""
        renamed: dict[str, str] = {}

        def fill(match: re.Match[str]) -> str:
            picture = self._uses[int(match["key"])].reading.spec
            assert picture is not None
            shown = self._shown[picture.digest]
            expected = self.expected_name(picture)
            if expected != shown.name:
                renamed[expected] = shown.name
            return f" {markup.dimensions(shown.width, shown.height)}"

        content = self._marker.sub(fill, content)
        # The service chose another format than expected: the name is unique, so it can be replaced wherever it is.
        for expected, name in renamed.items():
            content = content.replace(expected, name)
        return content
