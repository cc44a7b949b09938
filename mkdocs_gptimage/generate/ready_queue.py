"""The queue of pictures to submit: one that is drawn from others is ready as soon as all of those are stored.

A picture waits only for pictures before it in the plan that this run, or another one, is making: none waits for ever.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio

from mkdocs_gptimage.generate.job import Job, Outcome, job_of
from mkdocs_gptimage.generate.step import Step
from mkdocs_gptimage.plan.states import State
from mkdocs_gptimage.spec.digest import Digest

if TYPE_CHECKING:
    from mkdocs_gptimage.plan.plan import Plan

Refuse = Callable[[Job, Digest], None]
"""Called with a job that cannot be made, and the digest of the parent to blame; it must settle the job's outcome."""


class ReadyQueue:
    """The jobs of a plan that are to be submitted; of those that are ready, the first of the plan comes first."""

    def __init__(self, plan: Plan, refuse: Refuse) -> None:
        self._refuse = refuse
        self._ready: list[tuple[int, Job]] = []
        """A heap; the numbers are places in the plan."""
        self._waiting: dict[Digest, tuple[int, Job]] = {}
        self._hopeless: list[tuple[Job, Digest]] = []
        self._changed = anyio.Event()
        self._stored = {row.digest for row in plan.only(State.CACHED)}
        jobs = [job_of(row.picture, row.submission) for row in plan.only(State.MISSING)]
        self.total = len(jobs)
        expected = self._stored | {row.digest for row in plan.only(State.IN_FLIGHT, State.LEASED)}
        for number, job in enumerate(jobs):
            never = next((parent for parent in job.parents if parent not in expected), None)
            if never is not None:
                self._hopeless.append((job, never))
            elif job.parents.keys() <= self._stored:
                self._ready.append((number, job))
            else:
                self._waiting[job.digest] = (number, job)
            expected.add(job.digest)

    def begin(self) -> None:
        """Refuse what this run cannot make, and what is drawn from it."""
        for job, parent in self._hopeless:
            self._refuse(job, parent)

    def settle(self, outcome: Outcome) -> None:
        """Release the pictures that waited only for this one, or refuse those that cannot be made without it."""
        missed = {outcome.digest} - self._stored
        children = [(number, job) for number, job in self._waiting.values() if missed & job.parents.keys()]
        if outcome.step is Step.STORED:
            self._stored.add(outcome.digest)
        for number, job in children:
            if outcome.step is not Step.STORED:
                if self._waiting.pop(job.digest, None):  # not refused yet because of another parent
                    self._refuse(job, outcome.digest)
            elif job.parents.keys() <= self._stored:
                del self._waiting[job.digest]
                heapq.heappush(self._ready, (number, job))
        self._changed.set()
        self._changed = anyio.Event()

    async def wait(self) -> None:
        """Wait until a job is ready, or none can become so any more."""
        while self._waiting and not self._ready:
            await self._changed.wait()

    async def next(self) -> Job | None:
        """Take the next job; None when there is none left."""
        await self.wait()
        return heapq.heappop(self._ready)[1] if self._ready else None
