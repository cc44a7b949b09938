"""Waits for pictures that another run is making, and takes over the submissions of dead runs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.journal.lease import is_held
from mkdocs_gptimage.plan.other_stores import FoundSubmission
from mkdocs_gptimage.store.entry import Entry

if TYPE_CHECKING:
    from pathlib import Path

    from mkdocs_gptimage.generate.job import Clock, Job
    from mkdocs_gptimage.generate.workspace import RunContext
    from mkdocs_gptimage.journal.submission import Submission
    from mkdocs_gptimage.spec.digest import Digest


_LOOK_AGAIN = 0.5
"""Seconds between two looks at what the other run has done."""


class Waiter:
    """Waits for other runs over the same folders."""

    def __init__(self, context: RunContext, clock: Clock) -> None:
        self._store = context.store
        self._journal = context.journal
        self._folder = context.settings.journal
        self._clock = clock
        self._elsewhere = context.elsewhere

    async def wait(self, digest: Digest, seconds: float) -> Entry | Submission | None:
        """Wait until another run is done with a picture.

        Returns what it has stored; else the submission that it has left, now this run's when it can be collected; None
        when it has let go of it, and nothing is paid. Raises `ConfigurationError`, and `TimeoutError` after `seconds`.
        """
        until = self._clock.monotonic() + seconds
        while self._clock.monotonic() < until:
            # In this order: a run stores a picture before it forgets it.
            submission = self._journal.read(digest)
            found = self._store.get(digest)
            if isinstance(found, Entry):
                return found
            if submission is None:
                return None
            if not is_held(self._folder, submission.run):
                taken = self.take_over(submission)
                if taken is not None:
                    return taken
            await self._clock.sleep(_LOOK_AGAIN)
        raise TimeoutError

    async def wait_elsewhere(self, job: Job, found: FoundSubmission, seconds: float) -> Submission | None:
        """Wait until a run over another store is done with submitting a picture.

        Returns the submission that it has left, now this run's; None when it may have to be submitted here. Raises
        as `wait`.
        """
        until = self._clock.monotonic() + seconds
        current: FoundSubmission | Path | None = found
        while isinstance(current, FoundSubmission) and current.is_pending:
            if self._clock.monotonic() > until:
                raise TimeoutError
            # Two runs that have given way to each other must not return together.
            await self._clock.sleep(_LOOK_AGAIN * (0.5 + self._clock.jitter()))
            current = self._elsewhere(job.digest)
        if not (isinstance(current, FoundSubmission) and current.forbids(job.submission)):
            return None
        taken = dataclasses.replace(current.submission, run=self._journal.run)
        is_new = self._journal.replace(job.submission, taken) if job.submission else self._journal.claim(taken)
        return taken if is_new else None

    def take_over(self, submission: Submission) -> Submission | None:
        """Claim the submission of a dead run, so that no third run does; None when another run was faster."""
        taken = dataclasses.replace(submission, run=self._journal.run)
        try:
            return taken if self._journal.replace(submission, taken) else None
        except ConfigurationError:  # collecting is free for any run
            return submission
