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

from mkdocs_gptimage.blocks.visibility import visible_pieces
from mkdocs_gptimage.catalog.catalog import Catalog, Source, Use, squeeze
from mkdocs_gptimage.catalog.collector import UseCollector
from mkdocs_gptimage.catalog.mention import Mention
from mkdocs_gptimage.catalog.spec_files import read_spec_files
from mkdocs_gptimage.figures.caption import render_caption
from mkdocs_gptimage.figures.figure import FigureImage, attribute, render_figure
from mkdocs_gptimage.figures.inline import InlineImages, without_files
from mkdocs_gptimage.figures.markers import MENTION_IMAGE
from mkdocs_gptimage.figures.srcset import (
    PLACEHOLDER_FORMAT,
    card_attribute,
    expected_names,
    image_attributes,
    picture_element,
    sizes_for,
    source_elements,
    src_of,
    style_attribute,
)
from mkdocs_gptimage.spec.model import BY_ID, ParsedBlock, SiteDefaults
from mkdocs_gptimage.spec.parse import parse_block, unmet_requirements
from mkdocs_gptimage.spec.prompts import DARK_INSTRUCTION
from mkdocs_gptimage.spec.references import ReferenceResolver
from mkdocs_gptimage.store.snapshot import StoreSnapshot
from mkdocs_gptimage.text import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from markdown import Markdown

    from mkdocs_gptimage.blocks.fence import Block
    from mkdocs_gptimage.figures.srcset import PublishedImage
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.spec.model import ImageSpec
    from mkdocs_gptimage.store.store import Store


DARK_MEDIA = "(prefers-color-scheme: dark)"
LABEL = "AI-generated image"
"""What `output.disclosure: label` shows to readers."""


@dataclass(frozen=True)
class PageContext:
    """The page that is being converted."""

    source: Source
    folder: str
    """The absolute path of the folder that local reference images are relative to."""
    url: Callable[[str], str]
    """Path of a file in the site → its URL as this page writes it."""


class PageRenderer:
    """Reads the pages of one build."""

    def __init__(self, settings: Settings, store: Store, *, may_generate: bool) -> None:
        self.catalog = Catalog()
        self.page: PageContext | None = None
        self._settings = settings
        self._store = store
        self.snapshot = StoreSnapshot(store)
        self._format_of_missing = "png" if may_generate else PLACEHOLDER_FORMAT
        self._references = ReferenceResolver(settings.project, settings.docs)
        self._token = secrets.token_hex(8)
        self._ordinals: dict[tuple[Source, str], int] = {}
        self._expected: dict[str, tuple[str, str]] = {}
        self._shown: Mapping[Digest, PublishedImage] = {}
        self._is_delivered = False
        self._firsts: set[int] = set()
        self._stand_ins: dict[tuple[int, bool], tuple[str, str]] = {}
        """The names that figures were written with whose own are not known until all pages are read."""
        self._images_by_id = InlineImages(settings)
        house = SiteDefaults(settings.defaults, settings.styles, settings.dark_instruction or DARK_INSTRUCTION)
        self.specs = read_spec_files(
            settings.project, settings.specs, house, self._references.resolve, require_alt=settings.require_alt
        )
        self.catalog.problems.extend(self.specs.problems)
        self._asked = UseCollector(self.catalog, self.specs.specs)
        key = f'="{self._token}-(?P<key>[0-9]+)"'
        self._marker = re.compile(f" data-gptimage{key}")
        self._any_marker = re.compile(f" data-gptimage(?:-dark)?{key}")
        # No attribute holds a `>`: ours are escaped.
        self._image = re.compile(f"<img\\b(?P<before>[^>]*?) data-gptimage(?P<dark>-dark)?{key}(?P<after>[^>]*>)")

    def render(self, block: Block, md: Markdown) -> str:
        """Return the figure of a block on the current page; one with problems leaves only its marker."""
        page = self.page
        if page is None:
            # Text that some plugin converts before there are pages: nobody is known to see it.
            return f"<pre><code>{html.escape(block.original)}</code></pre>"
        use = Use(page.source, block, self._count(page.source, block), self._read(block, page))
        key = self._asked.note(use)
        if use.reading.spec is None:
            return f'<figure data-gptimage="{self._token}-{key}"></figure>'
        return self._figure(use, page, key, md)

    def _figure(self, use: Use, page: PageContext, key: int, md: Markdown) -> str:
        presentation = use.presentation
        light, *twins = use.shows
        has_two_images = bool(twins) and self._settings.has_palette_toggle
        parts = [self._part(light, use, page, key, "#only-light" if has_two_images else "")]
        if has_two_images:
            parts.append(self._part(twins[0], use, page, key, "#only-dark"))
        return render_figure(
            light,
            presentation,
            parts,
            caption=render_caption(presentation.caption, md) if presentation.caption else "",
            label=LABEL if self._settings.output.disclosure else "",
        )

    def _part(self, picture: ImageSpec, use: Use, page: PageContext, key: int, fragment: str) -> FigureImage:
        known = self._shown.get(picture.digest)
        is_dark = picture is not use.reading.spec
        marker = f'data-gptimage{"-dark" if is_dark else ""}="{self._token}-{key}"'
        if use.reading.wants:
            self._stand_ins[key, is_dark] = self._stand_in(picture, f"{key}{'-dark' if is_dark else ''}")
        name, original = (known.src.name, known.original) if known else self._written(picture, key, is_dark=is_dark)
        prefix = page.url(f"{self._settings.assets}/")
        presentation = use.presentation
        rest = self._rest(known, prefix, use, loading=presentation.loading or "lazy") if known else marker
        full = f"{prefix}{original or name}" if presentation.link else None
        return FigureImage(
            f"{prefix}{name}{fragment}", rest, full, self._offered(picture, use, prefix) if known else ""
        )

    def _offered(self, picture: ImageSpec, use: Use, prefix: str) -> str:
        """The `<source>` elements for what else there is of a picture than its `<img>` has."""
        sizes = sizes_for(self._sizes, use.presentation.width)
        offered = source_elements(self._shown[picture.digest], prefix, sizes)
        twin = self._twin(use)
        return source_elements(twin, prefix, sizes, media=DARK_MEDIA) + offered if twin else offered

    def _twin(self, use: Use) -> PublishedImage | None:
        """What the `<img>` of a figure shows instead on dark screens; None where twins are images of their own."""
        return None if use.dark is None or self._settings.has_palette_toggle else self._shown[use.dark.digest]

    @property
    def _sizes(self) -> str:
        return self._settings.output.sizes

    def _rest(self, known: PublishedImage, prefix: str, use: Use, *, loading: str, plain: bool = False) -> str:
        width = use.presentation.width
        found = image_attributes(known, prefix, sizes=sizes_for(self._sizes, width), loading=loading)
        found = without_files(found) if plain else found
        found |= style_attribute(known, width, None if plain else self._twin(use))
        found |= {} if plain else card_attribute(known, self._twin(use))
        return "".join(attribute(name, value) for name, value in found.items())

    def _expect(self, picture: ImageSpec) -> tuple[str, str]:
        """The names of the file that the site will show and of the original, as far as they are known by now."""
        if picture.digest not in self._expected:
            # Records are read later, all together: that is several times faster than between conversions.
            ending = self._store.ending(picture.digest) or self._format_of_missing
            self._expected[picture.digest] = expected_names(picture, ending, self._settings.output)
        return self._expected[picture.digest]

    def _stand_in(self, picture: ImageSpec, key: str) -> tuple[str, str]:
        """Names that no other picture has, to be replaced when that of the picture is known."""
        return expected_names(picture, "png", self._settings.output, f"{picture.slug}-{self._token}-{key}")

    def _written(self, picture: ImageSpec, key: int, *, is_dark: bool) -> tuple[str, str]:
        """The names that a figure was, or is, written with."""
        return self._stand_ins.get((key, is_dark)) or self._expect(picture)

    def _count(self, source: Source, block: Block) -> int:
        key = (source, squeeze(block.body))
        ordinal = self._ordinals.get(key, 0)
        self._ordinals[key] = ordinal + 1
        return ordinal

    def _read(self, block: Block, page: PageContext) -> ParsedBlock:
        reading = parse_block(
            block.body,
            self._settings.defaults,
            lambda entry: self._references.resolve(entry, Path(page.folder)),
            self._settings.dark_instruction or DARK_INSTRUCTION,
            self._settings.styles,
        )
        problems = list(reading.problems)
        if block.header:
            problems.append((-1, f"{quote(block.header)} stands behind the fence; write options as lines in the block"))
        problems += [(0, said) for said in unmet_requirements(reading, alt=self._settings.require_alt)]
        if problems:
            return ParsedBlock(None, reading.presentation, tuple(problems))
        return self._asked.completed(reading, page.source.name, is_late=self._is_delivered)

    def collect(self, content: str) -> list[Use]:
        """Add what a page's finished content asks for to the catalog; return its uses."""
        if self._token not in content:
            return []
        keys = [
            int(match["key"])
            for piece, is_visible in visible_pieces(content, self._token)
            if is_visible
            for match in self._marker.finditer(piece)
        ]
        self._asked.collect(keys)
        self._firsts.update(keys[:1])
        return [self._asked.uses[key] for key in keys]

    def collect_mentions(self, content: str, source: Source) -> bool:
        """Note the pictures that a page's finished content shows by their ids; whether there are any."""
        names = [
            html.unescape(match["id"])
            for piece, is_visible in visible_pieces(content, BY_ID)
            if is_visible
            for match in MENTION_IMAGE.finditer(piece)
        ]
        for name in names:
            self.mention(name, source)
        return bool(names)

    def mention(self, name: str, source: Source) -> Mention:
        """Note that a page shows the picture of a block with this id."""
        mention = Mention(source.name, name, source)
        self._asked.mention(mention)
        return mention

    def resolve_ids(self) -> None:
        """Find what ids stand for, when all pages are read, and complete what was waiting for that."""
        self._asked.resolve()

    @property
    def mentions(self) -> dict[Digest, list[Mention]]:
        """Where pages show a picture by its id, by digest; once ids are resolved."""
        return self._asked.mentions

    def picture_of(self, name: str, source: Source) -> ImageSpec | None:
        """The picture that a page means by an id."""
        reading = self._asked.reading_of(name, source.name)
        return reading.spec if reading is not None else None

    def deliver(self, known: Mapping[Digest, PublishedImage]) -> None:
        """Take what the site shows, by digest; from now on figures are written finished."""
        self._shown = known
        self._is_delivered = True

    def complete(self, attributes: dict[str, str]) -> None:
        """Give an `<img>` that shows a picture by its id what it takes, as soon as pictures are known."""
        name = attributes.get("src", "").removeprefix(BY_ID)
        if self.page is not None and attributes.get("src") != name and (known := self._known(name, self.page)):
            self._images_by_id.complete(attributes, self.page.url(f"{self._settings.assets}/"), *known)

    def _known(self, name: str, page: PageContext) -> tuple[PublishedImage, str] | None:
        """What the site shows for an id, and its alternative text."""
        reading = self._asked.reading_of(name, page.source.name)
        if reading is None or reading.spec is None or reading.spec.digest not in self._shown:
            return None
        return self._shown[reading.spec.digest], reading.presentation.alt or ""

    def finish(self, content: str, page: Callable[[], PageContext], *, plain: bool = False) -> str:
        """Fill in what the figures of a page's content were waiting for, and the pictures that it shows by id.

        A `plain` one names no file but in `src` and `href`, for a neighbour that will move it and knows no other.
        """
        if BY_ID in content:
            current = page()
            prefix = current.url(f"{self._settings.assets}/")
            content = self._images_by_id.finish(content, prefix, lambda name: self._known(name, current), plain=plain)
        return self._finish_figures(content, plain=plain)

    def unmarked(self, content: str) -> str:
        """A page's content for a neighbour that takes it before the pictures are there."""
        return self._any_marker.sub("", content)

    def _finish_figures(self, content: str, *, plain: bool) -> str:
        renamed: dict[str, str] = {}

        def fill(match: re.Match[str]) -> str:
            use = self._asked.uses[int(match["key"])]
            light, *twins = use.shows
            picture = twins[0] if match["dark"] else light
            known = self._shown[picture.digest]
            expected, original = self._written(picture, int(match["key"]), is_dark=bool(match["dark"]))
            renamed.update({original: known.original or known.src.name, expected: known.src.name})
            prefix = src_of(match[0]).rpartition(expected)[0]
            loading = self._loading(int(match["key"]), use)
            rest = self._rest(known, prefix, use, loading=loading, plain=plain)
            image = f"<img{match['before']}{rest}{match['after']}"
            return image if plain else picture_element(image, self._offered(picture, use, prefix))

        content = self._image.sub(fill, content)
        # The service chose another format or size than expected: the names are unique, so they can be replaced
        # wherever a neighbour has put them.
        for expected, name in renamed.items():
            if name and expected != name:
                content = content.replace(expected, name)
        return content

    def _loading(self, key: int, use: Use) -> str:
        """What the block says; else eager for the first picture of a page, which readers see at once.

        Of two images of which readers see one, an eager one would be loaded in vain.
        """
        is_one_of_two = use.dark is not None and self._settings.has_palette_toggle
        return use.presentation.loading or ("eager" if key in self._firsts and not is_one_of_two else "lazy")
