"""Reads all pages of a MkDocs site without building it."""

from __future__ import annotations

import contextlib
import logging
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.config.config_options import Plugins
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import MkDocsException

from mkdocs_gptimage import read_only
from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.hosts.child_processes import ended_at_exit
from mkdocs_gptimage.hosts.key_variables import key_variables
from mkdocs_gptimage.hosts.mkdocs.config import settings_of
from mkdocs_gptimage.hosts.mkdocs.mode import PagesRead, can_have_drafts
from mkdocs_gptimage.hosts.site import Site
from mkdocs_gptimage.spec.digest import Digest
from mkdocs_gptimage.store.store import Store
from mkdocs_gptimage.text import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs_gptimage.catalog.catalog import Picture
    from mkdocs_gptimage.hosts.mkdocs.plugin import GptImagePlugin
    from mkdocs_gptimage.settings import Settings


_NAME = "gptimage"
_SERVED_AT = "http://127.0.0.1:8000/"


def read_site(config_file: str) -> Site:
    """Read all pages of a site as a build does, macros and snippets included, and write nothing.

    The process is in read-only mode meanwhile, and has no API key in its environment. Raises `ConfigurationError` for
    a site that cannot be read.
    """
    with _reading(config_file):
        return _read(*_configured(config_file), serves=False)


def read_site_with_drafts(config_file: str) -> Site:
    """Read all pages as `read_site` does, and once more as `mkdocs serve` where the site can have drafts."""
    with _reading(config_file), _heard() as warnings:
        config, plugin = _configured(config_file)
        stored = frozenset(Store(plugin.settings.store).digests())
        site = _read(config, plugin, serves=False)
        problems, drafts = site.problems, dict[Digest, "Picture"]()
        if can_have_drafts(config):
            shown = _read(*_configured(config_file), serves=True).catalog
            drafts = {digest: each for digest, each in shown.pictures.items() if digest not in site.catalog.pictures}
            problems = [*problems, *(problem for problem in shown.problems if problem not in problems)]
    unique = list(dict.fromkeys(warnings))
    return replace(site, problems=problems, drafts=drafts, warnings=unique, stored=stored)


def read_settings(config_file: str) -> Settings:
    """Read what a site has set, and no page; raise `ConfigurationError`."""
    with _reading(config_file):
        return _configured(config_file)[1].settings


def _read(config: MkDocsConfig, plugin: GptImagePlugin, *, serves: bool) -> Site:
    plugin.is_reader = True
    # Built into a folder that is thrown away, because MkDocs empties the site's folder before it reads.
    config.site_dir = tempfile.mkdtemp(dir=read_only.site_folder())
    config.plugins.on_startup(command="serve" if serves else "build", dirty=False)
    try:
        with _quiet(), contextlib.suppress(PagesRead):
            build(config, serve_url=_SERVED_AT if serves else None)
    finally:
        config.plugins.on_shutdown()
    session = plugin.session_of(config)
    assert session is not None
    collector = session.renderer.collector
    catalog = collector.catalog
    return Site(
        plugin.settings, session.store, session.renderer.snapshot, catalog, collector.mentions, catalog.problems
    )


@contextlib.contextmanager
def _reading(config_file: str) -> Iterator[None]:
    """Read a site in read-only mode: without keys, and what hooks and plugins start meanwhile ends with it."""
    with (
        tempfile.TemporaryDirectory(prefix="gptimage-", ignore_cleanup_errors=True) as folder,
        read_only.reading(folder),
        contextlib.redirect_stdout(sys.stderr),  # what plugins print is not part of a command's output
        ended_at_exit(read_only.VARIABLE, str(read_only.site_folder())),
        contextlib.redirect_stdout(sys.stderr),  # what plugins print is no part of a command's report
    ):
        read_only.hide_keys(key_variables(Path(config_file)))
        try:
            yield
        except (MkDocsException, SystemExit) as error:
            raise ConfigurationError(str(error)) from error
        except UnicodeError as error:
            message = f"{config_file}: a file or a name of the site cannot be read ({shortened(str(error), 200)})"
            raise ConfigurationError(f"{message}; expected UTF-8, also as the encoding of file names") from error


def _configured(config_file: str) -> tuple[MkDocsConfig, GptImagePlugin]:
    """A site's configuration and its plugin, whose options are those of the site that is really built.

    MkDocs caches plugin objects across configurations; these are new, and a build that is under way keeps its own.
    """
    option = MkDocsConfig.plugins
    assert isinstance(option, Plugins)
    kept, option.plugin_cache = option.plugin_cache, {}
    try:
        config = load_config(config_file=config_file)
    finally:
        option.plugin_cache = kept
    plugin: GptImagePlugin | None = config.plugins.get(_NAME)
    if plugin is None:
        raise ConfigurationError(f"{config_file}: the plugin 'gptimage' is not in 'plugins'")
    plugin.settings = settings_of(plugin.config, config)
    read_only.hide_keys([plugin.settings.api.key_env])
    return config, plugin


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the lines in which MkDocs tells of the folder that is thrown away."""
    logger = logging.getLogger("mkdocs.commands.build")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


class _Listener(logging.Handler):
    """Keeps the first line of each warning."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        lines = record.getMessage().splitlines() or [""]
        self.lines.append(f"{record.name}: {lines[0].strip()}")


@contextlib.contextmanager
def _heard() -> Iterator[list[str]]:
    """Collect the warnings that MkDocs and its plugins log, hidden ones included, without showing more than before."""
    logger, listener = logging.getLogger("mkdocs"), _Listener()
    level, others = logger.level, list(logger.handlers)

    def is_shown(record: logging.LogRecord) -> bool:
        source: logging.Logger | None = logging.getLogger(record.name)
        while source not in (logger, None) and source.level == logging.NOTSET:
            source = source.parent
        return source is not logger or record.levelno >= level

    for other in others:
        other.addFilter(is_shown)
    logger.addHandler(listener)
    logger.setLevel(min(level, logging.WARNING))
    try:
        yield listener.lines
    finally:
        logger.setLevel(level)
        logger.removeHandler(listener)
        for other in others:
            other.removeFilter(is_shown)
