"""MkDocs' pages: that they can be read, and the page contexts that figures are rendered in."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mkdocs.structure.files import InclusionLevel
from mkdocs.utils import get_relative_url

from mkdocs_gptimage.catalog.location import Source
from mkdocs_gptimage.errors import PageError
from mkdocs_gptimage.figures.renderer import PageContext as CurrentPage
from mkdocs_gptimage.text import Problem, encoding_fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import File, Files
    from mkdocs.structure.pages import Page

    from mkdocs_gptimage.settings import Settings


_NOT_FOUND_PAGE = "404.html"


def require_readable(files: Files, settings: Settings, *, serves: bool) -> None:
    """Raise `PageError` that lists the pages that are not UTF-8: MkDocs ends with a traceback there.

    `serves` if drafts are read as well.
    """
    is_read = InclusionLevel.is_in_serve if serves else InclusionLevel.is_included
    faults = []
    for file in files.documentation_pages(inclusion=is_read):
        if file.abs_src_path is not None:
            with contextlib.suppress(OSError):  # which MkDocs names
                fault = encoding_fault(Path(file.abs_src_path).read_bytes())
                faults += [str(Problem(fault, _shown_path(file.abs_src_path, settings)))] if fault else []
    if faults:
        raise PageError("\n".join(faults))


def page_context(page: Page, config: MkDocsConfig, settings: Settings) -> CurrentPage:
    """Return what the reader has to know of a page: its text, its folder, and how it writes URLs."""
    file = page.file
    path = _place(file, settings)
    source = Source(_shown_path(path, settings), _text(file, path), settings.fence)

    def url(target: str) -> str:
        if file.dest_uri == _NOT_FOUND_PAGE:
            # This page is shown at any depth, so only an absolute path is right.
            return f"{urlsplit(config.site_url or '/').path.rstrip('/')}/{target}"
        return get_relative_url(target, page.url)

    return CurrentPage(source, os.path.dirname(path), url)  # noqa: PTH120 - for every page with a block


def _text(file: File, place: str) -> Callable[[], str]:
    """What reads a page's Markdown file; a temporary one is read at once, as it may be gone later."""
    if file.abs_src_path == place:
        return lambda: file.content_string
    text = file.content_string
    return lambda: text


def provided_file(files: Files, uri: str) -> Path | None:
    """Return the file that a plugin has put at a place of docs_dir; a link must not lead out of the plugin's folder."""
    file = files.get_file_from_path(uri)
    if file is None or file.abs_src_path is None:
        return None
    path = Path(file.abs_src_path)
    folder = Path(file.src_dir) if file.src_dir else path.parent
    return path if path.resolve().is_relative_to(folder.resolve()) else None


def _place(file: File, settings: Settings) -> str:
    """The absolute path of a page's Markdown file; of one that a plugin has made or fetched, its place in docs_dir."""
    path, place = file.abs_src_path, os.path.normpath(settings.docs / file.src_uri)
    if path is None or path == place:
        return place
    own = (f"{settings.docs}{os.sep}", os.path.normpath(settings.project / file.src_uri))
    return path if path.startswith(own[0]) or path == own[1] else place


def _shown_path(path: str, settings: Settings) -> str:
    """A page's file as messages show it: relative to the project where it lies inside."""
    inside = path.removeprefix(f"{settings.project}{os.sep}")
    if inside != path:
        return inside.replace(os.sep, "/")
    try:
        return Path(path).resolve().relative_to(settings.project).as_posix()
    except ValueError:
        return path
