"""Pictures that are made in the background of a development server, when its user wants them."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import cache_folder, production
from .errors import GptImageError
from .jobs import Event, Step, Watcher
from .planning import Plan, State
from .store import Entry, Store

if TYPE_CHECKING:
    import logging
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from .catalog import Catalog
    from .planning import Row
    from .settings import Settings

FOLDER = "serve"
"""Of the cache: a file in it changes when a picture was stored, and the server rebuilds."""
SETTLED_SECONDS = 5.0
"""So long a block must be unchanged before its picture is made without being asked for."""
_CLOSING_SECONDS = 2.0
_SIGNAL = "stored"
_FREE = (State.IN_FLIGHT, State.IN_HAND)
_PHASES = {
    Step.SUBMITTED: "running",
    Step.RESUMED: "running",
    Step.IN_HAND: "running",
    Step.RUNNING: "running",
    Step.STORED: "ready",
}
_AGAIN = {Step.WAITING: "free", Step.UNKNOWN: "unknown"}


class UnknownPictureError(GptImageError):
    """A picture that the site, as it was built last, does not ask for."""


@dataclass
class _Work:
    """One picture that was asked for in this server."""

    since: float
    """Seconds since the epoch."""
    phase: str = "queued"
    """`queued`, `running`, `ready` or `failed`."""
    text: str = ""
    again: str = "paid"
    """What asking again means: `paid`, `free`, or `unknown` for one that may be paid for already."""

    @property
    def is_over(self) -> bool:
        return self.phase in ("ready", "failed")


class Approvals:
    """What is made for the pages of one development server, across its rebuilds. Called by many threads."""

    def __init__(self, environment: Mapping[str, str], log: logging.Logger) -> None:
        self.token = secrets.token_urlsafe(32)
        """What a page must know to ask for a picture; another one for each server."""
        self._environment = environment
        self._log = log
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._works: dict[str, _Work] = {}
        self._catalog: Catalog | None = None
        self._settings: Settings | None = None
        self._cards: frozenset[str] = frozenset()
        self._seen: dict[str, float] = {}

    def card(self, row: Row) -> dict[str, Any]:
        """What a page says of a picture that is not there, for the script that offers to make it."""
        spec = row.picture.spec
        return {
            "token": self.token,
            "digest": row.digest,
            "state": row.state.value,
            "detail": row.detail,
            "price": row.price,
            "ask": f"{spec.size or 'like its reference'} · {spec.resolution}",
            "prompt": spec.prompt,
        }

    def update(self, catalog: Catalog, plan: Plan, settings: Settings, *, unasked: bool) -> None:
        """Take what the site asks for now; collect what is in flight, and, if `unasked`, make what does not change."""
        with self._lock:
            self._catalog, self._settings = catalog, settings
            self._cards = frozenset(row.digest for row in plan.rows if row.state is not State.CACHED)
            for digest in [digest for digest, work in self._works.items() if work.phase == "ready"]:
                del self._works[digest]
            free = [row.digest for row in plan.only(*_FREE) if row.digest not in self._works]
            if free and production.has_key(settings, self._environment):
                self._start(free, is_free=True)
            if unasked:
                self._wait_for_rest(plan)

    def _wait_for_rest(self, plan: Plan) -> None:
        now = time.monotonic()
        missing = [row.digest for row in plan.only(State.MISSING)]
        self._seen = {digest: self._seen.get(digest, now) for digest in missing}
        if any(digest not in self._works for digest in missing):
            timer = threading.Timer(SETTLED_SECONDS + 0.1, self._make_settled)
            timer.daemon = True
            timer.start()

    def _make_settled(self) -> None:
        with self._lock:
            until = time.monotonic() - SETTLED_SECONDS
            settled = [digest for digest, seen in self._seen.items() if seen <= until and digest not in self._works]
            if settled and not self._closing.is_set():
                self._start(settled)

    def ask(self, digests: Collection[str], *, retry_unknown: bool = False) -> None:
        """Make pictures of the current site; those that are under way already are left alone.

        Raises `UnknownPictureError`, and then makes none.
        """
        with self._lock:
            known = self._catalog.pictures if self._catalog is not None else {}
            strangers = [digest for digest in digests if digest not in known]
            if strangers:
                raise UnknownPictureError(f"the site does not ask for the picture {strangers[0][:12]} any more")
            idle = [digest for digest in digests if digest not in self._works or self._works[digest].is_over]
            if idle and not self._closing.is_set():
                self._start(idle, retry_unknown=retry_unknown)

    def states(self, digests: Iterable[str]) -> dict[str, dict[str, Any]]:
        """What has become of pictures that were cards in the last build, by digest; of others nothing."""
        with self._lock:
            settings, cards = self._settings, self._cards
            works = {digest: self._works.get(digest) for digest in digests if digest in cards}
        if settings is None:
            return {}
        told: dict[str, dict[str, Any]] = {}
        store = Store(settings.store)
        for digest, work in works.items():
            if isinstance(store.look(digest), Entry):
                # Another program may have made it.
                told[digest] = {"phase": "ready"}
                if work is None:
                    self._works[digest] = _Work(time.time(), "ready")
                    self._signal(settings.cache)
            elif work is not None:
                seconds = round(time.time() - work.since)
                told[digest] = {
                    "phase": work.phase,
                    "seconds": seconds,
                    "text": work.text,
                    "again": work.again,
                }
        return told

    def close(self) -> None:
        """End what is under way; what was accepted stays in the journal."""
        self._closing.set()
        until = time.monotonic() + _CLOSING_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _start(self, digests: list[str], *, retry_unknown: bool = False, is_free: bool = False) -> None:
        assert self._catalog is not None
        assert self._settings is not None
        self._works.update((digest, _Work(time.time())) for digest in digests)
        run = _Run(self._catalog, self._settings, frozenset(digests), retry_unknown, is_free)
        thread = threading.Thread(target=self._make, args=(run,), name="gptimage", daemon=True)
        self._threads = [*(each for each in self._threads if each.is_alive()), thread]
        thread.start()

    def _make(self, run: _Run) -> None:
        """Make some pictures; the body of a thread."""
        store = Store(run.settings.store)
        watcher = Watcher(lambda event: self._tell(event, run), self._closing.is_set)
        try:
            plan = run.plan(production.look_ahead(run.catalog, store.look, run.settings))
            result = production.produce(
                plan,
                run.settings,
                store,
                self._environment,
                self._log,
                retry_unknown=run.retry_unknown,
                watcher=watcher,
            )
            problems = result.problems
        except SystemExit:  # the server ends
            return
        except (GptImageError, OSError) as error:
            problems = [str(error)]
        for problem in problems:
            self._log.warning("%s", problem)
        there = {digest for digest in run.digests if isinstance(store.look(digest), Entry)}
        with self._lock:
            for digest in run.digests:
                work = self._works.get(digest)
                if work is not None and not work.is_over:
                    work.phase, work.text = ("ready", "") if digest in there else ("failed", "; ".join(problems))
        if there:
            self._signal(run.settings.cache)

    def _tell(self, event: Event, run: _Run) -> None:
        from . import progress  # noqa: PLC0415 - only when something is made

        self._log.info(progress.line(event))
        with self._lock:
            work = self._works.setdefault(event.digest, _Work(time.time()))
            work.phase, work.text = _PHASES.get(event.step, "failed"), event.text
            work.again = _AGAIN.get(event.step, "paid")
        if event.step is Step.STORED:
            self._signal(run.settings.cache)

    @staticmethod
    def _signal(cache: Path) -> None:
        """Have the server rebuild."""
        with contextlib.suppress(OSError):  # then the next save shows the picture
            prepare(cache)
            cache_folder.replace_with(cache / FOLDER / _SIGNAL, f"{time.time_ns()}\n")


@dataclass(frozen=True)
class _Run:
    """What one thread makes."""

    catalog: Catalog
    settings: Settings
    digests: frozenset[str]
    retry_unknown: bool
    is_free: bool

    def plan(self, whole: Plan) -> Plan:
        """The part of a plan for these pictures and those that they are drawn from."""
        wanted = set(self.digests)
        for row in reversed(whole.candidates):
            if row.digest in wanted:
                wanted.update(parent.spec.digest for parent in row.picture.parents)
        kept = (row for row in whole.candidates if row.digest in wanted)
        return Plan(tuple(row for row in kept if not self.is_free or row.state in (*_FREE, State.CACHED)))


def prepare(cache: Path) -> str:
    """Create the folder that the server watches; return its path."""
    cache_folder.prepare(cache)
    folder = cache / FOLDER
    folder.mkdir(exist_ok=True)
    return os.fspath(folder)
