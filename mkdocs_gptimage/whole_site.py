"""All pages of a site, read as a build reads them, without a build."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from typing import TYPE_CHECKING

from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import MkDocsException

from . import options as plugin_options
from .errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig

    from .plugin import GptImagePlugin
    from .settings import Settings

_NAME = "gptimage"


class PagesRead(Exception):  # noqa: N818 - not an error: all pages are read, and nobody wants the site
    """Ends a build that was only started to read the pages."""


def read_pages(config_file: str) -> GptImagePlugin:
    """Read all pages of a site as a build does, macros and snippets included, and write nothing.

    Returns the plugin, whose `reader` holds the catalog. Raises `ConfigurationError` for a site that cannot be read.
    """
    # Built into a folder that is thrown away, because MkDocs empties the site's folder before it reads.
    with tempfile.TemporaryDirectory(prefix="gptimage-") as folder:
        try:
            config, plugin = _configured(config_file)
            plugin.read_only = True
            config.site_dir = folder
            config.plugins.on_startup(command="build", dirty=False)
            try:
                with _quiet(), contextlib.suppress(PagesRead):
                    build(config)
            finally:
                config.plugins.on_shutdown()
        except (MkDocsException, SystemExit) as error:
            raise ConfigurationError(str(error)) from error
    return plugin


def read_settings(config_file: str) -> Settings:
    """Read what a site has set, and no page; raise `ConfigurationError`."""
    try:
        return _configured(config_file)[1].settings
    except (MkDocsException, SystemExit) as error:
        raise ConfigurationError(str(error)) from error


def _configured(config_file: str) -> tuple[MkDocsConfig, GptImagePlugin]:
    """A site's configuration and its plugin, whose options are those of the site that is really built."""
    config = load_config(config_file=config_file)
    plugin: GptImagePlugin | None = config.plugins.get(_NAME)
    if plugin is None:
        raise ConfigurationError(f"{config_file}: the plugin 'gptimage' is not in 'plugins'")
    plugin.settings = plugin_options.settings(plugin.config, config)
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
