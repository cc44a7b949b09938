"""Triggers a rebuild of the development server: a file in a watched folder of the cache is replaced."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from mkdocs_gptimage.fs import atomic_write
from mkdocs_gptimage.owned_folder import make_subfolder

if TYPE_CHECKING:
    from pathlib import Path

WATCHED_FOLDER = "serve"
"""Below the cache."""
_SIGNAL = "stored"


def prepare_watched_folder(cache: Path) -> str:
    """Create the folder that the server watches; return its path."""
    return os.fspath(make_subfolder(cache, WATCHED_FOLDER))


def trigger_rebuild(cache: Path) -> None:
    """Have the server rebuild; where the cache cannot be written to, the next save shows the picture."""
    with contextlib.suppress(OSError):
        prepare_watched_folder(cache)
        atomic_write(cache / WATCHED_FOLDER / _SIGNAL, f"{time.time_ns()}\n".encode())
