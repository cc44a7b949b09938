"""Read-only mode: while a site is only read, neither this process nor one that it starts submits or collects anything.

An environment variable takes the mode along into child processes; its value is the folder that sites are built into.
One that has lost it on the way still finds, on Linux, the mark among the open files of the process that reads a site.
API keys are taken out of the environment meanwhile, for hooks and plugins see it, and child processes inherit it.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

VARIABLE = "GPTIMAGE_READ_ONLY"
_MARK = "gptimage-reading"
_PROC = Path("/proc")
_NOT_THERE = (FileNotFoundError, NotADirectoryError, PermissionError, ProcessLookupError)


@dataclass
class _State:
    """The mode of this process: one for all threads, as the environment is."""

    depth: int = 0
    inherited: str | None = None
    """The value of `VARIABLE` outside of the mode: another process may be reading a site and have started this one."""
    keys: dict[str, str] = field(default_factory=dict)
    """Variables that were taken out of the environment, with their values."""
    mark: int | None = None
    """The open file that child processes know this one by; it holds the folder as well."""


_state = _State()


def is_active() -> bool:
    """Whether a site is only being read, by this process or one that has started it."""
    return bool(_state.depth) or is_read_only(os.environ)


def is_read_only(environment: Mapping[str, str]) -> bool:
    """Whether a process with this environment may not pay: another reads a site, and has started it."""
    return bool(environment.get(VARIABLE) or _marked_folder())


@contextlib.contextmanager
def reading(folder: str) -> Iterator[None]:
    """Put this process into read-only mode; the environment is as before at the end. May be nested.

    `folder` is a temporary one that sites are built into meanwhile.
    """
    before = os.environ.get(VARIABLE)
    _begin(folder)
    try:
        yield
    finally:
        _set_variable(before)
        _state.depth -= 1
        if not _state.depth:
            _restore()


def stay_read_only() -> None:
    """Put this process into read-only mode for good: threads that hooks leave behind may build a site at any time.

    What is to be paid for on purpose gets `outer_environment`.
    """
    if not _state.depth:
        # No `TemporaryDirectory`: multiprocessing drops it in a child process, which deletes it under its parent.
        folder = tempfile.mkdtemp(prefix="gptimage-")
        atexit.register(_remove_own, folder, os.getpid())
        _begin(folder)


def outer_environment() -> dict[str, str]:
    """Return the environment as it is outside of the mode of this process, with the keys."""
    environment = {**os.environ, **_state.keys}
    if _state.depth:
        environment.pop(VARIABLE, None)
        environment.update({VARIABLE: _state.inherited} if _state.inherited else {})
    return environment


@contextlib.contextmanager
def variable_hidden() -> Iterator[None]:
    """Start a program that goes on, such as a browser: what is started from it later is not to be read-only."""
    value = os.environ.get(VARIABLE)
    _set_variable(_state.inherited)
    try:
        yield
    finally:
        _set_variable(value)


def hide_keys(names: Iterable[str]) -> None:
    """Take the variables of API keys out of the environment until the mode ends."""
    for name in names:
        key = os.environ.pop(name, None)
        if key is not None:
            _state.keys.setdefault(name, key)


def site_folder() -> Path | None:
    """Return the temporary folder that sites are built into; None outside of the mode, or when it is gone."""
    value = os.environ.get(VARIABLE) or _marked_folder()
    return Path(value) if os.path.isabs(value) and os.path.isdir(value) else None  # noqa: PTH112, PTH117 - any text


def _remove_own(folder: str, owner: int) -> None:
    """Delete a folder, but not in a process that was forked from the one that made it."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _begin(value: str) -> None:
    if not _state.depth:
        _state.inherited = os.environ.get(VARIABLE)
        if hasattr(os, "memfd_create"):
            _state.mark = os.memfd_create(_MARK)
            os.write(_state.mark, os.fsencode(value))
        # An outer folder stays: a build of a thread goes on when the inner one is gone.
        os.environ[VARIABLE] = value
    _state.depth += 1


def _restore() -> None:
    os.environ.update({name: key for name, key in _state.keys.items() if name not in os.environ})
    _state.keys.clear()
    if _state.mark is not None:
        os.close(_state.mark)
        _state.mark = None


def _set_variable(value: str | None) -> None:
    if value is None:
        os.environ.pop(VARIABLE, None)
    else:
        os.environ[VARIABLE] = value


def _marked_folder() -> str:
    """The folder of the nearest process that reads a site and has started this one; empty where there is none."""
    return next(filter(None, map(_mark_of, _ancestors())), "")


def _ancestors() -> Iterator[int]:
    """The processes that have started this one, the nearest first; only this one's parent where there is no `/proc`."""
    pid = os.getppid()
    while pid > 0:
        yield pid
        try:
            # The name of the program, in parentheses, may hold anything.
            pid = int((_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
        except (*_NOT_THERE, ValueError, IndexError):
            return


def _mark_of(pid: int) -> str:
    """What the mark of a process holds; empty for one without, or of another user."""
    # Not any `OSError`: a process that may open no more files cannot know that it may pay.
    with contextlib.suppress(*_NOT_THERE):
        for entry in (_PROC / str(pid) / "fd").iterdir():
            with contextlib.suppress(*_NOT_THERE):
                if os.readlink(entry).startswith(f"/memfd:{_MARK}"):  # noqa: PTH115 - no path of a file
                    return os.fsdecode(entry.read_bytes())
    return ""
