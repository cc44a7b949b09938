"""Submits jobs: writes an intent to the journal first, and retries only what the service provably refused."""

from __future__ import annotations

import contextlib
import dataclasses
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import anyio.to_thread

from mkdocs_gptimage.errors import (
    AccessError,
    BalanceError,
    BusyError,
    ConfigurationError,
    ExhaustedError,
    GatewayError,
    GptImageError,
    InProgressError,
    MissingPicturesError,
    RejectedError,
    ResourceError,
    UnkeptAnswerError,
)
from mkdocs_gptimage.generate import retry
from mkdocs_gptimage.generate.request_bodies import RequestBodies
from mkdocs_gptimage.generate.route import NOT_FOUND_THERE, SubmitRoute
from mkdocs_gptimage.journal.submission import Stage, Submission
from mkdocs_gptimage.service import protocol
from mkdocs_gptimage.service.pictures import Image
from mkdocs_gptimage.store.entry import Entry

if TYPE_CHECKING:
    from mkdocs_gptimage.generate.job import Clock, Job
    from mkdocs_gptimage.generate.workspace import RunContext
    from mkdocs_gptimage.plan.other_stores import FoundSubmission
    from mkdocs_gptimage.service.client import Client
    from mkdocs_gptimage.service.upload import Upload
    from mkdocs_gptimage.settings import Api


_LOOK_AGAIN = 5.0
"""Seconds after which a submit that waits looks whether it still should."""
_GRACE = 0.8
"""Seconds that a run which is being ended waits for the answers to submits that have left."""
_CONFLICT = 409


class ClaimedError(GptImageError):
    """Another run is making the picture, or has just made it."""


class ElsewhereError(GptImageError):
    """A picture is in flight for another store of the project."""

    def __init__(self, found: FoundSubmission) -> None:
        super().__init__(f"it is in flight for the store '{found.store.folder}'")
        self.found = found


class Submitter:
    """Submits single jobs; all of them wait together when the service asks one to wait.

    Once `stopped` says why, nothing is submitted any more; a service of which nothing but unknown outcomes comes is
    not sent the rest.
    """

    def __init__(self, client: Client, context: RunContext, clock: Clock) -> None:
        self._client = client
        self._journal = context.journal
        self._api = context.settings.api
        self._clock = clock
        self._store = context.store
        self._objection = context.objection
        self._elsewhere = context.elsewhere
        self._open_at = 0.0
        self._unknown_in_a_row = 0
        self._bodies = RequestBodies(client, context.store)
        self._sending: set[anyio.CancelScope] = set()
        self.route = SubmitRoute(self._api.submit_path)
        self.notice = ""
        """What is to be said of the service, once."""
        self.stopped: RejectedError | None = None
        self.gateway_verified = anyio.Event()
        """Set once the service has accepted a submit, or has asked for patience: its address and the key are right."""

    async def submit(self, job: Job) -> Image | None:
        """Submit a job until it is accepted; set its submission, and return the picture if it is there at once.

        A job may come with the submission of a submit whose outcome is unknown. Raises `RejectedError` when nothing was
        accepted, `GatewayError` when that cannot be known, `ClaimedError` when another run was faster, `ElsewhereError`
        when one over another store was,
        `MissingPicturesError` when it is in the store now and damaged, `UnusableReferenceError` when a picture that it
        is drawn from cannot be sent, and `ConfigurationError` when a reference image changed since the pages were read
        or the journal cannot be written. A job that still has a submission then may have been accepted before.
        """
        # A repeated submit with the same key is the same generation, for a service that understands keys.
        repeated = job.submission if job.submission is not None and not job.submission.is_key_spent else None
        key = (repeated.idempotency_key if repeated else "") or str(uuid.uuid4())
        attempt, waited = 1, 0.0
        while True:
            await self._wait_until_open()
            path = self.route.path
            free_memory = await self._bodies.reserve(job)
            try:
                body = await self._bodies.encode(job, free_memory)
                await self._wait_until_open()
                unknown = job.submission
                self._intend(job, key)
                answer = await self._send(job, body, unknown, path)
            finally:
                free_memory()
            if not isinstance(answer, GatewayError):
                return answer
            if self.route.note_failure(path, answer):
                continue
            if not retry.may_repeat_submit(answer, attempt):
                raise answer
            if retry.is_too_long(answer, waited):
                answer.args = (retry.explain_wait(answer, self._clock.now()),)
                raise answer
            wait = retry.delay(attempt, answer.retry_after, self._clock.jitter())
            self._open_at = max(self._open_at, self._clock.monotonic() + wait)
            attempt, waited = attempt + 1, waited + wait

    async def _send(self, job: Job, body: Upload, unknown: Submission | None, path: str) -> Image | GatewayError | None:
        """Send a submit once; the journal knows what came of it, and of an `unknown` one before, when this returns."""
        assert job.submission is not None
        # A submit that has left is not abandoned when the run is being ended: its answer says what is paid for.
        with anyio.CancelScope(shield=True) as scope:
            self._sending.add(scope)
            try:
                seconds = self._api.timeout[job.resolution]
                answer = await self._client.submit(body, job.submission.idempotency_key, seconds, path)
            except RejectedError as error:
                self._verify_gateway_if(isinstance(error, BusyError) and error.status is not None)
                self._take_back(job, job.submission, unknown, is_key_spent=error.status == _CONFLICT)
                return error
            except GatewayError as error:
                self._verify_gateway_if(isinstance(error, InProgressError))
                self._leave_unknown(job, job.submission, error)
                return error
            else:
                self._verify_gateway_if(True)
                self.route.note_accepted(path)
                if isinstance(answer, Image):
                    self.notice = self.notice or self.route.note_picture(path)
                return self._accept(job, job.submission, answer, unknown)
            finally:
                self._sending.discard(scope)
        # Only the end of the run ends the scope; the intent stays in the journal, as an unknown outcome.
        await anyio.sleep_forever()
        raise AssertionError("a run that is being ended does not wait")

    def _verify_gateway_if(self, condition: bool) -> None:
        if condition:
            self.gateway_verified.set()

    def begin_shutdown(self) -> None:
        """The run is being ended: wait for the answers to what has left, but not for long."""
        for scope in self._sending:
            scope.deadline = anyio.current_time() + _GRACE

    def _intend(self, job: Job, key: str) -> None:
        """Claim the picture; the claim is durable when this returns."""
        submission = Submission(
            digest=job.digest,
            stage=Stage.INTENT,
            base_url=self._api.base_url,
            idempotency_key=key,
            submitted_at=self._clock.now(),
            where=job.where,
            run=self._journal.run,
            request=job.request,
        )
        is_ours = (
            self._journal.claim(submission)
            if job.submission is None
            else self._journal.replace(job.submission, submission)
        )
        if not is_ours:
            raise ClaimedError("another run is making it")
        self._require_absent(job, submission)
        self._require_absent_elsewhere(job, submission)
        job.submission, job.since = submission, self._clock.monotonic()

    def _require_absent(self, job: Job, claimed: Submission) -> None:
        """Give the claim back when the picture came into the store since the plan: by another run, or a `git pull`."""
        try:
            found = self._store.get(job.digest)
        except ResourceError:
            self._take_back(job, claimed, job.submission, is_key_spent=False)
            raise
        if isinstance(found, Entry):
            self._journal.forget(claimed)
            raise ClaimedError("another run has just made it")
        if found is not None:
            self._take_back(job, claimed, job.submission, is_key_spent=False)
            raise MissingPicturesError(f"it has come into the store meanwhile, and {found.reason}. {found.remedy}")
        objection = self._objection(job.request)
        if objection:
            self._take_back(job, claimed, job.submission, is_key_spent=False)
            raise MissingPicturesError(objection)

    def _require_absent_elsewhere(self, job: Job, claimed: Submission) -> None:
        """Give the claim back when another store of the project has the picture, or a claim of its own.

        Of two runs that claim at the same moment, each for its store, at least one sees the other's claim here.
        """
        known = job.submission
        try:
            found = self._elsewhere(job.digest)
        except GptImageError:
            self._take_back(job, claimed, known, is_key_spent=False)
            raise
        if isinstance(found, Path):
            self._take_back(job, claimed, known, is_key_spent=False)
            raise MissingPicturesError(f"the store '{found}' has it; copy its files, or set the option 'store' to it")
        if found is not None and found.forbids(known):
            self._take_back(job, claimed, known, is_key_spent=False)
            raise ElsewhereError(found)

    def _take_back(self, job: Job, submission: Submission, unknown: Submission | None, *, is_key_spent: bool) -> None:
        """Nothing was accepted this time; that proves nothing about a submit before, whose outcome is unknown."""
        if unknown is None:
            job.submission = None
            self._journal.forget(submission)
            return
        job.submission = dataclasses.replace(unknown, is_key_spent=unknown.is_key_spent or is_key_spent)
        with contextlib.suppress(ConfigurationError):  # the intent in the journal says as much
            self._journal.replace(submission, job.submission)

    def _leave_unknown(self, job: Job, submission: Submission, error: GatewayError) -> None:
        """Record an unknown outcome and release the claim, unless the same submit is about to be repeated."""
        is_asked_again = isinstance(error, InProgressError)
        if not is_asked_again:
            self._count_unknown(error)
        job.submission = dataclasses.replace(
            submission,
            stage=Stage.UNKNOWN,
            reason=str(error),
            answer=error.answer,
            run=submission.run if is_asked_again else "",
            is_key_spent=error.status == _CONFLICT and not is_asked_again,
        )
        with contextlib.suppress(ConfigurationError):  # the intent in the journal says as much
            self._journal.write(job.submission)

    def _count_unknown(self, error: GatewayError) -> None:
        self._unknown_in_a_row += 1
        if isinstance(error, UnkeptAnswerError):
            self.stop(str(error))
        if self._unknown_in_a_row >= retry.UNKNOWN_IN_A_ROW and self.stopped is None:
            said = f"the last {self._unknown_in_a_row} submits had an unknown outcome ({error})"
            self.stopped = RejectedError(said)

    def _accept(
        self, job: Job, submission: Submission, answer: protocol.Accepted | Image, unknown: Submission | None
    ) -> Image | None:
        self._unknown_in_a_row = 0
        if isinstance(answer, protocol.Accepted):
            # A service that repeats, for the same key, the task that it has denied gets another key the next time.
            is_key_spent = unknown is not None and unknown.task_id == answer.task_id
            job.submission = dataclasses.replace(
                submission, stage=Stage.ACCEPTED, task_id=answer.task_id, is_key_spent=is_key_spent
            )
        elif answer.url:
            job.submission = dataclasses.replace(submission, stage=Stage.ACCEPTED, link=answer.url)
        else:
            # Bytes without a task or a link cannot be fetched again: if this run ends now, they are lost.
            job.submission = dataclasses.replace(
                submission, stage=Stage.UNKNOWN, reason="answered with a picture, not stored"
            )
        # If the journal fails now, the intent in it still prevents a second payment, and this run can collect.
        with contextlib.suppress(ConfigurationError):
            self._journal.write(job.submission)
        return answer if isinstance(answer, Image) else None

    def stop(self, reason: str) -> None:
        """Submit nothing more in this run: what would be paid for could not be kept."""
        if self.stopped is None:
            self.stopped = RejectedError(f"nothing more is submitted, because of another picture: {reason}")

    async def _wait_until_open(self) -> None:
        while self.stopped is None and (wait := self._open_at - self._clock.monotonic()) > 0:
            await self._clock.sleep(min(wait, _LOOK_AGAIN))
        if self.stopped is not None:
            raise self.stopped
        # From here on nothing is cancelled until the answer is there: a run that is being ended must not get there.
        await anyio.lowlevel.checkpoint_if_cancelled()


def explain_refusal(error: GptImageError, api: Api) -> str:
    """Return what an error says, and what to do about it."""
    if isinstance(error, BalanceError):
        return f"{error}; the account's balance is used up"
    if isinstance(error, AccessError):
        return f"{error}; check the key in {api.key_env}"
    if isinstance(error, BusyError) and error.status is None and not isinstance(error, ExhaustedError):
        return f"{error}; check the network and api.base_url"
    if isinstance(error, RejectedError) and error.status in NOT_FOUND_THERE:
        return f"{error}; check api.base_url and api.submit_path"
    return str(error)
