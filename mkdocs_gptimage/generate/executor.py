"""Runs a plan: bounded submits, one loop that polls all tasks, bounded downloads, the store.

Whatever happens to one picture, what was accepted of the others is collected. Nothing here fails as a whole: every
picture of the plan gets an outcome.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from mkdocs_gptimage.errors import (
    AccessError,
    BalanceError,
    BusyError,
    ConfigurationError,
    GatewayError,
    GptImageError,
    MissingPicturesError,
    RejectedError,
    ResourceError,
)
from mkdocs_gptimage.generate import shutdown
from mkdocs_gptimage.generate.in_flight import InFlight
from mkdocs_gptimage.generate.job import Clock, Job, Outcome, job_of, unclaimed_job
from mkdocs_gptimage.generate.outcomes import Outcomes, Report
from mkdocs_gptimage.generate.ready_queue import ReadyQueue
from mkdocs_gptimage.generate.request_bodies import parent_name
from mkdocs_gptimage.generate.step import Step
from mkdocs_gptimage.generate.submit import ClaimedError, ElsewhereError, Submitter, explain_refusal
from mkdocs_gptimage.generate.wait import Waiter
from mkdocs_gptimage.journal.submission import is_same_service
from mkdocs_gptimage.plan.orphans import parse_candidate
from mkdocs_gptimage.plan.states import State
from mkdocs_gptimage.service.client import Client
from mkdocs_gptimage.spec.model import UnusableReferenceError
from mkdocs_gptimage.store.entry import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from mkdocs_gptimage.generate.workspace import RunContext
    from mkdocs_gptimage.journal.submission import Submission
    from mkdocs_gptimage.plan.other_stores import FoundSubmission
    from mkdocs_gptimage.plan.plan import Plan
    from mkdocs_gptimage.service.pictures import Image
    from mkdocs_gptimage.spec.digest import Digest


_TRIAL_SECONDS = 5.0
"""So long the first submits go one by one; a service that draws before it answers takes longer than that."""


def execute(
    plan: Plan,
    context: RunContext,
    *,
    report: Report,
    is_cancelled: Callable[[], bool] | None = None,
    clock: Clock | None = None,
) -> list[Outcome]:
    """Collect what the plan has in flight, submit what it misses, and store all of it; an outcome per picture.

    The store must be writable and the budget checked. Raises `SystemExit` after a SIGTERM, and when another thread
    makes `is_cancelled` true.
    """

    async def run() -> list[Outcome] | None:
        shutdown.look_up_names_in_daemon_threads()
        async with Client(context.base_url, context.settings.api, context.key) as client:
            return await _until_ended(_Generation(plan, context, client, report, clock or Clock()), is_cancelled)

    outcomes = anyio.run(run)
    if outcomes is None:
        raise SystemExit(shutdown.EXIT_TERMINATED)
    return outcomes


async def _until_ended(generation: _Generation, is_cancelled: Callable[[], bool] | None) -> list[Outcome] | None:
    """Run a generation to its end; None when SIGTERM or another thread cancelled it, as Ctrl-C does."""
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(shutdown.cancel_at_sigterm, scope)
            if is_cancelled is not None:
                group.start_soon(shutdown.cancel_when_asked, scope, is_cancelled)
            outcomes = await generation.run()
            group.cancel_scope.cancel()
        return outcomes
    return None


class _Generation:
    """One run: submits what is missing, and waits for pictures that other runs are making."""

    def __init__(self, plan: Plan, context: RunContext, client: Client, report: Report, clock: Clock) -> None:
        self._plan = plan
        self._context = context
        self._api = context.settings.api
        self._queue = ReadyQueue(plan, self._refuse_child)
        self._submitter = Submitter(client, context, clock)
        self._waiter = Waiter(context, clock)
        self._outcomes = Outcomes(context.journal, report, self._queue.settle)
        self._in_flight = InFlight(client, context, self._outcomes, clock, self._submitter.stop)
        self._slots = anyio.CapacityLimiter(self._api.max_requests)
        self._waits = anyio.create_task_group()

    async def run(self) -> list[Outcome]:
        async with self._in_flight, anyio.create_task_group() as watch:
            watch.start_soon(self._begin_shutdown_at_the_end)
            async with self._waits:
                self._begin()
                await self._submit_all()
            watch.cancel_scope.cancel()
        return self._outcomes.all

    def _begin(self) -> None:
        """What is free comes first: to collect what is in flight, and to wait for what others make."""
        self._queue.begin()
        for row in self._plan.only(State.IN_FLIGHT):
            self._resume(job_of(row.picture, row.submission))
        for submission in self._plan.unclaimed:
            self._resume(unclaimed_job(submission))
        for row in self._plan.only(State.LEASED):
            self._waits.start_soon(self._wait_for_other, job_of(row.picture), False)

    def _refuse_child(self, job: Job, parent: Digest) -> None:
        """A picture that another is drawn from was not made."""
        self._outcomes.refused(Step.SKIPPED, job, f"{parent_name(parent, job.parents[parent])} was not made")

    async def _begin_shutdown_at_the_end(self) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            self._submitter.begin_shutdown()

    def _resume(self, job: Job) -> None:
        assert job.submission is not None
        if job.spec is None and self._context.store.entry(job.digest) is not None:
            self._context.journal.forget(job.submission)
            return
        taken = self._waiter.take_over(job.submission)
        if taken is None:
            self._waits.start_soon(self._wait_for_other, job, False)
        else:
            self._in_flight.resume(job, taken)

    async def _submit_all(self) -> None:
        """Submit one after the other until the service can be trusted or takes its time, then several at a time.

        A service that is broken, or a key that is wrong, is found out with the first.
        """
        async with anyio.create_task_group() as group:
            group.start_soon(self._submit_each)
            await self._queue.wait()
            with anyio.move_on_after(_TRIAL_SECONDS):
                await self._submitter.gateway_verified.wait()
            for _ in range(1, min(self._api.max_requests, self._queue.total)):
                group.start_soon(self._submit_each)

    async def _submit_each(self) -> None:
        """One of the workers that share the queue."""
        while (job := await self._queue.next()) is not None:
            await self._submit(job)
        self._submitter.gateway_verified.set()

    async def _submit(self, job: Job) -> None:
        if self._submitter.stopped is not None:
            self._outcomes.refused(Step.SKIPPED, job, str(self._submitter.stopped))
            return
        try:
            if job.submission is not None and job.submission.has_target and not await self._is_denied_again(job):
                return
            async with self._slots:
                image = await self._submitter.submit(job)
        except ClaimedError:
            self._waits.start_soon(self._wait_for_other, job, True)
        except ElsewhereError as error:
            self._waits.start_soon(self._wait_for_other_store, job, error.found)
        except (AccessError, BalanceError, BusyError) as error:
            # Busy is raised after the last of many tries: the next picture would fare no better.
            self._submitter.stopped = error
            self._outcomes.refused(Step.SKIPPED, job, explain_refusal(error, self._api))
        except (UnusableReferenceError, MissingPicturesError) as error:
            self._outcomes.refused(Step.SKIPPED, job, str(error))
        except (RejectedError, ConfigurationError, ResourceError) as error:
            is_skipped = error is self._submitter.stopped or isinstance(error, ResourceError)
            step = Step.SKIPPED if is_skipped else Step.FAILED
            self._outcomes.refused(step, job, explain_refusal(error, self._api))
        except GatewayError:
            self._outcomes.unknown(job)
        else:
            self._go_on(job, image)

    async def _is_denied_again(self, job: Job) -> bool:
        """Ask once more, for free, before a submit that the service has denied is repeated."""
        assert job.submission is not None
        taken = self._waiter.take_over(job.submission)
        if taken is None:
            raise ClaimedError("another run is making it")
        job.submission = taken
        try:
            return not await self._in_flight.ask_again(job)
        except (GptImageError, OSError) as error:
            self._outcomes.refused(Step.SKIPPED, job, f"it could not be asked for before ({error})")
            return False

    def _go_on(self, job: Job, image: Image | None) -> None:
        """A submit was accepted."""
        assert job.submission is not None
        said = " ".join(filter(None, (_describe(job), job.submission.task_id)))
        notice, self._submitter.notice = self._submitter.notice, ""
        self._outcomes.tell(Step.SUBMITTED, job, f"{said}; {notice}" if notice else said)
        if image is None:
            self._in_flight.follow(job)
        else:
            self._in_flight.collect(job, image)

    async def _wait_for_other(self, job: Job, may_submit: bool) -> None:
        """Wait for the run that is making a picture; `may_submit` when this run's budget has room for it."""
        self._outcomes.tell(Step.LEASED, job)
        seconds = self._api.timeout[job.resolution]
        try:
            left = await self._waiter.wait(job.digest, seconds)
        except TimeoutError:
            self._outcomes.ended(Step.WAITING, job, f"another run has been making it for {seconds:.0f} s")
        except ConfigurationError as error:
            self._outcomes.ended(Step.WAITING, job, str(error))
        else:
            await self._take_from_other(job, left, may_submit=may_submit)

    async def _wait_for_other_store(self, job: Job, found: FoundSubmission) -> None:
        """Go on with what a run over another store of the project submits, or has submitted."""
        self._outcomes.tell(Step.LEASED, job)
        seconds = self._api.timeout[job.resolution]
        try:
            left = await self._waiter.wait_elsewhere(job, found, seconds)
        except TimeoutError:
            self._outcomes.ended(Step.WAITING, job, f"a run for another store has been making it for {seconds:.0f} s")
        except ConfigurationError as error:
            self._outcomes.ended(Step.WAITING, job, str(error))
        else:
            if left is None:
                await self._submit(job)
            else:
                await self._take_from_other(job, left, may_submit=False)

    async def _take_from_other(self, job: Job, left: Entry | Submission | None, *, may_submit: bool) -> None:
        if isinstance(left, Entry):
            self._outcomes.stored(job, left, "by another run")
        elif left is None and parse_candidate(job.request):
            # A candidate that was taken in place of its picture is gone as well, and is paid for.
            problem = "another 'gptimage regenerate' has just drawn it; look at the picture first"
            self._outcomes.ended(Step.LEASE_LOST, job, problem)
        elif left is None and may_submit:
            job.submission = None
            await self._submit(job)
        elif left is None:
            problem = "the run that was making it did not finish it; nothing is paid, build again"
            self._outcomes.ended(Step.FAILED, job, problem)
        elif not is_same_service(left.base_url, self._api.base_url):
            self._outcomes.ended(Step.WAITING, job, f"it was submitted to {left.base_url}")
        elif left.is_collectable:
            self._in_flight.resume(job, left)
        else:
            job.submission = left
            self._outcomes.unknown(job)


def _describe(job: Job) -> str:
    return f"{job.request.get('size', 'like its reference')} {job.resolution}"
