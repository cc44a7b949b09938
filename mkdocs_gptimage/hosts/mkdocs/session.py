"""The state of one build: its mode, settings, store and renderer, and the pages that show pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from markdown import Markdown

from mkdocs_gptimage.blocks.by_id import may_name_picture
from mkdocs_gptimage.blocks.fence import without_blocks
from mkdocs_gptimage.blocks.rendered import replace_rendered_blocks
from mkdocs_gptimage.hosts.mkdocs.pages import page_context
from mkdocs_gptimage.spec.model import BY_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

    from mkdocs_gptimage.blocks.fence import Block
    from mkdocs_gptimage.figures.renderer import PageContext, PageRenderer
    from mkdocs_gptimage.figures.srcset import PublishedImage
    from mkdocs_gptimage.hosts.mkdocs.mode import BuildMode
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.spec.model import ImageSpec
    from mkdocs_gptimage.store.store import Store

# Where print-site keeps what it saw of a page in on_page_content; it moves `src` and `href`, but no `srcset`.
_PRINTED = "html"


@dataclass
class BuildSession:
    """One build, from on_config to on_env and the rendering of templates."""

    settings: Settings
    store: Store
    renderer: PageRenderer
    mode: BuildMode
    is_first: bool = True
    """Whether no other language of the site was built before."""
    pages: list[Page] = field(default_factory=list)
    """Those with pictures."""
    drafts: set[str] = field(default_factory=set)
    """Names of pages that only a development server shows."""
    _covers: list[tuple[Page, str]] = field(default_factory=list)
    """Pages whose front matter names a picture, with its id."""
    _entered: tuple[Page, MkDocsConfig] | None = None
    _markdown: str | None = None
    """Of the page that is being collected, while it is replaced by one without blocks."""

    def context(self, page: Page, config: MkDocsConfig) -> PageContext:
        """Return a page's context for the renderer."""
        return page_context(page, config, self.settings)

    def enter(self, page: Page, config: MkDocsConfig) -> None:
        """Note which page is converted next; most pages have no picture, so its context is made when it is needed."""
        self._entered = page, config

    def render(self, block: Block, md: Markdown) -> str:
        """Return the figure of a block on the current page."""
        self._make_context()
        return self.renderer.render(block, md)

    def render_blocks(self, html: str, config: MkDocsConfig) -> str:
        """Return the content of a page that a plugin converts by itself, such as a notebook, with its figures."""
        if self.settings.fence not in html:
            return html
        md = Markdown(extensions=config.markdown_extensions, extension_configs=config.mdx_configs or {})
        return replace_rendered_blocks(html, self.settings.fence, lambda block: self.render(block, md))

    def complete(self, attributes: dict[str, str]) -> None:
        """Complete an image that names a picture by id and is converted late, such as in the excerpts of a blog."""
        self._make_context()
        self.renderer.complete(attributes)

    def _make_context(self) -> None:
        if self._entered is not None:
            self.renderer.page = self.context(*self._entered)
            self._entered = None

    def collect(self, html: str, page: Page, config: MkDocsConfig) -> None:
        """Add what a page's finished content shows to the catalog."""
        uses = self.renderer.collect(html)
        if self._collect_mentions(html, page, config) or uses:
            self.pages.append(page)
        if not uses:
            return
        anchors = {use.presentation.id for use in uses if use.presentation.id}
        page.present_anchor_ids = (page.present_anchor_ids or set()) | anchors
        # A feed takes its abstracts from the page itself now, and no prompt may get into it.
        self._markdown = page.markdown
        page.markdown = without_blocks(page.markdown or "", self.settings.fence)
        page.content = self.renderer.strip_markers(html)
        if self.mode.offers and (page.meta.get("draft") or not page.file.inclusion.is_included()):
            self.drafts.add(self.context(page, config).source.name)

    def restore_markdown(self, page: Page) -> None:
        """Give a page its Markdown back: a blog renders its excerpts from that later."""
        if self._markdown is not None:
            page.markdown, self._markdown = self._markdown, None

    def _collect_mentions(self, html: str, page: Page, config: MkDocsConfig) -> bool:
        """Note the pictures that a page shows by id, in its content or as the image of its front matter."""
        cover = page.meta.get("image")
        if isinstance(cover, str) and cover.startswith(BY_ID):
            name = cover.removeprefix(BY_ID)
            self._covers.append((page, name))
            mention = self.renderer.collector.mention(name, self.context(page, config).source)
            if not config.site_url:
                message = f"image: an absolute URL needs 'site_url' in {self.settings.config_file}"
                self.renderer.collector.catalog.problems.append(mention.location.problem(message))
        return may_name_picture(html) and self.renderer.collect_mentions(html, self.context(page, config).source)

    def covers(self, config: MkDocsConfig) -> list[tuple[Page, ImageSpec]]:
        """Return the pages whose front matter names a picture, with that picture; once ids are resolved."""
        named = [(page, name, self.context(page, config).source.name) for page, name in self._covers]
        specs = [(page, self.renderer.collector.spec_of(name, source)) for page, name, source in named]
        return [(page, spec) for page, spec in specs if spec is not None]

    def finish(self, published: Mapping[Digest, PublishedImage], config: MkDocsConfig) -> None:
        """Fill in what the pages were waiting for: the attributes of figures, and the images of front matter."""
        self.renderer.deliver(published)
        for page in self.pages:
            self._finish_content(page, config)
        for page, spec in self.covers(config):
            image = published[spec.digest]
            address = f"{self.settings.assets}/{image.original or image.src.name}"
            # Not `urljoin`: mike sets an address of a version that does not end in a slash.
            page.meta["image"] = f"{(config.site_url or '').rstrip('/')}/{address}"

    def _finish_content(self, page: Page, config: MkDocsConfig) -> None:
        page.content = self.renderer.finish(page.content or "", lambda: self.context(page, config))
        printed = getattr(page, _PRINTED, None)
        if isinstance(printed, str):
            finished = self.renderer.finish(printed, lambda: self.context(page, config), plain=True)
            setattr(page, _PRINTED, finished)
