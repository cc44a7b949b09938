"""Renders the blocks of pages as figures, and fills in published files once all pictures are there.

A figure is written while its page is converted, with its final `src` and `alt`, because other plugins read them from
the page's content. Attributes that depend on the picture's bytes follow after the last page: until then a marker
stands in their place. Uses are collected from the markers that a reader of the finished page sees.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mkdocs_gptimage.blocks.by_id import id_of, may_name_picture
from mkdocs_gptimage.catalog.block_parser import BlockParser
from mkdocs_gptimage.catalog.collector import UseCollector
from mkdocs_gptimage.catalog.spec_files import read_spec_files
from mkdocs_gptimage.figures.attributes import FigureAttributes
from mkdocs_gptimage.figures.caption import render_caption
from mkdocs_gptimage.figures.figure import FigureImage, render_figure
from mkdocs_gptimage.figures.file_names import ExpectedFileNames
from mkdocs_gptimage.figures.inline import InlineImages
from mkdocs_gptimage.figures.markers import FigureMarkers, MarkedImage, fill_mentions, visible_mentions
from mkdocs_gptimage.figures.problem_card import problem_card
from mkdocs_gptimage.figures.srcset import picture_element
from mkdocs_gptimage.spec.model import SiteDefaults
from mkdocs_gptimage.spec.prompts import DARK_INSTRUCTION
from mkdocs_gptimage.spec.references import ReferenceResolver
from mkdocs_gptimage.store.snapshot import StoreSnapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from markdown import Markdown

    from mkdocs_gptimage.blocks.fence import Block
    from mkdocs_gptimage.catalog.catalog import Use
    from mkdocs_gptimage.catalog.location import Source
    from mkdocs_gptimage.catalog.spec_files import SpecFiles
    from mkdocs_gptimage.figures.srcset import PublishedImage
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.spec.model import ImageSpec
    from mkdocs_gptimage.store.store import Store


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
    """Writes the figures of one build."""

    def __init__(self, settings: Settings, store: Store, *, may_generate: bool) -> None:
        self.page: PageContext | None = None
        self.snapshot = StoreSnapshot(store)
        """The pictures of the store as this build sees them."""
        self._parser = BlockParser(
            SiteDefaults(settings.defaults, settings.styles, settings.dark_instruction or DARK_INSTRUCTION),
            ReferenceResolver(settings.project, settings.docs),
            settings.require_alt,
        )
        self.collector = UseCollector(_read_spec_files(settings, self._parser))
        self._settings = settings
        self._markers = FigureMarkers()
        self._names = ExpectedFileNames(
            store, self.snapshot, settings.output, self._markers.token, may_generate=may_generate
        )
        self._attributes = FigureAttributes(settings)
        self._inline_images = InlineImages(settings)
        self._is_delivered = False

    def provide_references(self, find: Callable[[str], Path | None]) -> None:
        """Take how local reference images are found that the site has and its folder of pages lacks."""
        self._parser.references.provided = find

    def render(self, block: Block, md: Markdown) -> str:
        """Return the figure of a block on the current page; one with problems leaves an empty one with its marker."""
        page = self.page
        if page is None:
            # Some plugins convert text before the first page; it need not become part of the site.
            return code_block(block)
        parsed = self._parser.parse(block, page.folder)
        key = self.collector.add(page.source, block, parsed, is_late=self._is_delivered)
        if self.collector.uses[key].parsed.spec is None:
            figure = f"<figure {self._markers.write(key)}></figure>"
            return self._markers.fill_empty(figure, self._card) if self._is_delivered else figure
        return self._figure(key, page, md)

    def _figure(self, key: int, page: PageContext, md: Markdown) -> str:
        use = self.collector.uses[key]
        presentation = use.presentation
        light, *twins = use.shows
        if twins and self._settings.has_palette_toggle:
            images = [self._image(light, key, page, "#only-light"), self._image(twins[0], key, page, "#only-dark")]
        else:
            images = [self._image(light, key, page)]
        return render_figure(
            light,
            presentation,
            images,
            caption=render_caption(presentation.caption, md) if presentation.caption else "",
            label=LABEL if self._settings.output.disclosure else "",
        )

    def _image(self, spec: ImageSpec, key: int, page: PageContext, fragment: str = "") -> FigureImage:
        """One `<img>`: finished where the published files are known, else with a marker."""
        use = self.collector.uses[key]
        is_dark = spec is not use.parsed.spec
        if use.parsed.pending_references:
            self._names.reserve(spec, key, is_dark=is_dark)
        prefix = self._prefix(page)
        published = self._attributes.published.get(spec.digest)
        if published is None:
            shown, original = self._names.written(spec, key, is_dark=is_dark)
            attributes, sources = self._markers.write(key, is_dark=is_dark), ""
        else:
            shown, original = published.src.name, published.original
            attributes = self._attributes.attributes(spec, use, prefix, use.presentation.loading or "lazy")
            sources = self._attributes.sources(spec, use, prefix)
        full_size = f"{prefix}{original or shown}" if use.presentation.link else None
        return FigureImage(f"{prefix}{shown}{fragment}", attributes, full_size, sources)

    def _prefix(self, page: PageContext) -> str:
        """The URL of the assets folder as a page writes it."""
        return page.url(f"{self._settings.assets}/")

    def collect(self, content: str) -> list[Use]:
        """Collect the blocks that readers of a page's finished content see; return their uses."""
        keys = self._markers.visible_keys(content)
        return self.collector.collect(keys) if keys else []

    def collect_mentions(self, content: str, source: Source) -> bool:
        """Collect the images of a page's finished content that name pictures by id; return whether there are any."""
        names = visible_mentions(content)
        for name in names:
            self.collector.mention(name, source)
        return bool(names)

    def strip_markers(self, content: str) -> str:
        """Return a page's content for plugins that copy it before it is finished."""
        return self._markers.strip(content)

    def deliver(self, published: Mapping[Digest, PublishedImage]) -> None:
        """Take the published images by digest; from now on figures are written finished."""
        self._attributes.published = published
        self._is_delivered = True

    def complete(self, attributes: dict[str, str]) -> None:
        """Fill in an `<img>` of the current page's Markdown tree that names a picture by id, after `deliver`."""
        name = id_of(attributes.get("src", ""))
        if self.page is None or name is None:
            return
        found = self._find(name, self.page)
        if found is not None:
            self._inline_images.complete(attributes, self._prefix(self.page), *found)

    def _find(self, name: str, page: PageContext) -> tuple[PublishedImage, str] | None:
        """The published image that an id means on a page, and its text alternative."""
        parsed = self.collector.find(name, page.source.name)
        if parsed is None or parsed.spec is None or parsed.spec.digest not in self._attributes.published:
            return None
        return self._attributes.published[parsed.spec.digest], parsed.presentation.alt or ""

    def finish(self, content: str, page: Callable[[], PageContext], *, plain: bool = False) -> str:
        """Fill in the figures of a page's content and the images that name pictures by id, after `deliver`.

        `plain` names files in `src` and `href` only, for plugins that move pages and rewrite no other attribute.
        """
        if may_name_picture(content):
            current = page()
            content = self._inline_images.finish(
                content, self._prefix(current), lambda name: self._find(name, current), plain=plain
            )
            if self.collector.catalog.problems:
                content = fill_mentions(content, lambda name, _: self._card_of_id(name, current), lambda _: None)
        return self._finish_figures(content, plain=plain)

    def _card(self, key: int) -> str:
        """What a page shows of the problems of a block: nothing if there are none."""
        use = self.collector.uses[key]
        found = [str(problem) for problem in self.collector.catalog.problems if use.has(problem)]
        # The problems of an excerpt's block are those of the page that it was taken from.
        found = found or [str(use.location(line).problem(message)) for line, message in use.parsed.problems]
        return problem_card(found) if found or use.parsed.spec is None else ""

    def _card_of_id(self, name: str, page: PageContext) -> str:
        return problem_card([f"{page.source.name}: {self.collector.why_unresolved(name, page.source.name)}"])

    def _finish_figures(self, content: str, *, plain: bool) -> str:
        renamed: dict[str, str] = {}
        has_problems = bool(self.collector.catalog.problems)

        def finished(image: MarkedImage) -> str:
            use = self.collector.uses[image.key]
            card = "" if image.is_dark or not has_problems else self._card(image.key)
            if use.parsed.spec is None:
                return card
            spec = use.shows[image.is_dark]
            published = self._attributes.published[spec.digest]
            names = self._names.written(spec, image.key, is_dark=image.is_dark)
            renamed.update({names.original: published.original or published.src.name, names.shown: published.src.name})
            if plain:
                return f"{card}<img{image.before}{self._attributes.plain_attributes(spec, use)}{image.after}"
            prefix = image.src.rpartition(names.shown)[0]
            attributes = self._attributes.attributes(spec, use, prefix, self._loading(image.key, use))
            element = f"<img{image.before}{attributes}{image.after}"
            return card + picture_element(element, self._attributes.sources(spec, use, prefix))

        content = self._markers.fill(content, finished)
        if has_problems:
            content = self._markers.fill_empty(content, self._card)
        # The service may have chosen another format or size than expected. The names are unique, so they can be
        # replaced wherever other plugins have copied them to.
        for expected, name in renamed.items():
            if name and expected != name:
                content = content.replace(expected, name)
        return content

    def _loading(self, key: int, use: Use) -> str:
        """What the block says; else eager for the first picture of a page, and lazy for the others.

        Of two images for two palettes only one is shown, so an eager one may be loaded for nothing.
        """
        has_two_images = use.dark is not None and self._settings.has_palette_toggle
        is_eager = self.collector.is_first_of_page(key) and not has_two_images
        return use.presentation.loading or ("eager" if is_eager else "lazy")


def _read_spec_files(settings: Settings, parser: BlockParser) -> SpecFiles:
    return read_spec_files(
        settings.project,
        settings.specs,
        parser.site_defaults,
        parser.references.resolve,
        require_alt=settings.require_alt,
    )


def code_block(block: Block) -> str:
    """Return a block as the code that it was written as, for text that belongs to no page of a build."""
    return f"<pre><code>{html.escape(block.original)}</code></pre>"
