"""Rebuilds the site of a development server, once for a batch of pictures, and keeps our own files from doing so.

A rebuild is triggered by replacing a file in a watched folder of the cache. A site may watch a folder that holds the
store or the cache, `watch: [.]`; what is written there by builds and while a picture is made causes no rebuild.
"""

from __future__ import annotations

import contextlib
import os
import threading
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
_QUIET_SECONDS = 0.5
"""So long no further picture must arrive before the site is rebuilt."""


class BatchRebuild:
    """Rebuilds once no picture is being made and none has arrived for a moment; open pages show each at once."""

    def __init__(self, is_busy: Callable[[], bool]) -> None:
        self._is_busy = is_busy
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._caches: set[Path] = set()

    def request(self, cache: Path) -> None:
        """A picture has been stored."""
        with self._lock:
            self._caches.add(cache)
            self._restart()

    def _restart(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(_QUIET_SECONDS, self._run)
        self._timer.daemon = True
        self._timer.start()

    def _run(self) -> None:
        is_busy = self._is_busy()
        with self._lock:
            if is_busy:
                self._restart()
                return
            caches, self._caches = self._caches, set()
        for cache in caches:
            _trigger(cache)


def prepare_watched_folder(cache: Path) -> str:
    """Create the folder that the server watches; return its path."""
    return os.fspath(make_subfolder(cache, WATCHED_FOLDER))


def _trigger(cache: Path) -> None:
    """Have the server rebuild; where the cache cannot be written to, the next save shows the picture."""
    with contextlib.suppress(OSError):
        prepare_watched_folder(cache)
        atomic_write(cache / WATCHED_FOLDER / _SIGNAL, f"{time.time_ns()}\n".encode())


def ignore_own_files(observer: Any, settings: Settings) -> None:
    """Have a watchdog observer ignore the store, the cache and the journal in all that it is told to watch from now on.

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
