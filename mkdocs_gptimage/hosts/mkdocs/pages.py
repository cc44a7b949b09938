"""Converts MkDocs' pages to the page contexts that figures are rendered in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mkdocs.utils import get_relative_url

from mkdocs_gptimage.catalog.location import Source
from mkdocs_gptimage.figures.renderer import PageContext as CurrentPage

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

    from mkdocs_gptimage.settings import Settings


_NOT_FOUND_PAGE = "404.html"


def page_context(page: Page, config: MkDocsConfig, settings: Settings) -> CurrentPage:
    """Return what the reader has to know of a page: its text, its folder, and how it writes URLs."""
    file = page.file
    path = file.abs_src_path or os.fspath(settings.docs / file.src_uri)
    source = Source(_shown_path(path, settings), lambda: file.content_string, settings.fence)

    def url(target: str) -> str:
        if file.dest_uri == _NOT_FOUND_PAGE:
            # This page is shown at any depth, so only an absolute path is right.
            return f"{urlsplit(config.site_url or '/').path.rstrip('/')}/{target}"
        return get_relative_url(target, page.url)

    return CurrentPage(source, os.path.dirname(path), url)  # noqa: PTH120 - for every page with a block


def _shown_path(path: str, settings: Settings) -> str:
    """A page's file as messages show it: relative to the project where it lies inside."""
    inside = path.removeprefix(f"{settings.project}{os.sep}")
    if inside != path:
        return inside.replace(os.sep, "/")
    try:
        return Path(path).resolve().relative_to(settings.project).as_posix()
    except ValueError:
        return path
