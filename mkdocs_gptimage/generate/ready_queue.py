"""The order of submits: a picture that is drawn from others leaves as soon as all of those are in the store.

Nothing waits for what comes after it in the plan, nor for what this run will not make: so nothing waits for ever, and
no circle can form.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from mkdocs_gptimage.generate.job import Job, Outcome, Step, job_of
from mkdocs_gptimage.plan.plan import State
from mkdocs_gptimage.spec.digest import Digest

if TYPE_CHECKING:
    from mkdocs_gptimage.plan.plan import Plan


Refuse = Callable[[Job, Digest], None]
"""Called with a job that cannot be made, and the digest of the parent to blame; its outcome has to be settled."""


@dataclass
class _Place:
    """A job in the queue."""

    number: int
    """Its place in the plan."""
    job: Job
    missing: set[Digest]
    """The parents that are not in the store yet."""


class ReadyQueue:
    """The jobs of a plan on their way to their submits, in the order of the plan."""

    def __init__(self, plan: Plan, refuse: Refuse) -> None:
        self._refuse = refuse
        self._ready: list[tuple[int, Job]] = []
        self._held: dict[Digest, _Place] = {}
        self._children: dict[Digest, list[Digest]] = {}
        self._hopeless: list[tuple[Job, Digest]] = []
        self._changed = anyio.Event()
        stored = {row.digest for row in plan.only(State.CACHED)}
        expected = {row.digest for row in plan.only(State.IN_FLIGHT, State.IN_HAND)}
        jobs = [job_of(row.picture, row.flight) for row in plan.only(State.MISSING)]
        self.total = len(jobs)
        for number, job in enumerate(jobs):
            self._place(_Place(number, job, job.parents.keys() - stored), expected)
            expected.add(job.digest)

    def _place(self, place: _Place, expected: set[Digest]) -> None:
        hopeless = next((digest for digest in place.job.parents if digest in place.missing - expected), None)
        if hopeless is not None:
            self._hopeless.append((place.job, hopeless))
        elif not place.missing:
            heapq.heappush(self._ready, (place.number, place.job))
        else:
            self._held[place.job.digest] = place
            for parent in place.missing:
                self._children.setdefault(parent, []).append(place.job.digest)

    def begin(self) -> None:
        """Refuse what cannot be made by this run; whatever is drawn from that follows."""
        for job, parent in self._hopeless:
            self._refuse(job, parent)

    def settle(self, outcome: Outcome) -> None:
        """Take note of what became of a picture: what is drawn from it is let go, or refused."""
        for digest in self._children.pop(outcome.digest, ()):
            place = self._held.get(digest)
            if place is None:  # refused because of another parent
                continue
            place.missing.discard(outcome.digest)
            if outcome.step is not Step.STORED:
                del self._held[digest]
                self._refuse(place.job, outcome.digest)
            elif not place.missing:
                del self._held[digest]
                heapq.heappush(self._ready, (place.number, place.job))
        self._changed.set()
        self._changed = anyio.Event()

    async def wait(self) -> None:
        """Wait until a job is ready, or none can become so any more."""
        while self._held and not self._ready:
            await self._changed.wait()

    async def next(self) -> Job | None:
        """Take the next job; None when there is none left."""
        await self.wait()
        return heapq.heappop(self._ready)[1] if self._ready else None
