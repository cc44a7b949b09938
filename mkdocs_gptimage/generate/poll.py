"""Polls all tasks in one loop: one batch request per interval for up to 100 tasks.

Tasks that a batch answer leaves out are asked for one by one, and so is everything once the service turns out to have
no batch polls. A poll that fails changes nothing; the tasks' own deadlines bound the wait.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import anyio

from mkdocs_gptimage.errors import AccessError, BusyError, GatewayError
from mkdocs_gptimage.generate import retry
from mkdocs_gptimage.service import protocol
from mkdocs_gptimage.service.client import TASKS_PER_BATCH

if TYPE_CHECKING:
    from mkdocs_gptimage.generate.job import Clock, Job
    from mkdocs_gptimage.service.client import Client
    from mkdocs_gptimage.settings import Api


_SHORTEST_PAUSE = 0.05
_NOT_IMPLEMENTED = 501
_BATCH_FAILURES = 3
"""Failed polls in a row after which tasks are asked for one by one as well."""
OnTask = Callable[["Job", protocol.Task], Awaitable[None]]
OnGivenUp = Callable[["Job", str, bool], None]
"""Called with the job, the reason, and whether the service has lost the task."""


class Poller:
    """The tasks in flight, and the loop that watches them."""

    def __init__(self, client: Client, api: Api, clock: Clock, on_task: OnTask, on_given_up: OnGivenUp) -> None:
        self._client = client
        self._api = api
        self._clock = clock
        self._on_task = on_task
        self._on_given_up = on_given_up
        self._flights: dict[str, Job] = {}
        self._changed = anyio.Event()
        self._expects_more = True
        self._has_batch = True
        self._failures = 0
        self._limiter = anyio.CapacityLimiter(api.max_requests)

    def add(self, job: Job) -> None:
        """Watch a job's task."""
        assert job.submission is not None
        assert job.submission.task_id is not None
        self._flights[job.submission.task_id] = job
        self._changed.set()

    def close(self) -> None:
        """Say that no more jobs will be added: the loop ends when all are done."""
        self._expects_more = False
        self._changed.set()

    async def run(self) -> None:
        """Poll until every task is finished or past its deadline, and no more are expected."""
        while self._flights or self._expects_more:
            if not self._flights:
                self._changed = anyio.Event()
                await self._changed.wait()
                continue
            await self._clock.sleep(max(0.0, self._due_at() - self._clock.now()))
            started = self._clock.now()
            failure = await self._poll(self._due(started))
            self._give_up(failure)
            await self._clock.sleep(max(_SHORTEST_PAUSE, self._pause(started, failure)))

    def _due_at(self) -> float:
        return min(self._submitted_at(job) for job in self._flights.values()) + self._api.first_poll

    def _due(self, now: float) -> list[str]:
        return [
            task_id for task_id, job in self._flights.items() if now - self._submitted_at(job) >= self._api.first_poll
        ]

    @staticmethod
    def _submitted_at(job: Job) -> float:
        assert job.submission is not None
        return job.submission.submitted_at

    def _pause(self, started: float, failure: GatewayError | None) -> float:
        """Seconds until the next poll: the interval from start to start, longer while polls fail."""
        interval = self._api.poll_interval - (self._clock.now() - started)
        if failure is None:
            self._failures = 0
            return interval
        self._failures += 1
        return max(interval, retry.delay(self._failures, failure.retry_after, self._clock.jitter()))

    async def _poll(self, task_ids: list[str]) -> GatewayError | None:
        """Ask for these tasks; return the failure of a request, a refused key before any other, if one failed."""
        failures: list[GatewayError] = []
        async with anyio.create_task_group() as group:
            if self._has_batch:
                size = TASKS_PER_BATCH
                for start in range(0, len(task_ids), size):
                    group.start_soon(self._poll_batch, task_ids[start : start + size], failures)
            else:
                for task_id in task_ids:
                    group.start_soon(self._poll_one, task_id, failures)
        refused = [failure for failure in failures if isinstance(failure, AccessError)]
        return next(iter([*refused, *failures]), None)

    async def _poll_batch(self, task_ids: list[str], failures: list[GatewayError]) -> None:
        try:
            async with self._limiter:
                found = await self._client.poll_many(task_ids)
        except GatewayError as error:
            is_passing = _is_passing(error.status)
            # 403 may mean a single one of the tasks, and a path that a service does not know may be answered with 500,
            # or not at all.
            is_about_batches = not isinstance(error, (AccessError, BusyError))
            is_telling = error.status == 403 or (is_about_batches and self._failures + 1 >= _BATCH_FAILURES)
            if is_passing and not is_telling:
                failures.append(error)
                return
            self._has_batch = is_passing
            found = {}
        for task_id, task in found.items():
            await self._tell(task_id, task)
        async with anyio.create_task_group() as group:
            for task_id in task_ids:
                if task_id not in found:
                    group.start_soon(self._poll_one, task_id, failures)

    async def _poll_one(self, task_id: str, failures: list[GatewayError]) -> None:
        try:
            async with self._limiter:
                task = await self._client.poll(task_id)
        except GatewayError as error:
            job = self._flights.get(task_id)
            if job is not None and error.status in (404, 410):
                job.lost += 1
                job.said = str(error)
            elif job is not None and error.status == 403:
                del self._flights[task_id]
                self._on_given_up(job, self._advise(error), False)
            else:
                failures.append(error)
            return
        await self._tell(task_id, task)

    async def _tell(self, task_id: str, task: protocol.Task) -> None:
        job = self._flights.get(task_id)
        if job is None:
            return
        job.lost = 0
        if task.phase in (protocol.Phase.READY, protocol.Phase.FAILED):
            del self._flights[task_id]
        await self._on_task(job, task)

    def _advise(self, error: GatewayError) -> str:
        return f"{error}; check the key in {self._api.key_env}"

    def _is_given_up_late(self, job: Job, now: float) -> bool:
        """Whether the deadline has passed; a task that may be lost is asked for a little longer, until that is sure."""
        if not retry.is_overdue(self._submitted_at(job), now, self._api.timeout[job.resolution]):
            return False
        job.late += 1
        return not job.lost or job.late >= 2 * retry.LOST_AFTER

    def _give_up(self, failure: GatewayError | None) -> None:
        """Stop watching tasks past their deadline, tasks that the service lost, and all of them without access."""
        now = self._clock.now()
        for task_id, job in list(self._flights.items()):
            reason = ""
            if isinstance(failure, AccessError):
                reason = self._advise(failure)
            elif job.lost >= retry.LOST_AFTER:
                reason = f"the service no longer knows the task {task_id} ({job.said})"
            elif self._is_given_up_late(job, now):
                reason = f"not finished {now - self._submitted_at(job):.0f} s after its submit"
                reason += f"; the last poll said: {failure}" if failure else ""
            if reason:
                del self._flights[task_id]
                self._on_given_up(job, reason, job.lost >= retry.LOST_AFTER)


def _is_passing(status: int | None) -> bool:
    """Whether a failed batch poll says nothing about batch polls as such."""
    return status is None or status in (401, 403, 408, 429) or (status >= 500 and status != _NOT_IMPLEMENTED)
