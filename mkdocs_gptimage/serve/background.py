"""Generates pictures in background threads of a development server, on request."""

from __future__ import annotations

import functools
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.errors import GptImageError
from mkdocs_gptimage.generate.job import Event, Watcher
from mkdocs_gptimage.generate.run import run_plan
from mkdocs_gptimage.generate.step import Step
from mkdocs_gptimage.generate.workspace import Workspace
from mkdocs_gptimage.plan.plan import Plan, make_plan
from mkdocs_gptimage.plan.states import FREE, State
from mkdocs_gptimage.resources import lack_of, resource_error
from mkdocs_gptimage.serve.automatic import AutomaticGeneration
from mkdocs_gptimage.serve.jobs import BackgroundJob, BackgroundRun, SiteBuild
from mkdocs_gptimage.serve.rebuild import BatchRebuild
from mkdocs_gptimage.store.snapshot import StoreSnapshot
from mkdocs_gptimage.store.store import Store

if TYPE_CHECKING:
    import logging
    from collections.abc import Collection, Iterable, Mapping

    from mkdocs_gptimage.catalog.catalog import Catalog
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.spec.digest import Digest


PICTURE_FOLDER = "picture"
"""Below the endpoint: the pictures that have been stored since the last build, by digest."""
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
        self._jobs: dict[Digest, BackgroundJob] = {}
        self._builds: dict[str, SiteBuild] = {}
        self._spent: dict[Digest, float] = {}
        """USD by digest: the prices of what was submitted and not refunded."""
        self._automatic = AutomaticGeneration(log)
        self._rebuild = BatchRebuild(self._is_busy)

    def hold(self) -> None:
        """A build begins, and may fail: what the pages ask for is unknown until it ends."""
        with self._lock:
            self._automatic.is_held = True

    def update(
        self, name: str, catalog: Catalog, plan: Plan, settings: Settings, auto_generate: Collection[Digest]
    ) -> None:
        """Take what a build of the site asks for now; a site of one language has one build.

        What is in flight is collected at once, unclaimed submissions included. `auto_generate` are the digests of
        missing pictures that are made when they have not changed for a while.
        """
        with self._lock:
            self._automatic.is_held = False
            cards = frozenset(row.digest for row in plan.rows if row.state is not State.CACHED)
            versions = {row.digest: row.entry.version for row in plan.rows if row.entry is not None}
            build = self._builds[name] = SiteBuild(catalog, settings, cards, versions)
            for digest in [digest for digest, job in self._jobs.items() if job.phase == "ready"]:
                del self._jobs[digest]
            free = [row.digest for row in plan.only(*FREE) if row.digest not in self._jobs]
            if (free or plan.unclaimed) and settings.has_key(self._environment):
                self._start(build, free, is_free=True)
            self._automatic.watch(auto_generate, build, self._builds.values())
            if any(digest not in self._jobs for digest in auto_generate):
                self._automatic.schedule(functools.partial(self._make_settled, build))

    def _make_settled(self, build: SiteBuild) -> None:
        with self._lock:
            if not self._closing.is_set() and (settled := self._automatic.take_settled(build, self._jobs)):
                self._start(build, settled)

    def ask(self, digests: Collection[Digest], *, retry_unknown: bool = False) -> None:
        """Make pictures of the current site; those that are under way already are left alone.

        Raises `UnknownPictureError`, and then makes none.
        """
        with self._lock:
            asked = {digest: self.build_of(digest) for digest in digests}
            idle = [digest for digest in asked if digest not in self._jobs or self._jobs[digest].is_over]
            for build in self._builds.values():
                wanted = [digest for digest in idle if asked[digest] is build]
                if wanted and not self._closing.is_set():
                    self._start(build, wanted, retry_unknown=retry_unknown)

    def draw(self, part: SiteBuild, digests: Collection[Digest], *, retry_unknown: bool) -> None:
        """Make candidates, which no page shows; those that are under way already are left alone."""
        with self._lock:
            idle = [digest for digest in digests if digest not in self._jobs or self._jobs[digest].is_over]
            if idle and not self._closing.is_set():
                self._start(part, idle, retry_unknown=retry_unknown, rebuilds=False)

    def builds(self) -> list[SiteBuild]:
        """The last build of each part of the site."""
        with self._lock:
            return list(self._builds.values())

    def job(self, digest: Digest) -> dict[str, Any] | None:
        """What has become of a picture that was asked for in this server."""
        with self._lock:
            job = self._jobs.get(digest)
            return None if job is None else _shown(job)

    def request_rebuild(self, settings: Settings) -> None:
        """Have the site built anew: a stored picture is another than its pages show."""
        self._rebuild.request(settings.cache)

    def build_of(self, digest: Digest) -> SiteBuild:
        """Return the build that asks for a picture; raise `UnknownPictureError`."""
        for build in self.builds():
            if digest in build.catalog.pictures:
                return build
        raise UnknownPictureError(f"the site does not ask for the picture {digest.short} any more; reload the page")

    def states(self, digests: Iterable[Digest]) -> dict[str, dict[str, Any]]:
        """What has become of pictures that were cards in the last build, by digest; of others nothing."""
        states: dict[str, dict[str, Any]] = {}
        with self._lock:
            builds = {digest: build for build in self._builds.values() for digest in build.cards}
            jobs = {digest: _shown(job) for digest, job in self._jobs.items()}
            asked = [(digest, builds[digest].settings, jobs.get(digest)) for digest in digests if digest in builds]
        for digest, settings, job in asked:
            if (entry := Store(settings.store).entry(digest)) is not None:
                states[digest] = {"phase": "ready", "picture": f"{PICTURE_FOLDER}/{digest}/{entry.version}"}
                self._note_ready(digest, settings)
            elif job is not None:
                states[digest] = job
        return states

    def summary(self) -> dict[str, Any]:
        """How many pictures are missing, running and failed, and what was spent since the server started."""
        with self._lock:
            cards = {digest for build in self._builds.values() for digest in build.cards}
            jobs = {digest: job.phase for digest, job in self._jobs.items()}
            spent = sum(self._spent.values())
        phases = [jobs.get(digest, "missing") for digest in cards]
        running = sum(phase in ("queued", "running") for phase in phases)
        counts = {"missing": phases.count("missing"), "running": running, "failed": phases.count("failed")}
        return {**counts, "spent": f"${spent:.4g}" if spent else ""}

    def _note_ready(self, digest: Digest, settings: Settings) -> None:
        """A picture is there; the server does not know of it when another program has made it."""
        with self._lock:
            is_news = digest not in self._jobs
            self._jobs.setdefault(digest, BackgroundJob(time.monotonic())).phase = "ready"
        if is_news:
            self._rebuild.request(settings.cache)

    def _is_busy(self) -> bool:
        with self._lock:
            return any(not job.is_over for job in self._jobs.values())

    def close(self) -> None:
        """End what is under way; what was accepted stays in the journal."""
        self._closing.set()
        until = time.monotonic() + _CLOSING_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _start(
        self,
        build: SiteBuild,
        digests: list[Digest],
        *,
        retry_unknown: bool = False,
        is_free: bool = False,
        rebuilds: bool = True,
    ) -> None:
        jobs = {digest: BackgroundJob(time.monotonic()) for digest in digests}
        self._jobs.update(jobs)
        run = BackgroundRun(build.catalog, build.settings, jobs, retry_unknown, is_free, rebuilds)
        thread = threading.Thread(target=self._make, args=(run,), name="gptimage", daemon=True)
        self._threads = [*(each for each in self._threads if each.is_alive()), thread]
        try:
            thread.start()
        except RuntimeError as error:
            for job in jobs.values():
                job.phase, job.text = "failed", _explain(error)

    def _make(self, run: BackgroundRun) -> None:
        """Make some pictures; the body of a thread."""
        store = Store(run.settings.store)
        watcher = Watcher(lambda event: self._on_event(event, run), self._closing.is_set)
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
            problems = [_explain(error)]
        for problem in problems:
            # The card says it. A warning, from whatever thread, would fail a strict build that is under way.
            self._log.info("%s", problem)
        there = {digest for digest in run.jobs if store.entry(digest) is not None}
        with self._lock:
            rest = {digest: job for digest, job in run.jobs.items() if not job.is_over}
            for digest, job in rest.items():
                job.phase, job.text = ("ready", "") if digest in there else ("failed", "; ".join(problems))
                job.again = "unknown" if digest in unknown else job.again
        if run.rebuilds and there.intersection(rest):
            self._rebuild.request(run.settings.cache)

    def _on_event(self, event: Event, run: BackgroundRun) -> None:
        from mkdocs_gptimage.generate import progress  # noqa: PLC0415 - only when something is made

        self._log.info(progress.line(event))
        with self._lock:
            # One that was not asked for: another one is drawn from it.
            job = run.jobs.get(event.digest) or self._jobs.setdefault(event.digest, BackgroundJob(time.monotonic()))
            job.phase, job.text = _PHASES.get(event.step, "failed"), event.text
            job.step = event.step.name.lower()
            job.again = _AGAIN.get(event.step, "paid")
            if event.step is Step.SUBMITTED and event.digest in run.catalog.pictures:
                resolution = run.catalog.pictures[event.digest].spec.resolution
                self._spent[event.digest] = run.settings.prices.get(resolution, 0.0)
            elif event.step is Step.FAILED:
                self._spent.pop(event.digest, None)
        if run.rebuilds and event.step is Step.STORED:
            self._rebuild.request(run.settings.cache)


def _shown(job: BackgroundJob) -> dict[str, Any]:
    shown = {"phase": job.phase, "step": job.step, "text": job.text, "again": job.again}
    return {**shown, "seconds": round(time.monotonic() - job.since)}


def _explain(error: Exception) -> str:
    lack = "" if isinstance(error, GptImageError) else lack_of(error)
    return str(resource_error("the picture could not be made", lack) if lack else error) or type(error).__name__
