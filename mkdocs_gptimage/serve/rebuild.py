"""Triggers rebuilds of the development server, and keeps its own files from doing so.

A rebuild is triggered by replacing a file in a watched folder of the cache. A site may watch a folder that holds the
store or the cache, `watch: [.]`; what is written there by builds and while a picture is made causes no rebuild.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.fs import atomic_write
from mkdocs_gptimage.owned_folder import make_subfolder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mkdocs_gptimage.settings import Settings

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


def ignore_own_files(observer: Any, settings: Settings) -> None:
    """Have a watchdog observer ignore the store, the cache and the journal in whatever it is told to watch from now on.

    A store that is watched by its own name is not ignored, but for its journal.
    """
    schedule = observer.schedule

    def schedule_filtered(handler: Any, path: str, **options: Any) -> Any:
        folders = [folder for folder in (settings.store, settings.cache) if not _lies_in(path, os.fspath(folder))]
        own = [os.path.realpath(folder) for folder in (*folders, settings.journal)]
        handler.on_any_event = _without(handler.on_any_event, own)
        return schedule(handler, path, **options)

    observer.schedule = schedule_filtered


def _without(react: Callable[[Any], None], folders: list[str]) -> Callable[[Any], None]:
    """An event handler that leaves out the events whose paths all lie in some folders."""

    def react_to_others(event: Any) -> None:
        paths = filter(None, (event.src_path, getattr(event, "dest_path", "")))
        if not all(any(_lies_in(path, folder) for folder in folders) for path in paths):
            react(event)

    return react_to_others


def _lies_in(path: str, folder: str) -> bool:
    found, folder = os.path.realpath(path), os.path.realpath(folder)
    return found == folder or found.startswith(f"{folder}{os.sep}")
