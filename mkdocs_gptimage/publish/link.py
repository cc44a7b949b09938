"""Publishes cache files by hard links.

Linking is thirty times faster than copying, but a neighbour that edits the built site in place would edit what is
linked. So the site gets links to files of the cache, never to the store.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs_gptimage.fs import atomic_write, prepare_cache

if TYPE_CHECKING:
    from mkdocs_gptimage.spec.model import ImageSpec


PLACEHOLDERS = "placeholders"


def write_placeholder(spec: ImageSpec, note: str, cache: Path) -> Path:
    """Return the file of a picture's card, drawn again only when it changed."""
    from mkdocs_gptimage.figures.placeholder import placeholder_svg  # noqa: PLC0415 - only when something is missing

    prepare_cache(cache)
    path = cache / PLACEHOLDERS / f"{spec.stem}.svg"
    drawn = placeholder_svg(spec, note)
    with contextlib.suppress(OSError):
        if path.read_text(encoding="utf-8") == drawn:
            return path
    path.parent.mkdir(exist_ok=True)
    atomic_write(path, drawn.encode())  # an earlier site may be linked to the old one
    return path


def link_file(source: str, target: str) -> None:
    """Put a file of the cache into the site: a hard link, or a copy where there cannot be one; both are paths."""
    with contextlib.suppress(OSError):
        os.link(source, target)
        return
    # It may be linked to something, so it must not be written to.
    file = Path(target)
    file.unlink(missing_ok=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        try:
            shutil.copyfile(source, target)
        except OSError:
            file.unlink(missing_ok=True)
            raise
