"""Polls all tasks in one loop, and gives up those that are lost or past their deadline.

A poll that fails changes nothing; the tasks' own deadlines bound the wait.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import anyio

from mkdocs_gptimage.errors import AccessError
from mkdocs_gptimage.generate import retry
from mkdocs_gptimage.generate.task_query import TaskQuery
from mkdocs_gptimage.service.protocol import Task
from mkdocs_gptimage.service.statuses import Phase

if TYPE_CHECKING:
    from mkdocs_gptimage.errors import GatewayError
    from mkdocs_gptimage.generate.job import Clock, Job
    from mkdocs_gptimage.service.client import Client
    from mkdocs_gptimage.settings import Api


_SHORTEST_PAUSE = 0.05
OnTask = Callable[["Job", Task], Awaitable[None]]
OnGivenUp = Callable[["Job", str, bool], None]
"""Called with the job, the reason, and whether the service has lost the task."""


class Poller:
    """The tasks in flight, and the loop that watches them."""

    def __init__(self, client: Client, api: Api, clock: Clock, on_task: OnTask, on_given_up: OnGivenUp) -> None:
        self._api = api
        self._clock = clock
        self._on_task = on_task
        self._on_given_up = on_given_up
        self._jobs: dict[str, Job] = {}
        self._offered: dict[str, Task] = {}
        """The last answer about each; it may hold a picture beside an unknown word."""
        self._changed = anyio.Event()
        self._expects_more = True
        self._query = TaskQuery(client, api.max_requests, self._tell, self._on_single_failure)

    def add(self, job: Job) -> None:
        """Watch a job's task."""
        assert job.submission is not None
        assert job.submission.task_id is not None
        self._jobs[job.submission.task_id] = job
        self._changed.set()

    def close(self) -> None:
        """Say that no more jobs will be added: the loop ends when all are done."""
        self._expects_more = False
        self._changed.set()

    async def run(self) -> None:
        """Poll until every task is finished or past its deadline, and no more are expected."""
        while self._jobs or self._expects_more:
            if not self._jobs:
                self._changed = anyio.Event()
                await self._changed.wait()
                continue
            await self._clock.sleep(max(0.0, self._due_at() - self._clock.monotonic()))
            started = self._clock.monotonic()
            failure = await self._query.ask(self._due(started))
            await self._give_up(failure)
            await self._clock.sleep(max(_SHORTEST_PAUSE, self._pause(started, failure)))

    def _due_at(self) -> float:
        return min(job.since for job in self._jobs.values()) + self._api.first_poll

    def _due(self, now: float) -> dict[str, frozenset[str]]:
        due = {each: job for each, job in self._jobs.items() if now - job.since >= self._api.first_poll}
        return {task_id: job.references for task_id, job in due.items()}

    def _pause(self, started: float, failure: GatewayError | None) -> float:
        """Seconds until the next poll: the interval from start to start, longer while polls fail."""
        interval = self._api.poll_interval - (self._clock.monotonic() - started)
        if failure is None:
            return interval
        return max(interval, retry.delay(self._query.failures, failure.retry_after, self._clock.jitter()))

    def _on_single_failure(self, task_id: str, error: GatewayError) -> bool:
        """Take a poll for one task that failed; return whether the failure is about that task alone."""
        job = self._jobs.get(task_id)
        if job is None or error.status not in {403, *retry.NO_SUCH_TASK}:
            return False
        if error.status == 403:
            del self._jobs[task_id]
            self._on_given_up(job, self._advise(error), False)
        else:
            job.denials.append(self._clock.monotonic())
            job.said = str(error)
        return True

    async def _tell(self, task_id: str, task: Task) -> None:
        job = self._jobs.get(task_id)
        if job is None:
            return
        job.denials.clear()
        job.word = task.message
        self._offered[task_id] = task
        if task.phase is Phase.EMPTY:
            job.empty_since = job.empty_since or self._clock.monotonic()
            if self._clock.monotonic() - job.empty_since < retry.EMPTY_SECONDS:
                return
        else:
            job.empty_since = None
        if task.phase in (Phase.READY, Phase.FAILED, Phase.EMPTY, Phase.UNREADABLE):
            del self._jobs[task_id]
            self._offered.pop(task_id, None)
        await self._on_task(job, task)

    def _advise(self, error: GatewayError) -> str:
        return f"{error}; check the key in {self._api.key_env}"

    def _is_denied(self, job: Job) -> bool:
        assert job.submission is not None
        return retry.is_denied(job.denials) or (job.submission.is_denied and bool(job.denials))

    def _is_late(self, job: Job, now: float) -> bool:
        """Whether the deadline has passed; a task that may be lost is asked for longer, until that is sure."""
        late = now - job.since - self._api.timeout[job.resolution]
        return late >= 0 and (not job.denials or now - job.denials[0] >= 2 * retry.DENIED_SECONDS)

    async def _give_up(self, failure: GatewayError | None) -> None:
        """Stop watching tasks past their deadline, tasks that the service lost, and all of them without access."""
        now = self._clock.monotonic()
        for task_id, job in list(self._jobs.items()):
            reason = ""
            if isinstance(failure, AccessError):
                reason = self._advise(failure)
            elif self._is_denied(job):
                reason = f"the service no longer knows the task {task_id} ({job.said})"
            elif failure is not None and retry.is_too_long(failure):
                reason = retry.explain_wait(failure, self._clock.now())
            elif self._is_late(job, now):
                offered = self._offered.get(task_id)
                if offered is not None and offered.image is not None:  # nothing better will come
                    del self._jobs[task_id]
                    await self._on_task(job, dataclasses.replace(offered, phase=Phase.READY))
                    continue
                reason = f"not finished {now - job.since:.0f} s after its submit"
                reason += f"; the service's last word was {job.word}" if job.word else ""
                reason += f"; the last poll said: {failure}" if failure else ""
                reason += job.advice_after(now)
            if reason:
                del self._jobs[task_id]
                self._on_given_up(job, reason, self._is_denied(job))
