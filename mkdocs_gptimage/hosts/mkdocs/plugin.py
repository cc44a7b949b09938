"""The MkDocs plugin: hands each event to plain code, and translates errors for MkDocs."""

from __future__ import annotations

import contextlib
import functools
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mkdocs.exceptions import PluginError
from mkdocs.plugins import BasePlugin, CombinedEvent, event_priority

from mkdocs_gptimage import read_only
from mkdocs_gptimage.blocks.extension import GptImageExtension
from mkdocs_gptimage.errors import GptImageError
from mkdocs_gptimage.figures.renderer import PageRenderer, code_block
from mkdocs_gptimage.hosts.mkdocs import production
from mkdocs_gptimage.hosts.mkdocs.config import Options, settings_of
from mkdocs_gptimage.hosts.mkdocs.dev_server import Announcement
from mkdocs_gptimage.hosts.mkdocs.mode import Invocation, PagesRead, choose_mode
from mkdocs_gptimage.hosts.mkdocs.pages import provided_file, require_readable
from mkdocs_gptimage.hosts.mkdocs.production import STYLESHEET, log
from mkdocs_gptimage.hosts.mkdocs.session import BuildSession
from mkdocs_gptimage.resources import naming_lack
from mkdocs_gptimage.store.store import Store
from mkdocs_gptimage.text import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jinja2 import Environment
    from markdown import Markdown
    from mkdocs.config.base import ConfigErrors, ConfigWarnings
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.livereload import LiveReloadServer
    from mkdocs.structure.files import Files
    from mkdocs.structure.nav import Navigation
    from mkdocs.structure.pages import Page
    from mkdocs.utils.templates import TemplateContext

    from mkdocs_gptimage.blocks.fence import Block
    from mkdocs_gptimage.serve.server import DevelopmentServer
    from mkdocs_gptimage.settings import Settings


@dataclass
class _Build:
    """The build of one configuration.

    MkDocs has one plugin object for all configurations of a process, and a hook may build another one in between.
    """

    options: Options
    session: BuildSession | None = None
    """None while the plugin is disabled."""
    extension: GptImageExtension | None = None
    conversions: int = 0
    """What the extension had converted before the page that is under way."""
    is_discarded: bool = False
    """Whether the site is thrown away: it is built while a command reads another one."""


class GptImagePlugin(BasePlugin[Options]):
    """Finds `gpt-image` blocks, makes what is missing, and puts figures into the pages."""

    settings: Settings
    """Of a site that is only read."""

    def __init__(self) -> None:
        self._command = "build"
        self._is_dirty = False
        self._builds: dict[str | None, _Build] = {}
        """By configuration file."""
        self._server: DevelopmentServer | None = None
        self._announcement = Announcement()
        self.is_reader = False
        """Set to read a site: the build ends when all pages of all languages are read."""

    def load_config(
        self, options: dict[str, Any], config_file_path: str | None = None
    ) -> tuple[ConfigErrors, ConfigWarnings]:
        found = super().load_config(options, config_file_path)
        self._builds.setdefault(config_file_path, _Build(self.config)).options = self.config
        return found

    def on_startup(self, *, command: Literal["build", "gh-deploy", "serve"], dirty: bool) -> None:
        """Defining it keeps the plugin alive across the rebuilds of `serve`."""
        self._command, self._is_dirty = command, dirty
        if command == "serve" and not self.is_reader:
            self._announcement.begin()

    def session_of(self, config: MkDocsConfig) -> BuildSession | None:
        """Return the build of a configuration that is under way; None while the plugin is disabled."""
        return self._build_of(config).session

    def _build_of(self, config: MkDocsConfig) -> _Build:
        return self._builds.setdefault(config.config_file_path, _Build(self.config))

    def on_config(self, config: MkDocsConfig) -> MkDocsConfig | None:
        if self._server is not None:
            self._server.hold()
        build = self._build_of(config)
        self._discard_site(build, config)
        if not (build.options.enabled or self.is_reader):
            build.session = None
            return None
        with _errors_for_host():
            settings = self.settings if self.is_reader else settings_of(build.options, config)
            build.session = self._begin(build, settings, config)
        self._register(build, build.session, config)
        return config

    def _discard_site(self, build: _Build, config: MkDocsConfig) -> None:
        """Have the site built into a temporary folder while a command reads another site, which starts this build."""
        folder = None if self.is_reader else read_only.site_folder()
        build.is_discarded = folder is not None
        if folder is not None:
            config.site_dir = tempfile.mkdtemp(dir=folder)

    def _begin(self, build: _Build, settings: Settings, config: MkDocsConfig) -> BuildSession:
        is_read_only = self.is_reader or read_only.is_active()
        if is_read_only:
            read_only.hide_keys([settings.api.key_env])
        invocation = Invocation(self._command, is_dirty=self._is_dirty, is_read_only=is_read_only)
        mode = choose_mode(build.options.on_missing, settings, config, invocation)
        store = Store(settings.store)
        if build.session is not None and self.is_reader and mode.has_several_builds:
            return BuildSession(settings, store, build.session.renderer, mode)
        renderer = PageRenderer(settings, store, may_generate=mode.pays)
        for pattern in renderer.collector.spec_files.unmatched:
            log.warning("%s: plugins.gptimage.specs: no file fits '%s'", settings.config_file, pattern)
        return BuildSession(settings, store, renderer, mode, is_first=not (build.session and mode.has_several_builds))

    def _register(self, build: _Build, session: BuildSession, config: MkDocsConfig) -> None:
        """Add the Markdown extension, the watched files and the style sheets to the configuration."""
        config.watch.extend(map(str, session.renderer.collector.spec_files.files))
        extensions: list[Any] = config.markdown_extensions
        if build.extension is None or build.extension not in extensions:
            render, complete = functools.partial(_render, build), functools.partial(_complete, build)
            build.extension = GptImageExtension(render, session.settings.fence, complete)
            extensions.append(build.extension)
        production.load_in_pages([STYLESHEET], session.settings.assets, config)
        if session.mode.offers:
            from mkdocs_gptimage.serve.server import DevelopmentServer  # noqa: PLC0415 - no build needs it

            self._server = self._server or DevelopmentServer(log)
            production.load_in_pages(self._server.assets, session.settings.assets, config)

    def on_serve(self, server: LiveReloadServer, *, config: MkDocsConfig, builder: Callable[..., None]) -> None:  # noqa: ARG002
        session = self.session_of(config)
        if session is not None:
            from mkdocs_gptimage.serve.rebuild import ignore_own_files  # noqa: PLC0415 - no build needs it

            ignore_own_files(server.observer, session.settings)
        if self._server is not None and session is not None:
            host, port = config.dev_addr
            self._server.attach(server, host, port, session.settings)

    def on_shutdown(self) -> None:
        self._announcement.end()
        if self._server is not None:
            self._server.close()

    @event_priority(-40)
    def on_files(self, files: Files, *, config: MkDocsConfig) -> None:
        """Runs after plugins that add or exclude pages, and before the blog's, which reads its posts."""
        if session := self.session_of(config):
            with contextlib.nullcontext() if self.is_reader else _errors_for_host():
                require_readable(files, session.settings, serves=self._command == "serve")

    def on_pre_page(self, page: Page, *, config: MkDocsConfig, files: Files) -> None:
        build = self._build_of(config)
        if session := build.session:
            build.conversions = build.extension.conversions if build.extension else 0
            session.renderer.provide_references(functools.partial(provided_file, files))
            session.enter(page, config)

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
        if session := self.session_of(config):
            session.enter(page, config)

    @event_priority(100)
    def _collect(self, html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG002
        build = self._build_of(config)
        if build.session is None or build.extension is None:
            return html
        if build.extension.conversions == build.conversions:
            html = build.session.render_blocks(html, config)
        build.session.collect(html, page, config)
        return html

    @event_priority(-100)
    def _restore(self, html: str, *, page: Page, config: MkDocsConfig, files: Files) -> None:  # noqa: ARG002
        if session := self.session_of(config):
            session.restore_markdown(page)

    on_page_content = CombinedEvent(_collect, _restore)

    @event_priority(75)
    def on_env(self, env: Environment, *, config: MkDocsConfig, files: Files) -> None:  # noqa: ARG002
        build = self._build_of(config)
        session = build.session
        if session is None:
            return
        session.renderer.collector.resolve()
        if build.is_discarded or (self.is_reader and session.mode.has_several_builds):
            return
        if self.is_reader:
            raise PagesRead
        server = self._server if session.mode.offers else None
        with _errors_for_host():
            delivery = production.make(session, config, files, server)
        production.add_files(delivery, session, config, files)
        if server is not None:
            production.add_server_files(server, session, config, files)
        if build.options.gallery:
            production.add_gallery(delivery, session, config, files)
        session.finish(delivery.shown, config)


def _render(build: _Build, block: Block, md: Markdown) -> str:
    # A plugin that was disabled under `serve` may still be called.
    return code_block(block) if build.session is None else build.session.render(block, md)


def _complete(build: _Build, attributes: dict[str, str]) -> None:
    if build.session is not None:
        build.session.complete(attributes)


@contextlib.contextmanager
def _errors_for_host() -> Iterator[None]:
    """Translate our errors into MkDocs'."""
    try:
        with naming_lack("the pictures of the site cannot be prepared"):
            yield
    except GptImageError as error:
        raise PluginError(f"gptimage: {escaped(str(error))}") from error
