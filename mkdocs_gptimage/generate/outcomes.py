"""Records the outcome of each picture of a run, reports it, and updates the journal for the next run."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.generate.job import Event, Outcome
from mkdocs_gptimage.generate.step import Step
from mkdocs_gptimage.journal.submission import Stage
from mkdocs_gptimage.plan.plan import why_unknown

if TYPE_CHECKING:
    from mkdocs_gptimage.generate.job import Job
    from mkdocs_gptimage.journal.journal import Journal
    from mkdocs_gptimage.journal.submission import Submission
    from mkdocs_gptimage.store.entry import Entry


Report = Callable[[Event], None]


class Outcomes:
    """The outcomes of one run; each picture gets one, and the journal says what the next run has to know.

    `settle` is called with each outcome: what is drawn from the picture waits for it.
    """

    def __init__(self, journal: Journal, report: Report, settle: Callable[[Outcome], None]) -> None:
        self._journal = journal
        self._report = report
        self._settle = settle
        self.all: list[Outcome] = []

    def tell(self, step: Step, job: Job, text: str = "") -> None:
        """Tell a change of state."""
        self._report(Event(step, job.where, job.digest, text))

    def stored(self, job: Job, entry: Entry, text: str) -> None:
        self._end(Outcome(Step.STORED, job.digest, job.where, entry=entry), job, text)

    def ended(self, step: Step, job: Job, problem: str) -> None:
        """There is no picture, and the journal says already why."""
        self._end(Outcome(step, job.digest, job.where, problem=problem), job, problem)

    def _end(self, outcome: Outcome, job: Job, text: str) -> None:
        self.all.append(outcome)
        self.tell(outcome.step, job, text)
        self._settle(outcome)

    def refused(self, step: Step, job: Job, problem: str) -> None:
        """Nothing was accepted now; a submit before this one may have been."""
        if job.submission is None:
            self.ended(step, job, problem)
        else:
            self.ended(Step.UNKNOWN, job, f"{why_unknown(job.submission)}; not submitted again: {problem}")

    def failed(self, job: Job, words: str) -> None:
        """The service could not make it, and has given the money back."""
        assert job.submission is not None
        with contextlib.suppress(ConfigurationError):
            self._journal.forget(job.submission)
        self.ended(Step.FAILED, job, words)

    def waiting(self, job: Job, problem: str) -> None:
        """It may be paid for, and the next run collects it."""
        assert job.submission is not None
        if not self._let_go(job, job.submission):
            task = job.submission.task_id or job.submission.link
            problem += f"; the journal cannot be written, and the next run may not know of it: note its task {task}"
        self.ended(Step.WAITING, job, problem)

    def unknown(self, job: Job, reason: str | None = None) -> None:
        """Its outcome is unknown, for this reason or the one in the journal."""
        submission = job.submission
        assert submission is not None
        if reason is not None:
            submission = dataclasses.replace(submission, stage=Stage.UNKNOWN, reason=reason)
        self._let_go(job, submission)
        self.ended(Step.UNKNOWN, job, why_unknown(submission))

    def denied(self, job: Job, reason: str) -> None:
        """The service says that it does not know it; the next run asks once more, for free."""
        assert job.submission is not None
        job.submission = dataclasses.replace(job.submission, is_denied=True)
        self.unknown(job, reason)

    def unreadable(self, job: Job, reason: str, answer: str) -> None:
        """It has ended, and how is not understood: the answer is kept, and the next run asks once more, for free."""
        assert job.submission is not None
        job.submission = dataclasses.replace(job.submission, is_denied=True, answer=answer)
        self.unknown(job, reason)

    def _let_go(self, job: Job, submission: Submission) -> bool:
        """This run does nothing more for a picture: another one need not wait for it; whether that is written down."""
        job.submission = dataclasses.replace(submission, run="")
        try:
            self._journal.note(job.submission)
        except ConfigurationError:  # the end of the run says as much
            return False
        return True
