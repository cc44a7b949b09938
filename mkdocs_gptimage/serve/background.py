"""Pictures that are made in the background of a development server, when its user wants them."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.errors import GptImageError
from mkdocs_gptimage.fs import prepare_cache, write_text
from mkdocs_gptimage.generate.job import Event, Step, Watcher
from mkdocs_gptimage.generate.run import has_key, run_plan
from mkdocs_gptimage.plan.plan import Plan, State, make_plan
from mkdocs_gptimage.store.entry import Entry
from mkdocs_gptimage.store.snapshot import StoreSnapshot
from mkdocs_gptimage.store.store import Store

if TYPE_CHECKING:
    import logging
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from mkdocs_gptimage.catalog.catalog import Catalog
    from mkdocs_gptimage.plan.plan import Row
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.spec.digest import Digest


WATCHED_FOLDER = "serve"
"""Of the cache: a file in it changes when a picture was stored, and the server rebuilds."""
SETTLED_SECONDS = 5.0
"""So long a block must be unchanged before its picture is made without being asked for."""
_CLOSING_SECONDS = 2.0
_SIGNAL = "stored"
_FREE = (State.IN_FLIGHT, State.LEASED)
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
class _BackgroundJob:
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


@dataclass
class _SiteBuild:
    """What one build of the server has read."""

    catalog: Catalog
    settings: Settings
    cards: frozenset[Digest]
    """Digests of what was not in the store."""
    seen: dict[Digest, float] = field(default_factory=dict)
    """When each missing picture was asked for first (monotonic clock), where they are made unasked."""


class BackgroundGenerator:
    """What is made for the pages of one development server, across its rebuilds. Called by many threads."""

    def __init__(self, environment: Mapping[str, str], log: logging.Logger) -> None:
        self.token = secrets.token_urlsafe(32)
        """What a page must know to ask for a picture; another one for each server."""
        self._environment = environment
        self._log = log
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._works: dict[Digest, _BackgroundJob] = {}
        self._parts: dict[str, _SiteBuild] = {}
        self._seen: dict[Digest, float] = {}
        self._is_held = False
        self._unasked: dict[str, float] = {}
        """What was made without being asked for, by digest, with its price in USD, or 0."""
        self._is_spent = False

    def card(self, row: Row, rows: Mapping[Digest, Row], settings: Settings) -> dict[str, Any]:
        """What a page says of a picture that is not there, for the script that offers to make it.

        `rows` are all of the plan, by digest: what the picture is drawn from may have to be made and paid for, too.
        """
        spec = row.picture.spec
        needed = [rows[digest] for digest in row.picture.lineage]
        return {
            "token": self.token,
            "lacks": "" if has_key(settings, self._environment) else settings.api.key_env,
            "digest": row.digest,
            "state": row.state.value,
            "detail": row.detail,
            "pays": {
                **{each.digest: each.price for each in needed if each.state is State.MISSING},
                row.digest: settings.prices.get(spec.resolution),
            },
            "ask": f"{spec.size or 'like its reference'} · {spec.resolution}",
            "prompt": spec.prompt,
        }

    def hold(self) -> None:
        """A build begins, which may fail: until it is there, nobody knows what the pages ask for."""
        with self._lock:
            self._is_held = True

    def update(self, name: str, catalog: Catalog, plan: Plan, settings: Settings, unasked: Collection[Digest]) -> None:
        """Take what a part of the site asks for now; a site of one language has one part.

        What is in flight is collected at once, for pictures that no page asks for any more as well. `unasked` are the
        digests of missing pictures that are made when they have not changed for a while.
        """
        with self._lock:
            self._is_held = False
            cards = frozenset(row.digest for row in plan.rows if row.state is not State.CACHED)
            part = self._parts[name] = _SiteBuild(catalog, settings, cards)
            for digest in [digest for digest, work in self._works.items() if work.phase == "ready"]:
                del self._works[digest]
            free = [row.digest for row in plan.only(*_FREE) if row.digest not in self._works]
            if (free or plan.unclaimed) and has_key(settings, self._environment):
                self._start(part, free, is_free=True)
            self._wait_for(unasked, part)

    def _wait_for(self, unasked: Collection[Digest], part: _SiteBuild) -> None:
        now = time.monotonic()
        part.seen.update((digest, self._seen.get(digest, now)) for digest in unasked)
        self._seen = {digest: seen for each in self._parts.values() for digest, seen in each.seen.items()}
        if any(digest not in self._works for digest in unasked):
            timer = threading.Timer(SETTLED_SECONDS + 0.1, self._make_settled, [part])
            timer.daemon = True
            timer.start()

    def _make_settled(self, part: _SiteBuild) -> None:
        """Make what has not changed, unless a later build is under way or has begun to wait anew."""
        with self._lock:
            until = time.monotonic() - SETTLED_SECONDS
            settled = [
                digest
                for digest in part.seen
                if self._seen.get(digest, until + 1) <= until and digest not in self._works
            ]
            if settled and not self._is_held and not self._closing.is_set() and self._has_budget(settled, part):
                self._start(part, settled)

    def _has_budget(self, digests: Iterable[Digest], part: _SiteBuild) -> bool:
        """Whether this server may make so many more unasked: its runs are short, and each has the whole budget."""
        prices, budget = part.settings.prices, part.settings.budget
        pictures = part.catalog.pictures
        wanted = {digest: prices.get(pictures[digest].spec.resolution, 0.0) for digest in digests}
        total = self._unasked | wanted
        is_over = (budget.images is not None and len(total) > budget.images) or (
            budget.usd is not None and sum(total.values()) > budget.usd
        )
        if not is_over:
            self._unasked = total
        elif not self._is_spent:
            self._is_spent = True
            self._log.info("the budget of this server is spent on pictures that nobody asked for; cards have buttons")
        return not is_over

    def ask(self, digests: Collection[Digest], *, retry_unknown: bool = False) -> None:
        """Make pictures of the current site; those that are under way already are left alone.

        Raises `UnknownPictureError`, and then makes none.
        """
        with self._lock:
            asked = {digest: self._part_of(digest) for digest in digests}
            idle = [digest for digest in asked if digest not in self._works or self._works[digest].is_over]
            for part in self._parts.values():
                wanted = [digest for digest in idle if asked[digest] is part]
                if wanted and not self._closing.is_set():
                    self._start(part, wanted, retry_unknown=retry_unknown)

    def _part_of(self, digest: Digest) -> _SiteBuild:
        for part in self._parts.values():
            if digest in part.catalog.pictures:
                return part
        raise UnknownPictureError(f"the site does not ask for the picture {digest.short} any more; reload the page")

    def states(self, digests: Iterable[Digest]) -> dict[str, dict[str, Any]]:
        """What has become of pictures that were cards in the last build, by digest; of others nothing."""
        told: dict[str, dict[str, Any]] = {}
        with self._lock:
            parts = {digest: part for part in self._parts.values() for digest in part.cards}
            works = {digest: replace(work) for digest, work in self._works.items()}
            asked = [(digest, parts[digest].settings, works.get(digest)) for digest in digests if digest in parts]
        for digest, settings, work in asked:
            if isinstance(Store(settings.store).get(digest), Entry):
                told[digest] = {"phase": "ready"}
                self._note_ready(digest, settings)
            elif work is not None:
                seconds = round(time.time() - work.since)
                told[digest] = {"phase": work.phase, "seconds": seconds, "text": work.text, "again": work.again}
        return told

    def _note_ready(self, digest: Digest, settings: Settings) -> None:
        """A picture is there; the server does not know of it when another program has made it."""
        with self._lock:
            is_news = digest not in self._works
            self._works.setdefault(digest, _BackgroundJob(time.time(), "ready"))
        if is_news:
            self._signal(settings.cache)

    def close(self) -> None:
        """End what is under way; what was accepted stays in the journal."""
        self._closing.set()
        until = time.monotonic() + _CLOSING_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _start(
        self, part: _SiteBuild, digests: list[Digest], *, retry_unknown: bool = False, is_free: bool = False
    ) -> None:
        works = {digest: _BackgroundJob(time.time()) for digest in digests}
        self._works.update(works)
        run = _Run(part.catalog, part.settings, works, retry_unknown, is_free)
        thread = threading.Thread(target=self._make, args=(run,), name="gptimage", daemon=True)
        self._threads = [*(each for each in self._threads if each.is_alive()), thread]
        thread.start()

    def _make(self, run: _Run) -> None:
        """Make some pictures; the body of a thread."""
        store = Store(run.settings.store)
        watcher = Watcher(lambda event: self._tell(event, run), self._closing.is_set)
        unknown: set[Digest] = set()
        try:
            whole = make_plan(run.catalog, StoreSnapshot(store), run.settings, include_unclaimed=run.is_free)
            plan = run.plan(whole)
            result = run_plan(
                plan,
                run.settings,
                store,
                self._environment,
                self._log,
                retry_unknown=run.retry_unknown,
                watcher=watcher,
            )
            problems = result.problems
            unknown = {row.digest for row in result.plan.only(State.UNKNOWN)}
        except SystemExit:  # the server ends
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, no card waits for it for ever
            problems = [str(error) or type(error).__name__]
        for problem in problems:
            # The card says it. A warning, from whatever thread, would fail a strict build that is under way.
            self._log.info("%s", problem)
        there = {digest for digest in run.works if isinstance(store.get(digest), Entry)}
        with self._lock:
            rest = {digest: work for digest, work in run.works.items() if not work.is_over}
            for digest, work in rest.items():
                work.phase, work.text = ("ready", "") if digest in there else ("failed", "; ".join(problems))
                work.again = "unknown" if digest in unknown else work.again
        if there.intersection(rest):
            self._signal(run.settings.cache)

    def _tell(self, event: Event, run: _Run) -> None:
        from mkdocs_gptimage.generate import progress  # noqa: PLC0415 - only when something is made

        self._log.info(progress.line(event))
        with self._lock:
            # One that was not asked for: another one is drawn from it.
            work = run.works.get(event.digest) or self._works.setdefault(event.digest, _BackgroundJob(time.time()))
            work.phase, work.text = _PHASES.get(event.step, "failed"), event.text
            work.again = _AGAIN.get(event.step, "paid")
        if event.step is Step.STORED:
            self._signal(run.settings.cache)

    @staticmethod
    def _signal(cache: Path) -> None:
        """Have the server rebuild."""
        with contextlib.suppress(OSError):  # then the next save shows the picture
            prepare_watched_folder(cache)
            write_text(cache / WATCHED_FOLDER / _SIGNAL, f"{time.time_ns()}\n")


@dataclass(frozen=True)
class _Run:
    """What one thread makes."""

    catalog: Catalog
    settings: Settings
    works: Mapping[Digest, _BackgroundJob]
    """What was asked for, by digest."""
    retry_unknown: bool
    is_free: bool

    def plan(self, whole: Plan) -> Plan:
        """The part of a plan for these pictures and those that they are drawn from; with all strays, if it is free."""
        lines = (row.picture.lineage for row in whole.all_rows if row.digest in self.works)
        wanted = set().union(*lines)
        kept = (row for row in whole.all_rows if row.digest in wanted)
        if not self.is_free:
            return Plan(tuple(kept))
        return Plan(tuple(row for row in kept if row.state in (*_FREE, State.CACHED)), whole.collectable)


def prepare_watched_folder(cache: Path) -> str:
    """Create the folder that the server watches; return its path."""
    prepare_cache(cache)
    folder = cache / WATCHED_FOLDER
    folder.mkdir(exist_ok=True)
    return os.fspath(folder)
