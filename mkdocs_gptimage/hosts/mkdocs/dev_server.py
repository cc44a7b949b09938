"""Detects builds of a development server by the temporary folder that they build into."""

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


def is_dev_server_folder(folder: Path) -> bool:
    """Whether a folder is a temporary one that the host's development server has made."""
    if folder.parent != Path(tempfile.gettempdir()) or not _NAME.fullmatch(folder.name):
        return False
    with contextlib.suppress(OSError):
        return os.name != "posix" or stat.S_IMODE(folder.stat().st_mode) == _PRIVATE
    return False
