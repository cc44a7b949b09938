"""Accepted submissions: follows their tasks, and collects their pictures as soon as they are ready."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio

from mkdocs_gptimage.errors import GatewayError, GptImageError, LinkError, ResourceError
from mkdocs_gptimage.generate import retry
from mkdocs_gptimage.generate.collect import Collector, why_not_stored
from mkdocs_gptimage.generate.poll import Poller
from mkdocs_gptimage.generate.step import Step
from mkdocs_gptimage.service.pictures import Image
from mkdocs_gptimage.service.statuses import Phase

if TYPE_CHECKING:
    from types import TracebackType

    from mkdocs_gptimage.generate.job import Clock, Job
    from mkdocs_gptimage.generate.outcomes import Outcomes
    from mkdocs_gptimage.generate.workspace import RunContext
    from mkdocs_gptimage.journal.submission import Submission
    from mkdocs_gptimage.service.client import Client
    from mkdocs_gptimage.service.protocol import Task
    from mkdocs_gptimage.store.entry import Entry


OnUnstorable = Callable[[str], None]
"""Called with the reason why a picture cannot be stored: the next one could not be either."""


class InFlight:
    """The accepted submissions of one run; a context manager that ends when all of them have an outcome."""

    def __init__(
        self, client: Client, context: RunContext, outcomes: Outcomes, clock: Clock, on_unstorable: OnUnstorable
    ) -> None:
        self._client = client
        self._store = context.store
        self._on_unstorable = on_unstorable
        self._outcomes = outcomes
        self._clock = clock
        self._task_ids: set[str] = set()
        self._collector = Collector(client, context, clock)
        self._poller = Poller(client, context.settings.api, clock, self._on_task, self._on_given_up)
        self._group = anyio.create_task_group()

    async def __aenter__(self) -> None:
        await self._group.__aenter__()
        self._group.start_soon(self._poller.run)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._poller.close()
        return await self._group.__aexit__(kind, error, trace)

    def resume(self, job: Job, submission: Submission) -> None:
        """Go on with a submission of an earlier run, which is free."""
        job.submission = submission
        job.note_parents(self._store)
        # A clock that was set back would make us wait for the moment of the submit.
        job.since = self._clock.monotonic() - max(0.0, self._clock.now() - submission.submitted_at)
        self._outcomes.tell(Step.RESUMED, job, submission.task_id or "")
        kept = self._client.kept_image(submission.answer, job.references)
        if kept is not None:
            self.collect(job, kept)
        elif submission.task_id is not None:
            self.follow(job)
        elif submission.link is None:  # its only picture was a reference image of the request
            self._outcomes.unknown(job)
        else:
            self.collect(job, Image(url=submission.link))

    def follow(self, job: Job) -> None:
        """Poll a job's task until it ends, unless the same task belongs to another picture."""
        assert job.submission is not None
        task_id = job.submission.task_id
        assert task_id is not None
        if task_id in self._task_ids:
            job.submission = dataclasses.replace(job.submission, task_id=None)  # or the next run takes its picture
            self._outcomes.unknown(job, f"the service gave it the task of another picture, {task_id}")
            return
        self._task_ids.add(task_id)
        self._poller.add(job)

    async def ask_again(self, job: Job) -> bool:
        """Ask once more for a submission that the service has denied; False if it denies it again.

        So is one that has ended, and how is not understood.

        Else the picture is stored, or its task is followed. Raises `GptImageError` and `OSError` if that cannot be
        known.
        """
        submission = job.submission
        assert submission is not None
        job.note_parents(self._store)
        try:
            if submission.task_id is None:
                self._stored(job, await self._collector.collect(job, Image(url=submission.link), None))
            else:
                task = await self._client.poll(submission.task_id, job.references)
                if task.phase in (Phase.EMPTY, Phase.UNREADABLE):
                    return False
                self.resume(job, submission)
        except LinkError as error:
            if error.expired:
                return False
            raise
        except GatewayError as error:
            if error.status in retry.NO_SUCH_TASK:
                return False
            raise
        return True

    def collect(self, job: Job, image: Image, cost_usd: float | None = None) -> None:
        """Start to download and store a job's picture."""
        self._group.start_soon(self._collect, job, image, cost_usd)

    async def _on_task(self, job: Job, task: Task) -> None:
        assert job.submission is not None
        if job.submission.is_denied:
            job.submission = dataclasses.replace(job.submission, is_denied=False)
        if task.phase is Phase.RUNNING and not job.is_running:
            job.is_running = True
            self._outcomes.tell(Step.RUNNING, job)
        elif task.phase is Phase.FAILED:
            self._outcomes.failed(job, task.message)
        elif task.phase in (Phase.EMPTY, Phase.UNREADABLE):
            reason = f"the service says {task.message}, and gives no picture that this version understands"
            self._outcomes.unreadable(job, reason, task.answer)
        elif task.phase is Phase.READY and task.image is not None:
            self.collect(job, task.image, task.cost_usd)

    def _on_given_up(self, job: Job, reason: str, is_denied: bool) -> None:
        assert job.submission is not None
        if is_denied:
            self._outcomes.denied(job, reason)
        elif job.submission.is_denied:  # it could not be asked for now
            self._outcomes.unknown(job)
        else:
            self._outcomes.waiting(job, reason)

    async def _collect(self, job: Job, image: Image, cost_usd: float | None) -> None:
        try:
            entry = await self._collector.collect(job, image, cost_usd)
        except GptImageError as error:
            if isinstance(error, ResourceError):
                self._on_unstorable(str(error))
            self._end_uncollected(job, error, str(error))
        except (OSError, MemoryError, RuntimeError) as error:
            problem = why_not_stored(error)
            self._on_unstorable(problem)
            self._end_uncollected(job, error, problem)
        else:
            self._stored(job, entry)

    def _stored(self, job: Job, entry: Entry) -> None:
        made, facts = entry.made, entry.image
        cost = "" if made.cost_usd is None else f", ${made.cost_usd:.4g}"
        text = f"{facts.width}×{facts.height}, {facts.bytes / 1e6:.1f} MB, {made.seconds:.0f} s{cost}"
        self._outcomes.stored(job, entry, text)

    def _end_uncollected(self, job: Job, error: Exception, problem: str) -> None:
        """The next run tries again, where there is a task to ask or a link that may still work."""
        submission = job.submission
        assert submission is not None
        if not submission.has_target:
            self._outcomes.unknown(job, problem)
        elif isinstance(error, LinkError) and error.expired and submission.task_id is None:
            self._outcomes.denied(job, problem)
        else:
            self._outcomes.waiting(job, problem + job.advice_after(self._clock.monotonic()))
