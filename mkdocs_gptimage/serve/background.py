"""Generates pictures in background threads of a development server, on request."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.errors import GptImageError
from mkdocs_gptimage.generate.job import Event, Step, Watcher
from mkdocs_gptimage.generate.run import has_key, run_plan
from mkdocs_gptimage.generate.workspace import Workspace
from mkdocs_gptimage.plan.plan import Plan, make_plan
from mkdocs_gptimage.plan.states import FREE, State
from mkdocs_gptimage.serve.budget import AutomaticBudget
from mkdocs_gptimage.serve.jobs import BackgroundJob, BackgroundRun, SiteBuild
from mkdocs_gptimage.serve.rebuild import trigger_rebuild
from mkdocs_gptimage.store.snapshot import StoreSnapshot
from mkdocs_gptimage.store.store import Store

if TYPE_CHECKING:
    import logging
    from collections.abc import Collection, Iterable, Mapping

    from mkdocs_gptimage.catalog.catalog import Catalog
    from mkdocs_gptimage.plan.plan import Row
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.spec.digest import Digest


SETTLED_SECONDS = 5.0
"""So long a block must be unchanged before its picture is made without being asked for."""
_CLOSING_SECONDS = 2.0
_PHASES = {
    Step.SUBMITTED: "running",
    Step.RESUMED: "running",
    Step.LEASED: "running",
    Step.RUNNING: "running",
    Step.STORED: "ready",
}
_AGAIN = {Step.WAITING: "free", Step.UNKNOWN: "unknown"}


class UnknownPictureError(GptImageError):
    """A picture that the site, as it was built last, does not ask for."""


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
        self._works: dict[Digest, BackgroundJob] = {}
        self._parts: dict[str, SiteBuild] = {}
        self._seen: dict[Digest, float] = {}
        self._is_held = False
        self._budget = AutomaticBudget()

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
        """A build begins, and may fail: what the pages ask for is unknown until it ends."""
        with self._lock:
            self._is_held = True

    def update(
        self, name: str, catalog: Catalog, plan: Plan, settings: Settings, auto_generate: Collection[Digest]
    ) -> None:
        """Take what a part of the site asks for now; a site of one language has one part.

        What is in flight is collected at once, unclaimed submissions included. `auto_generate` are the digests of
        missing pictures that are made when they have not changed for a while.
        """
        with self._lock:
            self._is_held = False
            cards = frozenset(row.digest for row in plan.rows if row.state is not State.CACHED)
            part = self._parts[name] = SiteBuild(catalog, settings, cards)
            for digest in [digest for digest, work in self._works.items() if work.phase == "ready"]:
                del self._works[digest]
            free = [row.digest for row in plan.only(*FREE) if row.digest not in self._works]
            if (free or plan.unclaimed) and has_key(settings, self._environment):
                self._start(part, free, is_free=True)
            self._wait_for(auto_generate, part)

    def _wait_for(self, auto_generate: Collection[Digest], part: SiteBuild) -> None:
        now = time.monotonic()
        part.seen.update((digest, self._seen.get(digest, now)) for digest in auto_generate)
        self._seen = {digest: seen for each in self._parts.values() for digest, seen in each.seen.items()}
        if any(digest not in self._works for digest in auto_generate):
            timer = threading.Timer(SETTLED_SECONDS + 0.1, self._make_settled, [part])
            timer.daemon = True
            timer.start()

    def _make_settled(self, part: SiteBuild) -> None:
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

    def _has_budget(self, digests: Iterable[Digest], part: SiteBuild) -> bool:
        """Whether so many more may be made without being asked; says once when they may not."""
        was_used_up = self._budget.is_used_up
        is_allowed = self._budget.reserve(digests, part)
        if not is_allowed and not was_used_up:
            self._log.info(
                "the budget for automatic generation is used up for this server; use the buttons on the cards"
            )
        return is_allowed

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

    def _part_of(self, digest: Digest) -> SiteBuild:
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
            if Store(settings.store).entry(digest) is not None:
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
            self._works.setdefault(digest, BackgroundJob(time.time(), "ready"))
        if is_news:
            trigger_rebuild(settings.cache)

    def close(self) -> None:
        """End what is under way; what was accepted stays in the journal."""
        self._closing.set()
        until = time.monotonic() + _CLOSING_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _start(
        self, part: SiteBuild, digests: list[Digest], *, retry_unknown: bool = False, is_free: bool = False
    ) -> None:
        works = {digest: BackgroundJob(time.time()) for digest in digests}
        self._works.update(works)
        run = BackgroundRun(part.catalog, part.settings, works, retry_unknown, is_free)
        thread = threading.Thread(target=self._make, args=(run,), name="gptimage", daemon=True)
        self._threads = [*(each for each in self._threads if each.is_alive()), thread]
        thread.start()

    def _make(self, run: BackgroundRun) -> None:
        """Make some pictures; the body of a thread."""
        store = Store(run.settings.store)
        watcher = Watcher(lambda event: self._tell(event, run), self._closing.is_set)
        unknown: set[Digest] = set()
        try:
            whole = make_plan(run.catalog, StoreSnapshot(store), run.settings, include_unclaimed=run.is_free)
            plan = run.plan(whole)
            workspace = Workspace(run.settings, store, self._environment, self._log)
            result = run_plan(plan, workspace, retry_unknown=run.retry_unknown, watcher=watcher)
            problems = [str(problem) for problem in result.problems]
            unknown = {row.digest for row in result.plan.only(State.UNKNOWN)}
        except SystemExit:  # the server ends
            return
        except Exception as error:  # noqa: BLE001 - no card may wait for ever
            problems = [str(error) or type(error).__name__]
        for problem in problems:
            # The card says it. A warning, from whatever thread, would fail a strict build that is under way.
            self._log.info("%s", problem)
        there = {digest for digest in run.works if store.entry(digest) is not None}
        with self._lock:
            rest = {digest: work for digest, work in run.works.items() if not work.is_over}
            for digest, work in rest.items():
                work.phase, work.text = ("ready", "") if digest in there else ("failed", "; ".join(problems))
                work.again = "unknown" if digest in unknown else work.again
        if there.intersection(rest):
            trigger_rebuild(run.settings.cache)

    def _tell(self, event: Event, run: BackgroundRun) -> None:
        from mkdocs_gptimage.generate import progress  # noqa: PLC0415 - only when something is made

        self._log.info(progress.line(event))
        with self._lock:
            # One that was not asked for: another one is drawn from it.
            work = run.works.get(event.digest) or self._works.setdefault(event.digest, BackgroundJob(time.time()))
            work.phase, work.text = _PHASES.get(event.step, "failed"), event.text
            work.again = _AGAIN.get(event.step, "paid")
        if event.step is Step.STORED:
            trigger_rebuild(run.settings.cache)
