"""Plan → pictures: bounded submits, one loop that polls everything in flight, bounded downloads, the store.

Whatever happens to one picture, what was accepted of the others is collected. Nothing here fails as a whole: every
picture of the plan gets an outcome.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

from . import wire
from .client import Client
from .collecting import Collector
from .errors import (
    AccessError,
    BalanceError,
    BusyError,
    ConfigurationError,
    GatewayError,
    GptImageError,
    LinkError,
    PictureError,
    RejectedError,
)
from .flights import Stage
from .jobs import Clock, Event, Job, Outcome, Step
from .planning import Plan, State, why_unknown
from .polling import Poller
from .store import Entry
from .submitting import ClaimedError, Submitter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .journal import Journal
    from .settings import Settings
    from .store import Store

Report = Callable[[Event], None]


def generate(  # noqa: PLR0913 - the world is passed in
    plan: Plan,
    settings: Settings,
    store: Store,
    journal: Journal,
    *,
    base_url: str,
    key: str,
    report: Report,
    clock: Clock | None = None,
) -> list[Outcome]:
    """Collect what the plan has in flight, submit what it misses, and store all of it; an outcome per picture.

    `base_url` is where the service listens: that of the settings, or the emulator's. The store must be writable and
    the budget checked.
    """
    clock = clock or Clock()

    async def run() -> list[Outcome]:
        async with Client(base_url, settings.api, key) as client:
            gateway = "emulator" if settings.api.emulated else urlsplit(base_url).hostname or base_url
            collector = Collector(client, store, journal, settings.cache, clock, gateway, settings.api.max_requests)
            submitter = Submitter(
                client, journal, settings.api, clock, lambda digest: isinstance(store.look(digest), Entry)
            )
            one = _Generation(client, submitter, collector, store, journal, settings, report, clock)
            return await one.run(plan)

    return anyio.run(run)


class _Generation:
    """One run."""

    def __init__(  # noqa: PLR0913 - as above
        self,
        client: Client,
        submitter: Submitter,
        collector: Collector,
        store: Store,
        journal: Journal,
        settings: Settings,
        report: Report,
        clock: Clock,
    ) -> None:
        self._submitter = submitter
        self._collector = collector
        self._store = store
        self._journal = journal
        self._api = settings.api
        self._report = report
        self._clock = clock
        self._outcomes: list[Outcome] = []
        self._task_ids: set[str] = set()
        self._poller = Poller(client, settings.api, clock, self._on_task, self._on_given_up)
        self._group = anyio.create_task_group()

    async def run(self, plan: Plan) -> list[Outcome]:
        missing = [Job(row.picture, row.flight) for row in plan.only(State.MISSING)]
        async with self._group:
            self._group.start_soon(self._poller.run)
            for row in plan.only(State.IN_FLIGHT):
                self._resume(Job(row.picture, row.flight))
            async with anyio.create_task_group() as watch:
                watch.start_soon(self._hurry_at_the_end)
                await self._submit_all(missing)
                watch.cancel_scope.cancel()
            self._poller.close()
        return self._outcomes

    async def _hurry_at_the_end(self) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            self._submitter.hurry()

    def _resume(self, job: Job) -> None:
        assert job.flight is not None
        # A clock that was set back would make us wait for the moment of the submit.
        now = self._clock.now()
        job.flight = dataclasses.replace(job.flight, submitted_at=min(job.flight.submitted_at, now))
        self._tell(Step.RESUMED, job, job.flight.task_id or "")
        if job.flight.task_id is not None:
            self._watch(job, job.flight.task_id)
        else:
            self._group.start_soon(self._collect, job, wire.Image(link=job.flight.link), None)

    async def _submit_all(self, jobs: Sequence[Job]) -> None:
        waiting = iter(jobs)
        async with anyio.create_task_group() as group:
            for _ in range(min(self._api.max_requests, len(jobs))):
                group.start_soon(self._submit_each, waiting)

    async def _submit_each(self, waiting: Iterator[Job]) -> None:
        """One of the workers that share the queue."""
        for job in waiting:
            if self._submitter.stopped is not None:
                self._end_refused(Step.SKIPPED, job, str(self._submitter.stopped))
            else:
                await self._submit(job)

    async def _submit(self, job: Job) -> None:
        try:
            image = await self._submitter.submit(job)
        except ClaimedError as error:
            self._end_claimed(job, str(error))
        except (AccessError, BalanceError, BusyError) as error:
            # Busy is raised after the last of many tries: the next picture would fare no better.
            self._submitter.stopped = error
            self._end_refused(Step.SKIPPED, job, self._advise(error))
        except (RejectedError, ConfigurationError) as error:
            self._end_refused(Step.FAILED, job, str(error))
        except GatewayError as error:
            self._end(Step.UNKNOWN, job, str(error))
        else:
            assert job.flight is not None
            self._tell(Step.SUBMITTED, job, " ".join(filter(None, (_describe(job), job.flight.task_id))))
            if image is None and job.flight.task_id is not None:
                self._watch(job, job.flight.task_id)
            elif image is not None:
                self._group.start_soon(self._collect, job, image, None)

    def _watch(self, job: Job, task_id: str) -> None:
        """Poll a job's task, unless it is already another picture's."""
        if task_id in self._task_ids:
            self._end_unknown(job, f"the service gave it the task of another picture, {task_id}")
            return
        self._task_ids.add(task_id)
        self._poller.add(job)

    def _end_claimed(self, job: Job, problem: str) -> None:
        """Another run was faster: it may have stored the picture by now."""
        found = self._store.look(job.digest)
        if isinstance(found, Entry):
            self._outcomes.append(Outcome(Step.STORED, job.picture, entry=found))
            self._tell(Step.STORED, job, "by another run")
        else:
            self._end(Step.WAITING, job, problem)

    def _end_refused(self, step: Step, job: Job, problem: str) -> None:
        """Nothing was accepted now; a submit before this one may have been."""
        if job.flight is None:
            self._end(step, job, problem)
        else:
            self._end(Step.UNKNOWN, job, f"{why_unknown(job.flight)}; not submitted again: {problem}")

    def _end_unknown(self, job: Job, reason: str) -> None:
        """Nobody can collect it any more: write that down."""
        assert job.flight is not None
        with contextlib.suppress(ConfigurationError):
            self._journal.write(dataclasses.replace(job.flight, stage=Stage.UNKNOWN, reason=reason))
        self._end(Step.UNKNOWN, job, reason)

    def _advise(self, error: RejectedError) -> str:
        if isinstance(error, BalanceError):
            return f"{error}; the account's balance is used up"
        if isinstance(error, AccessError):
            return f"{error}; check the key in {self._api.key_env}"
        return str(error)

    async def _on_task(self, job: Job, task: wire.Task) -> None:
        if task.phase is wire.Phase.RUNNING and not job.is_running:
            job.is_running = True
            self._tell(Step.RUNNING, job)
        elif task.phase is wire.Phase.FAILED:
            assert job.flight is not None
            with contextlib.suppress(ConfigurationError):
                self._journal.forget(job.flight)
            self._end(Step.FAILED, job, task.message)
        elif task.image is not None:
            self._group.start_soon(self._collect, job, task.image, task.cost_usd)

    def _on_given_up(self, job: Job, reason: str, is_lost: bool) -> None:
        if is_lost:
            self._end_unknown(job, reason)
        else:
            self._end(Step.WAITING, job, reason)

    async def _collect(self, job: Job, image: wire.Image, cost_usd: float | None) -> None:
        try:
            entry = await self._collector.collect(job, image, cost_usd)
        except GptImageError as error:
            self._end_uncollected(job, error, str(error))
        except OSError as error:
            self._end_uncollected(job, error, f"cannot be stored: {error.strerror or error}")
        else:
            made, facts = entry.made, entry.image
            cost = "" if made.cost_usd is None else f", ${made.cost_usd:.4g}"
            text = f"{facts.width}×{facts.height}, {facts.bytes / 1e6:.1f} MB, {made.seconds:.0f} s{cost}"
            self._outcomes.append(Outcome(Step.STORED, job.picture, entry=entry))
            self._tell(Step.STORED, job, text)

    def _end_uncollected(self, job: Job, error: Exception, problem: str) -> None:
        """The next run tries again, where there is a task to ask or a link that may still work."""
        flight = job.flight
        assert flight is not None
        has_expired = isinstance(error, LinkError) and error.expired and flight.task_id is None
        is_spoiled = isinstance(error, PictureError)
        if has_expired or flight.stage is Stage.UNKNOWN or (is_spoiled and flight.reason):
            self._end_unknown(job, problem)
            return
        if is_spoiled:
            # Its host may have had a bad moment: the next run asks once more, for free, and then believes it.
            with contextlib.suppress(ConfigurationError):
                self._journal.write(dataclasses.replace(flight, reason=problem))
        self._end(Step.WAITING, job, problem)

    def _end(self, step: Step, job: Job, problem: str) -> None:
        self._outcomes.append(Outcome(step, job.picture, problem=problem))
        self._tell(step, job, problem)

    def _tell(self, step: Step, job: Job, text: str = "") -> None:
        self._report(Event(step, job.where, job.digest, text))


def _describe(job: Job) -> str:
    return f"{job.spec.size or 'like its reference'} {job.spec.resolution}"
