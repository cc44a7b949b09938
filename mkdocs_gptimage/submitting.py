"""Submits, some at a time: an intent is durable before each leaves, and only what was provably refused is repeated."""

from __future__ import annotations

import dataclasses
import uuid
from typing import TYPE_CHECKING

from . import policy, references, wire
from .errors import BusyError, UnknownOutcomeError
from .flights import Flight, Stage

if TYPE_CHECKING:
    from .client import Client
    from .jobs import Clock, Job
    from .journal import Journal
    from .settings import Api


class Submitter:
    """Submits single jobs; all of them wait together when the service asks one to wait."""

    def __init__(self, client: Client, journal: Journal, api: Api, clock: Clock) -> None:
        self._client = client
        self._journal = journal
        self._api = api
        self._clock = clock
        self._open_at = 0.0

    async def submit(self, job: Job) -> wire.Image | None:
        """Submit a job until it is accepted; set its flight, and return the picture if it is there at once.

        Raises `RejectedError` when nothing was accepted, `UnknownOutcomeError` when that cannot be known, and
        `ConfigurationError` when a reference image changed since the pages were read.
        """
        body = wire.request_body(job.spec, references.to_send(job.spec))
        key = str(uuid.uuid4())
        for attempt in range(1, policy.SUBMIT_ATTEMPTS + 1):
            await self._wait_until_open()
            flight = self._intend(job, key)
            try:
                answer = await self._client.submit(body, key, self._api.timeout[job.spec.resolution])
            except BusyError as error:
                self._journal.forget(job.digest)
                if attempt == policy.SUBMIT_ATTEMPTS:
                    raise
                wait = policy.delay(attempt, error.retry_after, self._clock.jitter())
                self._open_at = max(self._open_at, self._clock.now() + wait)
            except UnknownOutcomeError as error:
                self._journal.write(dataclasses.replace(flight, stage=Stage.UNKNOWN, reason=str(error)))
                raise
            except Exception:
                self._journal.forget(job.digest)
                raise
            else:
                return self._accept(job, flight, answer)
        raise AssertionError("the last attempt returns or raises")

    def _intend(self, job: Job, key: str) -> Flight:
        flight = Flight(
            digest=job.digest,
            stage=Stage.INTENT,
            base_url=self._api.base_url,
            idempotency_key=key,
            submitted_at=self._clock.now(),
            where=job.picture.where,
        )
        self._journal.write(flight)
        return flight

    def _accept(self, job: Job, flight: Flight, answer: wire.Accepted | wire.Image) -> wire.Image | None:
        if isinstance(answer, wire.Accepted):
            job.flight = dataclasses.replace(flight, stage=Stage.ACCEPTED, task_id=answer.task_id)
        elif answer.link:
            job.flight = dataclasses.replace(flight, stage=Stage.ACCEPTED, link=answer.link)
        else:
            # Bytes without a task or a link cannot be had again: if this run ends now, nobody knows them.
            job.flight = dataclasses.replace(flight, stage=Stage.UNKNOWN, reason="answered with a picture, not stored")
        self._journal.write(job.flight)
        return answer if isinstance(answer, wire.Image) else None

    async def _wait_until_open(self) -> None:
        while (wait := self._open_at - self._clock.now()) > 0:
            await self._clock.sleep(wait)
