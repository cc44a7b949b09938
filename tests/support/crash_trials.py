"""Runs crash trials side by side, each with a site and a service of its own."""

from __future__ import annotations

import contextlib
import itertools
import queue
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import scripted_service
from crashes import KEY, MAX_REQUESTS, Trial, TrialResult
from forkserver import start_forkserver
from paying_service import PayingService
from sites import FAST, Site, block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from crash_points import Point
    from forkserver import Forkserver
    from scripted_service import ScriptedService

_AT_A_TIME = 3
"""Trials; most of the time of each is waiting."""
_PAGES = {"index.md": (1, 2, 3), "guide/first.md": (4, 1, 5, 6), "guide/second.md": (7, 8)}
_WITH_REFERENCE = 8


class TrialRunner:
    """Starts trials, each in an empty folder."""

    def __init__(
        self, root: Path, pool: ThreadPoolExecutor, commands: queue.SimpleQueue[Forkserver], seconds: float
    ) -> None:
        self._root = root
        self._pool = pool
        self._commands = commands
        self._seconds = seconds
        self._numbers = itertools.count(1)

    def start(self, point: Point, after_kill: Callable[[Path], None] = lambda _: None) -> Future[TrialResult]:
        """Begin a trial; `after_kill` is done to the folder of the project after the last crash."""
        return self._pool.submit(self._try, point, after_kill)

    def _try(self, point: Point, after_kill: Callable[[Path], None]) -> TrialResult:
        commands = self._commands.get()
        folder = self._root / f"{next(self._numbers)}"
        try:
            with scripted_service.serving() as service:
                return Trial(point, _site(folder, service), service, commands, self._seconds).run(after_kill)
        finally:
            self._commands.put(commands)


@contextlib.contextmanager
def trial_runner(root: Path) -> Iterator[TrialRunner]:
    """Measure an undisturbed build below a folder, then take trials; all that began are finished at the end."""
    with contextlib.ExitStack() as stack:
        commands: queue.SimpleQueue[Forkserver] = queue.SimpleQueue()
        for _ in range(_AT_A_TIME):
            commands.put(stack.enter_context(start_forkserver()))
        seconds = _undisturbed(root / "undisturbed")
        yield TrialRunner(root, stack.enter_context(ThreadPoolExecutor(_AT_A_TIME)), commands, seconds)


def _undisturbed(folder: Path) -> float:
    """Seconds that a build takes without a kill."""
    with scripted_service.serving() as service:
        PayingService(service, honours_keys=True)
        site = _site(folder, service)
        began = time.monotonic()
        done = site.build(env=KEY)
        assert done.code == 0, done.err
        return time.monotonic() - began


def _site(root: Path, service: ScriptedService) -> Site:
    """Nine blocks on three pages for eight pictures, one of them with a local reference image."""
    root.mkdir()
    site = Site(root)
    site.configure(
        theme="mkdocs", gptimage={"api": {"base_url": service.base_url, "max_requests": MAX_REQUESTS, **FAST}}
    )
    site.write({page: "\n".join(map(_block, numbers)) for page, numbers in _PAGES.items()})
    (root / "docs" / "reference.png").write_bytes(scripted_service.picture())
    return site


def _block(number: int) -> str:
    reference = {"image_urls": ["/reference.png"]} if number == _WITH_REFERENCE else {}
    return block(prompt=f"picture {number}", **reference)
