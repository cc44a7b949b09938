"""What a build may do: pay for missing pictures, offer to generate them on its pages, or neither."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs_gptimage.hosts.mkdocs.dev_server import is_dev_server_folder, is_started_by_server
from mkdocs_gptimage.text import plugin_log

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

    from mkdocs_gptimage.settings import Settings

log = plugin_log()
# Plugins that build the site once more for every language, after the first language is written.
_PLUGINS_OF_SEVERAL_BUILDS = ("i18n",)
_SHOW_DRAFTS = ("blog", "draft")
"""Words in the names of plugins that show more pages on a development server than a build has."""


class PagesRead(Exception):  # noqa: N818 - not an error: all pages are read
    """Ends a build that was only started to read the pages."""


@dataclass(frozen=True)
class Invocation:
    """How the site generator was started."""

    command: str
    """`build`, `gh-deploy` or `serve`."""
    is_dirty: bool
    """Whether only changed pages are built."""
    is_read_only: bool
    """Whether nothing may be made, as while a command reads a site."""


@dataclass(frozen=True)
class BuildMode:
    """What a build may do."""

    on_missing: str
    """`generate`, `placeholder` or `error`."""
    offers: bool
    """Whether cards have buttons: only under a development server."""
    has_several_builds: bool
    """Whether the site is built once more for every language, after the first one is written."""
    sees_all: bool
    """Whether one pass reads all pages of the site, those included that only a development server shows."""

    lacks_key: bool = False
    """Whether missing pictures would be generated, if there was a key."""

    @property
    def pays(self) -> bool:
        """Whether missing pictures are generated during the build."""
        return self.on_missing == "generate" and not self.offers


def choose_mode(on_missing: str, settings: Settings, config: MkDocsConfig, invocation: Invocation) -> BuildMode:
    """Return what a build may do; `on_missing` is the option's value."""
    has_several_builds = any(name in config.plugins for name in _PLUGINS_OF_SEVERAL_BUILDS)
    if invocation.is_read_only:
        shown = "error" if on_missing == "error" else "placeholder"
        return BuildMode(shown, offers=False, has_several_builds=has_several_builds, sees_all=False)
    # `serve --clean` says that it is a build, but builds where serve does.
    serves = invocation.command == "serve" or is_dev_server_folder(Path(config.site_dir))
    chooses = on_missing == "auto"
    lacks_key = False
    if chooses:
        may_pay = not (serves or is_started_by_server())
        lacks_key = may_pay and not settings.has_key(os.environ)
        on_missing = "generate" if may_pay and not lacks_key else "placeholder"
    is_served = serves and on_missing != "error"
    if invocation.is_dirty and (is_served or (chooses and on_missing == "generate")):
        # With a part of the pages, it is unknown what the others ask for.
        log.info("with --dirty, missing pictures are only shown as cards")
        on_missing = "placeholder"
    sees_all = not (invocation.is_dirty or has_several_builds) and (serves or not can_have_drafts(config))
    offers = is_served and not invocation.is_dirty
    return BuildMode(on_missing, offers, has_several_builds, sees_all, lacks_key and not invocation.is_dirty)


def can_have_drafts(config: MkDocsConfig) -> bool:
    """Whether a development server may show more pages than a build has."""
    return bool(config.draft_docs) or any(word in name for name in config.plugins for word in _SHOW_DRAFTS)
