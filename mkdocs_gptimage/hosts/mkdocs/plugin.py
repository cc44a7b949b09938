"""The MkDocs plugin: hands each event to plain code, and translates errors for MkDocs."""

from __future__ import annotations

import contextlib
import tempfile
from typing import TYPE_CHECKING, Any, Literal

from mkdocs.exceptions import PluginError
from mkdocs.plugins import BasePlugin, CombinedEvent, event_priority

from mkdocs_gptimage import read_only
from mkdocs_gptimage.blocks.extension import GptImageExtension
from mkdocs_gptimage.errors import GptImageError
from mkdocs_gptimage.figures.renderer import PageRenderer, code_block
from mkdocs_gptimage.hosts.mkdocs import production
from mkdocs_gptimage.hosts.mkdocs.config import Options, settings_of
from mkdocs_gptimage.hosts.mkdocs.mode import Invocation, PagesRead, choose_mode
from mkdocs_gptimage.hosts.mkdocs.production import STYLESHEET, log
from mkdocs_gptimage.hosts.mkdocs.session import BuildSession
from mkdocs_gptimage.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jinja2 import Environment
    from markdown import Markdown
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.livereload import LiveReloadServer
    from mkdocs.structure.files import Files
    from mkdocs.structure.nav import Navigation
    from mkdocs.structure.pages import Page
    from mkdocs.utils.templates import TemplateContext

    from mkdocs_gptimage.blocks.fence import Block
    from mkdocs_gptimage.serve.server import DevelopmentServer
    from mkdocs_gptimage.settings import Settings


class GptImagePlugin(BasePlugin[Options]):
    """Finds `gpt-image` blocks, makes what is missing, and puts figures into the pages."""

    settings: Settings

    def __init__(self) -> None:
        self._command = "build"
        self._is_dirty = False
        self._extension: GptImageExtension | None = None
        self._server: DevelopmentServer | None = None
        self.session: BuildSession | None = None
        """The build that is under way; None while the plugin is disabled."""
        self.is_reader = False
        """Set to read a site: the build ends when all pages of all languages are read."""
        self._is_discarded = False
        """Whether the site is thrown away: it is built while a command reads another one."""

    def on_startup(self, *, command: Literal["build", "gh-deploy", "serve"], dirty: bool) -> None:
        """Defining it keeps the plugin alive across the rebuilds of `serve`."""
        self._command, self._is_dirty = command, dirty

    def on_config(self, config: MkDocsConfig) -> MkDocsConfig | None:
        if self._server is not None:
            self._server.hold()
        self._discard_site(config)
        if not (self.config.enabled or self.is_reader):
            self.session = None
            return None
        with _errors_for_host():
            if not self.is_reader:
                self.settings = settings_of(self.config, config)
            self.session = self._begin(config)
        self._register(self.session, config)
        return config

    def _discard_site(self, config: MkDocsConfig) -> None:
        """Have the site built into a temporary folder while a command reads another site, which starts this build."""
        folder = None if self.is_reader else read_only.site_folder()
        self._is_discarded = folder is not None
        if folder is not None:
            config.site_dir = tempfile.mkdtemp(dir=folder)

    def _begin(self, config: MkDocsConfig) -> BuildSession:
        is_read_only = self.is_reader or read_only.is_active()
        if is_read_only:
            read_only.hide_keys([self.settings.api.key_env])
        invocation = Invocation(self._command, is_dirty=self._is_dirty, is_read_only=is_read_only)
        mode = choose_mode(self.config.on_missing, self.settings, config, invocation)
        store = Store(self.settings.store)
        if self.session is not None and self.is_reader and mode.has_several_builds:
            return BuildSession(self.settings, store, self.session.renderer, mode)
        renderer = PageRenderer(self.settings, store, may_generate=mode.pays)
        for pattern in renderer.collector.spec_files.unmatched:
            log.warning("%s: plugins.gptimage.specs: no file fits '%s'", self.settings.config_file, pattern)
        return BuildSession(self.settings, store, renderer, mode)

    def _register(self, session: BuildSession, config: MkDocsConfig) -> None:
        """Add the Markdown extension, the watched files and the style sheets to the configuration."""
        config.watch.extend(map(str, session.renderer.collector.spec_files.files))
        extensions: list[Any] = config.markdown_extensions
        if self._extension is None or self._extension not in extensions:
            self._extension = GptImageExtension(self._render, self.settings.fence, self._complete)
            extensions.append(self._extension)
        production.load_in_pages([STYLESHEET], self.settings.assets, config)
        if session.mode.offers:
            from mkdocs_gptimage.serve.server import DevelopmentServer  # noqa: PLC0415 - no build needs it

            self._server = self._server or DevelopmentServer(log)
            production.load_in_pages(self._server.assets, self.settings.assets, config)

    def on_serve(self, server: LiveReloadServer, *, config: MkDocsConfig, builder: Callable[..., None]) -> None:  # noqa: ARG002
        if self._server is not None:
            host, port = config.dev_addr
            self._server.attach(server, host, port, self.settings)

    def on_shutdown(self) -> None:
        if self._server is not None:
            self._server.close()

    def on_pre_page(self, page: Page, *, config: MkDocsConfig, files: Files) -> None:  # noqa: ARG002
        if self.session is not None:
            self.session.enter(page, config)

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
        if self.session is not None:
            self.session.enter(page, config)

    def _render(self, block: Block, md: Markdown) -> str:
        # A plugin that was disabled under `serve` may still be called.
        return code_block(block) if self.session is None else self.session.render(block, md)

    def _complete(self, attributes: dict[str, str]) -> None:
        if self.session is not None:
            self.session.complete(attributes)

    @event_priority(100)
    def _collect(self, html: str, *, page: Page, config: MkDocsConfig, files: Files) -> None:  # noqa: ARG002
        if self.session is not None:
            self.session.collect(html, page, config)

    @event_priority(-100)
    def _restore(self, html: str, *, page: Page, config: MkDocsConfig, files: Files) -> None:  # noqa: ARG002
        if self.session is not None:
            self.session.restore_markdown(page)

    on_page_content = CombinedEvent(_collect, _restore)

    @event_priority(75)
    def on_env(self, env: Environment, *, config: MkDocsConfig, files: Files) -> None:  # noqa: ARG002
        session = self.session
        if session is None:
            return
        session.renderer.collector.resolve()
        if self._is_discarded or (self.is_reader and session.mode.has_several_builds):
            return
        if self.is_reader:
            raise PagesRead
        server = self._server if session.mode.offers else None
        with _errors_for_host():
            delivery = production.make(session, config, server)
        production.add_files(delivery, session, config, files)
        if server is not None:
            production.add_server_files(server, session, config, files)
        if self.config.gallery:
            production.add_gallery(delivery, session, config, files)
        session.finish(delivery.shown, config)


@contextlib.contextmanager
def _errors_for_host() -> Iterator[None]:
    """Translate our errors into MkDocs'."""
    try:
        yield
    except GptImageError as error:
        raise PluginError(f"gptimage: {error}") from error
