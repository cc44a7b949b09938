"""Folders that this plugin makes, marks and cleans up: the cache, and below the store that of the journal.

A site may come from anywhere, its options and links included. So nothing is written to or deleted from a folder that
was not made here, no symbolic link below it is followed, and only files of our own naming patterns are ever deleted.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.fs import PART, atomic_write, read_regular_file, stat_regular_file, sweep_unfinished
from mkdocs_gptimage.resources import raise_if_lacking

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


JOURNAL = ".journal"
"""The folder in the store that holds what is in flight; no file in it is a picture."""
PARTS = "parts"
"""The cache's folder of unfinished files."""
MARKER = ".gptimage"
"""The file that shows who made a folder."""
_MARKER_TEXT = b"mkdocs-gptimage made this folder, and deletes files of its own in it.\n"
_IGNORE = ".gitignore"
_IGNORE_ALL = b"*\n"
# The journal contains prompts and links: readable by user and group only, or less by the umask.
_MODE = 0o770
DOWNLOAD = re.compile(r"[0-9a-f]{64}-[0-9a-f]{16}")
"""The name of an unfinished download, or of the copy of a candidate."""


def folder_fault(folder: Path) -> str:
    """Return why a folder must not be used, as `holds …; expected …`; empty for one that is ours, empty or missing."""
    if os.path.islink(folder):  # noqa: PTH114 - the method raises where a folder above may not be entered
        return "is a symbolic link, which is not followed; expected a folder: delete the link"
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:  # missing, or reported when it is written to
        raise_if_lacking(error, f"the folder '{folder}' cannot be read")
        return ""
    link = next((entry.name for entry in entries if entry.is_symlink()), None)
    if link is not None:
        return f"holds a symbolic link, '{link}', which is not followed; delete it"
    if _is_ours(folder):
        return ""
    # What a preparation that was interrupted may have left.
    others = [entry.name for entry in entries if not (PART.fullmatch(entry.name) or _is_empty_ignore(entry))]
    if not others:
        return ""
    return (
        f"holds files that this plugin did not make, such as '{others[0]}'; expected a folder of its own: name a new "
        "or an empty one"
    )


def require_owned(folder: Path) -> None:
    """Raise `ConfigurationError` unless the folder is ours, empty or missing."""
    fault = folder_fault(folder)
    if fault:
        raise ConfigurationError(f"the folder '{folder}' {fault}; nothing was changed in it")


def claim_folder(folder: Path) -> None:
    """Create a folder of ours: marked, and ignored by git. Raises `ConfigurationError` as above, and `OSError`."""
    require_owned(folder)
    with contextlib.suppress(OSError):
        stat_regular_file(folder / MARKER)
        if stat_regular_file(folder / _IGNORE).st_size:  # a full disk may have left an empty one
            return
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=_MODE, exist_ok=True)
    atomic_write(folder / MARKER, _MARKER_TEXT)
    if not _has_content(folder / _IGNORE):
        atomic_write(folder / _IGNORE, _IGNORE_ALL)


def make_subfolder(folder: Path, name: str) -> Path:
    """Create a folder of ours and a folder in it, unless they exist; return the inner one; raise as above."""
    claim_folder(folder)
    inner = folder / name
    inner.mkdir(exist_ok=True)
    return inner


def require_plain_files(paths: Iterable[Path]) -> None:
    """Raise `IrregularFileError` for a symbolic link, a pipe or the like, for libraries that would open them."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            stat_regular_file(path)


def own_files(folder: Path, pattern: re.Pattern[str]) -> Iterator[Path]:
    """Yield the files of a folder, which is not a link, whose whole names fit the pattern, in order of name."""
    try:
        names = sorted(folder.iterdir()) if stat.S_ISDIR(folder.lstat().st_mode) else []
    except OSError as error:
        raise_if_lacking(error, f"the folder '{folder}' cannot be read")
        return
    yield from (path for path in names if pattern.fullmatch(path.name))


def sweep_parts(cache: Path) -> None:
    """Delete the unfinished files that killed runs left in the cache."""
    if not folder_fault(cache):
        sweep_unfinished([*own_files(cache / PARTS, DOWNLOAD), *own_files(cache / PARTS, PART)])


def _is_ours(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        stat_regular_file(folder / MARKER)
        return True
    try:  # made by an earlier version, which wrote no marker
        return read_regular_file(folder / _IGNORE, len(_IGNORE_ALL)) == _IGNORE_ALL
    except OSError as error:
        raise_if_lacking(error, f"the folder '{folder}' cannot be read")
        return False


def _is_empty_ignore(entry: os.DirEntry[str]) -> bool:
    return entry.name == _IGNORE and entry.is_file(follow_symlinks=False) and not entry.stat().st_size


def _has_content(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return bool(stat_regular_file(path).st_size)
    return False
