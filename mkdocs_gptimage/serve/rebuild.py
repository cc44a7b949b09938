"""Rebuilds the site of a development server, once for a batch of pictures.

The server watches a folder of the cache, in which a file is replaced.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING

from mkdocs_gptimage.fs import atomic_write
from mkdocs_gptimage.owned_folder import make_subfolder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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
