"""Plan → pictures: bounded submits, one loop that polls everything in flight, bounded downloads, the store.

Whatever happens to one picture, what was accepted of the others is collected. Nothing here fails as a whole: every
picture of the plan gets an outcome.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

from mkdocs_gptimage.errors import (
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
from mkdocs_gptimage.generate import retry, shutdown
from mkdocs_gptimage.generate.collect import Collector
from mkdocs_gptimage.generate.job import Clock, Job, Outcome, Step, job_of, stray_job
from mkdocs_gptimage.generate.outcomes import Outcomes, Report
from mkdocs_gptimage.generate.poll import Poller
from mkdocs_gptimage.generate.ready_queue import ReadyQueue
from mkdocs_gptimage.generate.submit import ClaimedError, Submitter, explain_refusal, parent_name
from mkdocs_gptimage.generate.wait import Waiter
from mkdocs_gptimage.journal.submission import Stage, Submission
from mkdocs_gptimage.plan.orphans import parse_candidate
from mkdocs_gptimage.plan.plan import Plan, State
from mkdocs_gptimage.service import protocol
from mkdocs_gptimage.service.client import Client
from mkdocs_gptimage.spec.model import UnusableReferenceError
from mkdocs_gptimage.store.entry import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from mkdocs_gptimage.journal.journal import Journal
    from mkdocs_gptimage.service.redact import Secret
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.store.store import Store


_TRIAL_SECONDS = 5.0
"""So long the first submits go one by one; a service that draws before it answers takes longer than that."""


def execute(  # noqa: PLR0913 - the world is passed in
    plan: Plan,
    settings: Settings,
    store: Store,
    journal: Journal,
    *,
    base_url: str,
    key: Secret,
    report: Report,
    wants_end: Callable[[], bool] | None = None,
    clock: Clock | None = None,
) -> list[Outcome]:
    """Collect what the plan has in flight, submit what it misses, and store all of it; an outcome per picture.

    `base_url` is where the service listens: that of the settings, or the emulator's. The store must be writable and
    the budget checked. Raises `SystemExit` after a SIGTERM, and when another thread makes `wants_end` true.
    """
    clock = clock or Clock()

    async def run() -> list[Outcome] | None:
        shutdown.look_up_names_in_daemon_threads()
        async with Client(base_url, settings.api, key) as client:
            gateway = "emulator" if settings.api.emulated else urlsplit(base_url).hostname or base_url
            collector = Collector(client, store, journal, settings.cache, clock, gateway, settings.api.max_requests)
            submitter = Submitter(client, journal, settings.api, clock, store)
            waiter = Waiter(store, journal, settings.cache, clock)
            one = _Generation(plan, client, submitter, collector, waiter, store, journal, settings, report, clock)
            return await _until_ended(one, wants_end)

    outcomes = anyio.run(run)
    if outcomes is None:
        raise SystemExit(shutdown.EXIT_TERMINATED)
    return outcomes


async def _until_ended(generation: _Generation, wants_end: Callable[[], bool] | None) -> list[Outcome] | None:
    """Run a generation to its end; None when SIGTERM or somebody else has ended it, as Ctrl-C does."""
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(shutdown.cancel_at_sigterm, scope)
            if wants_end is not None:
                group.start_soon(shutdown.cancel_when_asked, scope, wants_end)
            outcomes = await generation.run()
            group.cancel_scope.cancel()
        return outcomes
    return None


class _Generation:
    """One run."""

    def __init__(  # noqa: PLR0913 - as above
        self,
        plan: Plan,
        client: Client,
        submitter: Submitter,
        collector: Collector,
        waiter: Waiter,
        store: Store,
        journal: Journal,
        settings: Settings,
        report: Report,
        clock: Clock,
    ) -> None:
        self._plan = plan
        self._queue = ReadyQueue(plan, self._refuse_child)
        self._submitter = submitter
        self._collector = collector
        self._waiter = waiter
        self._store = store
        self._journal = journal
        self._api = settings.api
        self._clock = clock
        self._outcomes = Outcomes(journal, report, self._queue.settle)
        self._task_ids: set[str] = set()
        self._slots = anyio.CapacityLimiter(settings.api.max_requests)
        self._poller = Poller(client, settings.api, clock, self._on_task, self._on_given_up)
        self._group = anyio.create_task_group()
        self._waits = anyio.create_task_group()

    async def run(self) -> list[Outcome]:
        async with self._group:
            self._group.start_soon(self._poller.run)
            async with anyio.create_task_group() as watch:
                watch.start_soon(self._hurry_at_the_end)
                async with self._waits:
                    self._begin()
                    await self._submit_all()
                watch.cancel_scope.cancel()
            self._poller.close()
        return self._outcomes.all

    def _begin(self) -> None:
        """What is free comes first: to collect what is in flight, and to wait for what others make."""
        self._queue.begin()
        for row in self._plan.only(State.IN_FLIGHT):
            self._resume(job_of(row.picture, row.submission))
        for flight in self._plan.unclaimed:
            self._resume(stray_job(flight))
        for row in self._plan.only(State.LEASED):
            self._waits.start_soon(self._wait_for_other, job_of(row.picture), False)

    def _refuse_child(self, job: Job, parent: Digest) -> None:
        """A picture that another is drawn from was not made."""
        self._outcomes.refused(Step.SKIPPED, job, f"{parent_name(parent, job.parents[parent])} was not made")

    async def _hurry_at_the_end(self) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            self._submitter.hurry()

    def _resume(self, job: Job) -> None:
        assert job.flight is not None
        if job.spec is None and isinstance(self._store.get(job.digest), Entry):
            self._journal.forget(job.flight)
            return
        taken = self._waiter.take_over(job.flight)
        if taken is None:
            self._waits.start_soon(self._wait_for_other, job, False)
        else:
            self._collect_for_free(job, taken)

    def _collect_for_free(self, job: Job, flight: Submission) -> None:
        # A clock that was set back would make us wait for the moment of the submit.
        job.flight = dataclasses.replace(flight, submitted_at=min(flight.submitted_at, self._clock.now()))
        self._outcomes.tell(Step.RESUMED, job, flight.task_id or "")
        if flight.task_id is not None:
            self._watch(job, flight.task_id)
        else:
            self._group.start_soon(self._collect, job, protocol.Image(link=flight.link), None)

    async def _submit_all(self) -> None:
        """Submit one after the other until the service can be trusted or takes its time, then several at a time.

        A service that is broken, or a key that is wrong, is found out with the first.
        """
        async with anyio.create_task_group() as group:
            group.start_soon(self._submit_each)
            await self._queue.wait()
            with anyio.move_on_after(_TRIAL_SECONDS):
                await self._submitter.trusted.wait()
            for _ in range(1, min(self._api.max_requests, self._queue.total)):
                group.start_soon(self._submit_each)

    async def _submit_each(self) -> None:
        """One of the workers that share the queue."""
        while (job := await self._queue.next()) is not None:
            await self._submit(job)
        self._submitter.trusted.set()

    async def _submit(self, job: Job) -> None:
        if self._submitter.stopped is not None:
            self._outcomes.refused(Step.SKIPPED, job, str(self._submitter.stopped))
            return
        try:
            async with self._slots:
                image = await self._submitter.submit(job)
        except ClaimedError:
            self._waits.start_soon(self._wait_for_other, job, True)
        except (AccessError, BalanceError, BusyError) as error:
            # Busy is raised after the last of many tries: the next picture would fare no better.
            self._submitter.stopped = error
            self._outcomes.refused(Step.SKIPPED, job, explain_refusal(error, self._api))
        except UnusableReferenceError as error:
            self._outcomes.refused(Step.SKIPPED, job, str(error))
        except (RejectedError, ConfigurationError) as error:
            self._outcomes.refused(Step.FAILED, job, explain_refusal(error, self._api))
        except GatewayError:
            self._outcomes.unknown(job)
        else:
            self._go_on(job, image)

    def _go_on(self, job: Job, image: protocol.Image | None) -> None:
        """A submit was accepted."""
        assert job.flight is not None
        self._outcomes.tell(Step.SUBMITTED, job, " ".join(filter(None, (_describe(job), job.flight.task_id))))
        if image is None and job.flight.task_id is not None:
            self._watch(job, job.flight.task_id)
        elif image is not None:
            self._group.start_soon(self._collect, job, image, None)

    def _watch(self, job: Job, task_id: str) -> None:
        """Poll a job's task, unless it is already another picture's."""
        if task_id in self._task_ids:
            self._outcomes.unknown(job, f"the service gave it the task of another picture, {task_id}")
            return
        self._task_ids.add(task_id)
        self._poller.add(job)

    async def _wait_for_other(self, job: Job, may_submit: bool) -> None:
        """Wait for the run that has a picture in hand; `may_submit` when this run's budget has room for it."""
        self._outcomes.tell(Step.IN_HAND, job)
        seconds = self._api.timeout[job.resolution]
        try:
            left = await self._waiter.wait(job.digest, seconds)
        except TimeoutError:
            self._outcomes.ended(Step.WAITING, job, f"another run has had it in hand for {seconds:.0f} s")
        except ConfigurationError as error:
            self._outcomes.ended(Step.WAITING, job, str(error))
        else:
            await self._take_from_other(job, left, may_submit=may_submit)

    async def _take_from_other(self, job: Job, left: Entry | Submission | None, *, may_submit: bool) -> None:
        if isinstance(left, Entry):
            self._outcomes.stored(job, left, "by another run")
        elif left is None and parse_candidate(job.request):
            # A candidate that was taken in place of its picture is gone as well, and is paid for.
            problem = "another 'gptimage regenerate' has just had it in hand; look at the picture first"
            self._outcomes.ended(Step.OVERTAKEN, job, problem)
        elif left is None and may_submit:
            job.flight = None
            await self._submit(job)
        elif left is None:
            problem = "the run that had it in hand did not make it; nothing is paid, build again"
            self._outcomes.ended(Step.FAILED, job, problem)
        elif left.base_url != self._api.base_url:
            self._outcomes.ended(Step.WAITING, job, f"it was submitted to {left.base_url}")
        elif left.stage is Stage.ACCEPTED:
            self._collect_for_free(job, left)
        else:
            job.flight = left
            self._outcomes.unknown(job)

    async def _on_task(self, job: Job, task: protocol.Task) -> None:
        if task.phase is protocol.Phase.RUNNING and not job.is_running:
            job.is_running = True
            self._outcomes.tell(Step.RUNNING, job)
        elif task.phase is protocol.Phase.FAILED:
            self._outcomes.failed(job, task.message)
        elif task.image is not None:
            self._group.start_soon(self._collect, job, task.image, task.cost_usd)

    def _on_given_up(self, job: Job, reason: str, is_lost: bool) -> None:
        assert job.flight is not None
        if is_lost or retry.is_overdue(job.flight.submitted_at, self._clock.now(), retry.ABANDONED_AFTER):
            self._outcomes.unknown(job, reason)
        else:
            self._outcomes.waiting(job, reason)

    async def _collect(self, job: Job, image: protocol.Image, cost_usd: float | None) -> None:
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
            self._outcomes.stored(job, entry, text)

    def _end_uncollected(self, job: Job, error: Exception, problem: str) -> None:
        """The next run tries again, where there is a task to ask or a link that may still work."""
        flight = job.flight
        assert flight is not None
        is_abandoned = retry.is_overdue(flight.submitted_at, self._clock.now(), retry.ABANDONED_AFTER)
        has_expired = isinstance(error, LinkError) and (is_abandoned or (error.expired and flight.task_id is None))
        is_spoiled = isinstance(error, PictureError)
        if has_expired or flight.stage is Stage.UNKNOWN or (is_spoiled and flight.reason):
            self._outcomes.unknown(job, problem)
        else:
            # Spoiled: its host may have had a bad moment. The next run asks once more, for free, and then believes it.
            self._outcomes.waiting(job, problem, spoiled=is_spoiled)


def _describe(job: Job) -> str:
    return f"{job.request.get('size', 'like its reference')} {job.resolution}"
