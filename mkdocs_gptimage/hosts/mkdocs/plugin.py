"""The MkDocs plugin: each event is handed to plain code, and its errors to MkDocs."""

from __future__ import annotations

import functools
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urljoin

from mkdocs.exceptions import PluginError
from mkdocs.plugins import BasePlugin, CombinedEvent, event_priority
from mkdocs.structure.files import File

from mkdocs_gptimage import figures
from mkdocs_gptimage.blocks.extension import GptImageExtension
from mkdocs_gptimage.blocks.fence import without_blocks
from mkdocs_gptimage.errors import GptImageError
from mkdocs_gptimage.figures.renderer import PageRenderer
from mkdocs_gptimage.generate.run import RunResult, has_key, run_plan
from mkdocs_gptimage.hosts.mkdocs import messages
from mkdocs_gptimage.hosts.mkdocs.config import Options, settings_of
from mkdocs_gptimage.hosts.mkdocs.dev_server import is_dev_server_folder
from mkdocs_gptimage.hosts.mkdocs.files import LinkedFile
from mkdocs_gptimage.hosts.mkdocs.pages import page_context
from mkdocs_gptimage.hosts.mkdocs.site import PagesRead, read_site
from mkdocs_gptimage.plan.messages import describe, require_all
from mkdocs_gptimage.plan.plan import State, make_plan
from mkdocs_gptimage.publish.delivery import Delivery, deliver
from mkdocs_gptimage.spec.model import BY_ID
from mkdocs_gptimage.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Environment
    from markdown import Markdown
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.livereload import LiveReloadServer
    from mkdocs.structure.files import Files
    from mkdocs.structure.nav import Navigation
    from mkdocs.structure.pages import Page
    from mkdocs.utils.templates import TemplateContext

    from mkdocs_gptimage.blocks.fence import Block
    from mkdocs_gptimage.plan.plan import Plan
    from mkdocs_gptimage.publish.delivery import PlaceholderContext
    from mkdocs_gptimage.serve.server import DevelopmentServer
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.spec.model import ImageSpec


log = logging.getLogger("mkdocs.plugins.gptimage")
_STYLESHEET = Path(figures.__file__).with_name("gptimage.css")
# Where print-site keeps what it saw of a page in on_page_content; it moves `src` and `href`, but no `srcset`.
_PRINTED = "html"
# Plugins that build the site once more for every language, after the first language is written.
_PLUGINS_OF_SEVERAL_BUILDS = ("i18n",)


class GptImagePlugin(BasePlugin[Options]):
    """Finds `gpt-image` blocks, makes what is missing, and puts figures into the pages."""

    settings: Settings
    reader: PageRenderer

    def __init__(self) -> None:
        self._command = "build"
        self._is_dirty = False
        self._is_active = False
        self._extension: GptImageExtension | None = None
        self._pages: list[Page] = []
        self._covers: list[tuple[Page, str]] = []
        """Pages whose front matter names a picture, with its id."""
        self._drafts: set[str] = set()
        """Names of pages that only a development server shows."""
        self._entered: tuple[Page, MkDocsConfig] | None = None
        self._markdown: str | None = None
        self._serving: DevelopmentServer | None = None
        self._offers = False
        self._has_looked_for_strays = False
        """Whether this server knows what an earlier one has left in flight for nobody."""
        self.read_only = False
        """Set by `whole_site`: nothing is made, and the build ends when all pages of all languages are read."""

    def on_startup(self, *, command: Literal["build", "gh-deploy", "serve"], dirty: bool) -> None:
        """Defining it keeps the plugin alive across the rebuilds of `serve`."""
        self._command, self._is_dirty = command, dirty

    def on_config(self, config: MkDocsConfig) -> MkDocsConfig | None:
        self._is_active = self.config.enabled or self.read_only
        if self._serving is not None:
            self._serving.hold()
        self._entered = None
        self._pages, self._covers, self._drafts = [], [], set()
        if not self._is_active:
            return None
        if not self.read_only:
            self.settings = _settings(self.config, config)
        self.store = Store(self.settings.store)
        self._on_missing = self._resolve_on_missing(config)
        is_served = self._serves(config) and not self.read_only and self._on_missing != "error"
        self._offers = is_served and not self._is_dirty
        if is_served and self._is_dirty:
            # A part of the pages says nothing of what the others ask for.
            log.info("with --dirty, pictures that are missing are only shown as cards")
            self._on_missing = "placeholder"
        if not (self.read_only and self._has_several_builds(config) and hasattr(self, "reader")):
            makes = self._on_missing == "generate" and not self._offers
            self.reader = PageRenderer(self.settings, self.store, may_generate=makes)
            for pattern in self.reader.collector.spec_files.unmatched:
                log.warning("%s: plugins.gptimage.specs: no file fits '%s'", self.settings.config_file, pattern)
        config.watch.extend(map(str, self.reader.collector.spec_files.files))
        extensions: list[Any] = config.markdown_extensions
        if self._extension is None or self._extension not in extensions:
            self._extension = GptImageExtension(self._render, self.settings.fence, self._show_by_id)
            extensions.append(self._extension)
        if self._stylesheet not in config.extra_css:
            config.extra_css.append(self._stylesheet)
        if self._offers:
            from mkdocs_gptimage.serve.server import DevelopmentServer  # noqa: PLC0415 - no build needs it

            self._serving = self._serving or DevelopmentServer(log)
            self._add_to_pages(self._serving, config)
        return config

    def _add_to_pages(self, serving: DevelopmentServer, config: MkDocsConfig) -> None:
        """Have pages load what a development server adds to them."""
        for path in serving.assets:
            name = f"{self.settings.assets}/{path.name}"
            names: list[Any] = config.extra_css if path.suffix == ".css" else config.extra_javascript
            if name not in names:
                names.append(name)

    def on_serve(self, server: LiveReloadServer, *, config: MkDocsConfig, builder: Callable[..., None]) -> None:  # noqa: ARG002
        if self._serving is not None:
            host, port = config.dev_addr
            self._serving.attach(server, host, port, self.settings)

    def on_shutdown(self) -> None:
        if self._serving is not None:
            self._serving.close()

    @property
    def _stylesheet(self) -> str:
        return f"{self.settings.assets}/{_STYLESHEET.name}"

    def _resolve_on_missing(self, config: MkDocsConfig) -> str:
        chosen: str = self.config.on_missing
        if chosen != "auto":
            return chosen
        return "generate" if not self._serves(config) and has_key(self.settings, os.environ) else "placeholder"

    def _serves(self, config: MkDocsConfig) -> bool:
        """Whether this is `mkdocs serve`; `serve --clean` says that it is a build, but builds where serve does."""
        return self._command == "serve" or is_dev_server_folder(Path(config.site_dir))

    @staticmethod
    def _has_several_builds(config: MkDocsConfig) -> bool:
        return any(name in config.plugins for name in _PLUGINS_OF_SEVERAL_BUILDS)

    def on_pre_page(self, page: Page, *, config: MkDocsConfig, files: Files) -> None:  # noqa: ARG002
        self._entered = page, config

    @event_priority(100)
    def on_page_context(
        self,
        context: TemplateContext,  # noqa: ARG002
        *,
        page: Page,
        config: MkDocsConfig,
        nav: Navigation,  # noqa: ARG002
    ) -> None:
        """Material renders the excerpts of a blog again now, on the pages that list them."""
        self._entered = page, config

    def _render(self, block: Block, md: Markdown) -> str:
        """Most pages have no block: only one that has some is made known to the reader."""
        if self._entered is not None:
            self.reader.page = page_context(*self._entered, self.settings)
            self._entered = None
        return self.reader.render(block, md)

    def _show_by_id(self, attributes: dict[str, str]) -> None:
        """What is converted after the pictures are there, such as the excerpts of a blog, is written finished."""
        if self._entered is not None:
            self.reader.page = page_context(*self._entered, self.settings)
            self._entered = None
        self.reader.complete(attributes)

    @event_priority(100)
    def _collect(self, html: str, *, page: Page, config: MkDocsConfig, files: Files) -> None:  # noqa: ARG002
        if not self._is_active:
            return
        uses = self.reader.collect(html)
        if self._mentions(html, page, config) or uses:
            self._pages.append(page)
        if uses:
            anchors = {use.presentation.id for use in uses if use.presentation.id}
            page.present_anchor_ids = (page.present_anchor_ids or set()) | anchors
            # A feed takes its abstracts from the page itself now, and no prompt may get into it.
            self._markdown = page.markdown
            page.markdown = without_blocks(page.markdown or "", self.settings.fence)
            page.content = self.reader.strip_markers(html)
            if self._offers and (page.meta.get("draft") or not page.file.inclusion.is_included()):
                self._drafts.add(page_context(page, config, self.settings).source.name)

    @event_priority(-100)
    def _give_back(self, html: str, *, page: Page, config: MkDocsConfig, files: Files) -> None:  # noqa: ARG002
        """A blog renders its excerpts from the Markdown later."""
        if self._markdown is not None:
            page.markdown, self._markdown = self._markdown, None

    on_page_content = CombinedEvent(_collect, _give_back)

    def _mentions(self, html: str, page: Page, config: MkDocsConfig) -> bool:
        """Note the pictures that a page shows by their ids, in its content or as the image of its front matter."""
        cover = page.meta.get("image")
        if isinstance(cover, str) and cover.startswith(BY_ID):
            name = cover.removeprefix(BY_ID)
            self._covers.append((page, name))
            mention = self.reader.collector.mention(name, page_context(page, config, self.settings).source)
            if not config.site_url:
                message = f"image: an absolute URL needs 'site_url' in {self.settings.config_file}"
                self.reader.collector.catalog.problems.append(mention.location.problem(message))
        return BY_ID in html and self.reader.collect_mentions(html, page_context(page, config, self.settings).source)

    @event_priority(75)
    def on_env(self, env: Environment, *, config: MkDocsConfig, files: Files) -> None:  # noqa: ARG002
        if not self._is_active:
            return
        self.reader.collector.resolve()
        if self.read_only and self._has_several_builds(config):
            return
        if self.read_only:
            raise PagesRead
        try:
            delivery = self._make(config)
        except GptImageError as error:
            raise PluginError(f"gptimage: {error}") from error
        if delivery.files:
            style = File.generated(config, self._stylesheet, abs_src_path=os.fspath(_STYLESHEET))
            files.append(style)
            for path, name in delivery.files:
                files.append(LinkedFile.beside(style, f"{self.settings.assets}/{name}", path))
        elif self._stylesheet in config.extra_css:
            config.extra_css.remove(self._stylesheet)
        if self._offers and self._serving is not None:
            for asset in self._serving.assets:
                name = f"{self.settings.assets}/{asset.name}"
                files.append(File.generated(config, name, abs_src_path=os.fspath(asset)))
        self._publish_gallery(delivery, config, files)
        self.reader.deliver(delivery.shown)
        self._finish(delivery, config)

    def _publish_gallery(self, delivery: Delivery, config: MkDocsConfig, files: Files) -> None:
        if not self.config.gallery:
            return
        from mkdocs_gptimage.gallery.page import PUBLISHED_NAME, site_gallery  # noqa: PLC0415 - few sites publish one

        name = f"{self.settings.assets}/{PUBLISHED_NAME}"
        addresses = {page_context(page, config, self.settings).source.name: page.url for page in self._pages}
        title = f"Pictures of {config.site_name}"
        text = site_gallery(self.reader, delivery.shown, title, addresses, name)
        files.append(File.generated(config, name, content=text))

    def _finish(self, delivery: Delivery, config: MkDocsConfig) -> None:
        """Fill in what the pages were waiting for."""
        for page in self._pages:
            current = functools.partial(page_context, page, config, self.settings)
            page.content = self.reader.finish(page.content or "", current)
            printed = getattr(page, _PRINTED, None)
            if isinstance(printed, str):
                setattr(page, _PRINTED, self.reader.finish(printed, current, plain=True))
        for page, name in self._covers:
            picture = self._picture_of(page, name, config)
            assert picture is not None
            shown = delivery.shown[picture.digest]
            address = f"{self.settings.assets}/{shown.original or shown.src.name}"
            page.meta["image"] = urljoin(config.site_url or "", address)

    def _make(self, config: MkDocsConfig) -> Delivery:
        """Decide, make what may be made, and say what the site shows."""
        self.reader.collector.catalog.require_valid()
        for hint in self.reader.collector.catalog.hints():
            log.info(hint)
        pays = self._on_missing == "generate" and not self._offers
        warn = None if pays else log.warning
        is_first = self._offers and not self._has_looked_for_strays
        self._has_looked_for_strays |= is_first
        plan = make_plan(
            self.reader.collector.catalog, self.reader.snapshot, self.settings, include_unclaimed=is_first, warn=warn
        )
        if self._on_missing == "error":
            require_all(plan)
        result = RunResult(plan)
        if pays:
            if not plan.is_complete and self._has_several_builds(config):
                self._make_for_all_builds(config)
                self.reader.snapshot.forget()
                plan = make_plan(self.reader.collector.catalog, self.reader.snapshot, self.settings)
            result = run_plan(plan, self.settings, self.store, os.environ, log)
        covers = {picture.digest for page, name in self._covers if (picture := self._picture_of(page, name, config))}
        desk = self._desk(plan, config)
        delivery = deliver(result.plan.rows, result.entries, self.settings, originals=covers, desk=desk)
        problems = [*result.problems, *map(describe, delivery.damaged)]
        messages.log_result(result, self.settings, log)
        if desk is not None:
            messages.log_offers(result, problems, log)
        elif self._on_missing == "placeholder":
            messages.log_placeholders(result, problems, log)
        else:
            messages.fail_with(problems, result)
        return delivery

    def _desk(self, plan: Plan, config: MkDocsConfig) -> PlaceholderContext | None:
        if self._serving is None or not self._offers:
            return None
        language = str(config.theme.get("language") or config.theme.get("locale"))
        unasked = [
            row.digest
            for row in (plan.only(State.MISSING) if self._on_missing == "generate" else ())
            if any(use.source.name not in self._drafts for use in row.picture.uses)
        ]
        return self._serving.desk(language, self.reader, plan, self.settings, unasked)

    def _picture_of(self, page: Page, name: str, config: MkDocsConfig) -> ImageSpec | None:
        return self.reader.collector.spec_of(name, page_context(page, config, self.settings).source.name)

    def _make_for_all_builds(self, config: MkDocsConfig) -> None:
        """Read the pages of all languages before the first picture is paid for, and make what they miss together."""
        whole = read_site(config.config_file_path or "mkdocs.yml")
        whole.catalog.require_valid()
        plan = make_plan(whole.catalog, whole.snapshot, self.settings)
        result = run_plan(plan, self.settings, self.store, os.environ, log)
        messages.require(result)


def _settings(options: Options, config: MkDocsConfig) -> Settings:
    try:
        return settings_of(options, config)
    except GptImageError as error:
        raise PluginError(f"gptimage: {error}") from error
