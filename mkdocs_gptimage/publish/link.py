"""Publishes cache files by hard links.

Linking is thirty times faster than copying, but a plugin that edits the built site in place also edits the linked
files. So the site is linked to the cache, never to the store.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs_gptimage.fs import atomic_write, read_regular_file
from mkdocs_gptimage.owned_folder import make_subfolder

if TYPE_CHECKING:
    from mkdocs_gptimage.spec.model import ImageSpec


PLACEHOLDERS = "placeholders"
"""The cache's folder of cards."""
CARD = re.compile(r"[0-9a-z-]*[0-9a-f]{12}\.svg")
"""The name of a card."""


def write_placeholder(spec: ImageSpec, note: str, cache: Path) -> Path:
    """Write a picture's placeholder card unless it is up to date; return its path."""
    from mkdocs_gptimage.figures.placeholder import placeholder_svg  # noqa: PLC0415 - only when something is missing

    path = make_subfolder(cache, PLACEHOLDERS) / f"{spec.stem}.svg"
    drawn = placeholder_svg(spec, note).encode()
    with contextlib.suppress(OSError):
        if read_regular_file(path, len(drawn)) == drawn:
            return path
    atomic_write(path, drawn)  # not in place: an earlier site may be linked to the old file
    return path


def link_file(source: str, target: str) -> None:
    """Hard-link a file of the cache into the site, or copy it where linking fails; both are paths."""
    with contextlib.suppress(OSError):
        os.link(source, target)
        return
    # An existing target may be a hard link, so it must not be written to.
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
