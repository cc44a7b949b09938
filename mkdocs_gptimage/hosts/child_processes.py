"""Ends the processes that hooks and plugins have started while a site was read, and left running."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from types import FrameType

_PROC = Path("/proc")
_GRACE = 1.0
"""Seconds from SIGTERM to SIGKILL."""
_LOOK_AGAIN = 0.02


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    group: int


@contextlib.contextmanager
def ended_at_exit(variable: str, value: str) -> Iterator[None]:
    """End, at the exit of the context, the child processes that began in it, and their children.

    One whose parent has ended is known by an environment variable that it has inherited, on Linux. SIGTERM to this
    process ends them as well.
    """
    before = {process.pid for process in _descendants(_processes())}
    mark = f"{variable}={value}".encode()
    with _at_sigterm(lambda: _end(before, mark)):
        try:
            yield
        finally:
            _end(before, mark)


def _end(before: Collection[int], mark: bytes) -> None:
    deadline = time.monotonic() + _GRACE
    asked: set[int] = set()
    while left := _started(before, mark):
        is_late = time.monotonic() > deadline
        for pid in left if is_late else left - asked:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL if is_late else signal.SIGTERM)
        if time.monotonic() > deadline + _GRACE:
            return
        asked |= left
        time.sleep(_LOOK_AGAIN)


def _started(before: Collection[int], mark: bytes) -> set[int]:
    """The running processes that were started from this one since `before`."""
    found = _processes()
    children = {process.pid for process in _descendants(found)}
    group, own = os.getpgid(0) if found else 0, os.getpid()
    orphans = {each.pid for each in found if each.group == group and each.pid != own and _has_mark(each.pid, mark)}
    return (children | orphans) - set(before) - _kept()


def _kept() -> set[int]:
    """Python's own helper, which ends with this process, and whose early end is warned of."""
    tracker = sys.modules.get("multiprocessing.resource_tracker")
    return {getattr(getattr(tracker, "_resource_tracker", None), "_pid", None) or 0}


def _descendants(processes: Collection[_Process]) -> list[_Process]:
    """The children of this process, and theirs."""
    found: list[_Process] = []
    parents = {os.getpid()}
    while generation := [each for each in processes if each.parent in parents]:
        found += generation
        parents = {each.pid for each in generation}
    return found


def _processes() -> list[_Process]:
    """All running processes of the machine; none where there is no way to tell, as on Windows."""
    if os.name != "posix":
        return []
    if not (_PROC / "self" / "stat").exists():
        return _processes_by_ps()
    found = []
    for entry in _PROC.iterdir():
        with contextlib.suppress(OSError, ValueError):
            # The name of the program, in parentheses, may hold anything.
            state, parent, group = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:3]
            if state != "Z":
                found.append(_Process(int(entry.name), int(parent), int(group)))
    return found


def _processes_by_ps() -> list[_Process]:
    command = ["ps", "-A", "-o", "pid=,ppid=,pgid=,stat="]
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="ascii", errors="replace") as ps:  # noqa: S603 - fixed
            listed, _ = ps.communicate()
    except OSError:
        return []
    rows = [line.split() for line in listed.splitlines()]
    found = [_Process(*map(int, row[:3])) for row in rows if not row[3].startswith("Z")]
    return [process for process in found if process.pid != ps.pid]


def _has_mark(pid: int, mark: bytes) -> bool:
    try:
        return mark in (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


@contextlib.contextmanager
def _at_sigterm(end: Callable[[], None]) -> Iterator[None]:
    """Run `end` when this process gets SIGTERM, and then what was to happen; not in another thread.

    A SIGTERM that is ignored, or handled by code that is not Python's, is left alone.
    """
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM) if is_main else None

    def handle(number: int, frame: FrameType | None) -> None:
        end()
        signal.signal(number, before)
        if callable(before):
            before(number, frame)
        else:
            os.kill(os.getpid(), number)

    is_ours = before not in (None, signal.SIG_IGN)
    if is_ours:
        signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        if is_ours:
            signal.signal(signal.SIGTERM, before)
