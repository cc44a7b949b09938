"""Detects builds of a development server, and those in processes that one has started.

The first are known by the temporary folder that they build into, the others by an environment variable: hooks and
plugins build further sites with `mkdocs build` and in pools, on every save, and `serve` pays only when asked.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tempfile
from pathlib import Path

# The folders that `mkdocs serve` and `properdocs serve` build into, as `tempfile.mkdtemp` makes them.
_NAME = re.compile(r"(?:mkdocs|properdocs)_[a-z0-9_]{8}")
_PRIVATE = 0o700
VARIABLE = "GPTIMAGE_SERVING"
"""Set, for child processes, while a development server runs."""


class Announcement:
    """Says in the environment that a development server runs, from `begin` to `end`."""

    def __init__(self) -> None:
        self._before: str | None = None
        self._is_made = False

    def begin(self) -> None:
        if not self._is_made:
            self._is_made, self._before = True, os.environ.get(VARIABLE)
            os.environ[VARIABLE] = str(os.getpid())

    def end(self) -> None:
        if self._is_made:
            self._is_made = False
            os.environ.pop(VARIABLE, None)
            os.environ.update({VARIABLE: self._before} if self._before else {})


def is_started_by_server() -> bool:
    """Whether a development server, of this process or another, has started this build."""
    return bool(os.environ.get(VARIABLE))


def is_dev_server_folder(folder: Path) -> bool:
    """Whether a folder is a temporary one that the host's development server has made."""
    if folder.parent != Path(tempfile.gettempdir()) or not _NAME.fullmatch(folder.name):
        return False
    with contextlib.suppress(OSError):
        return os.name != "posix" or stat.S_IMODE(folder.stat().st_mode) == _PRIVATE
    return False
