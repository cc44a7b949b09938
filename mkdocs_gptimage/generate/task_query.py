"""Asks the service for many tasks: one batch request for up to 100, and single requests where that does not do.

Tasks that a batch answer leaves out are asked for one by one, and so is everything once the service turns out to have
no batch polls.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TYPE_CHECKING

import anyio

from mkdocs_gptimage.errors import AccessError, BusyError, GatewayError
from mkdocs_gptimage.generate import retry
from mkdocs_gptimage.service import protocol
from mkdocs_gptimage.service.client import TASKS_PER_BATCH

if TYPE_CHECKING:
    from mkdocs_gptimage.service.client import Client

_NOT_IMPLEMENTED = 501
_BATCH_FAILURES = 3
"""Failed polls in a row after which tasks are asked for one by one as well."""
OnAnswer = Callable[[str, protocol.Task], Awaitable[None]]
OnSingleFailure = Callable[[str, GatewayError], bool]
"""Called with a task's id and the error of its own request; True if the error is about that task alone."""


class TaskQuery:
    """Polls for tasks; remembers whether the service has batch polls."""

    def __init__(
        self, client: Client, max_requests: int, on_answer: OnAnswer, on_single_failure: OnSingleFailure
    ) -> None:
        self.failures = 0
        """Polls in a row in which a request failed."""
        self._client = client
        self._on_answer = on_answer
        self._on_single_failure = on_single_failure
        self._has_batch = True
        self._limiter = anyio.CapacityLimiter(max_requests)

    async def ask(self, tasks: Mapping[str, Collection[str]]) -> GatewayError | None:
        """Ask for these tasks, by id with the references of each.

        Return the failure of a request, a refused key before any other, if one failed.
        """
        failures: list[GatewayError] = []
        async with anyio.create_task_group() as group:
            if self._has_batch:
                for start in range(0, len(tasks), TASKS_PER_BATCH):
                    batch = dict(itertools.islice(tasks.items(), start, start + TASKS_PER_BATCH))
                    group.start_soon(self._poll_batch, batch, failures)
            else:
                for task_id, references in tasks.items():
                    group.start_soon(self._poll_one, task_id, references, failures)
        self.failures = self.failures + 1 if failures else 0
        refused = [failure for failure in failures if isinstance(failure, AccessError)]
        return next(iter([*refused, *failures]), None)

    async def _poll_batch(self, tasks: Mapping[str, Collection[str]], failures: list[GatewayError]) -> None:
        try:
            async with self._limiter:
                found = await self._client.poll_many(tasks)
        except GatewayError as error:
            is_passing = _is_passing(error.status)
            # 403 may mean a single one of the tasks, and a path that a service does not know may be answered with 500,
            # or not at all.
            is_about_batches = not isinstance(error, (AccessError, BusyError))
            is_telling = (
                error.status == 403
                or retry.is_too_long(error)
                or (is_about_batches and self.failures + 1 >= _BATCH_FAILURES)
            )
            if is_passing and not is_telling:
                failures.append(error)
                return
            self._has_batch = is_passing
            found = {}
        for task_id, task in found.items():
            await self._on_answer(task_id, task)
        async with anyio.create_task_group() as group:
            for task_id, references in tasks.items():
                if task_id not in found:
                    group.start_soon(self._poll_one, task_id, references, failures)

    async def _poll_one(self, task_id: str, references: Collection[str], failures: list[GatewayError]) -> None:
        try:
            async with self._limiter:
                task = await self._client.poll(task_id, references)
        except GatewayError as error:
            if not self._on_single_failure(task_id, error):
                failures.append(error)
            return
        await self._on_answer(task_id, task)


def _is_passing(status: int | None) -> bool:
    """Whether a failed batch poll says nothing about batch polls as such."""
    return status is None or status in (401, 403, 408, 429) or (status >= 500 and status != _NOT_IMPLEMENTED)
