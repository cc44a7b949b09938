"""Client of the image API: submit, poll one, poll many, download; one attempt each, without retries."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import quote

import anyio
import httpx

from mkdocs_gptimage.errors import GatewayError, UnknownOutcomeError
from mkdocs_gptimage.service import body as answers
from mkdocs_gptimage.service import protocol
from mkdocs_gptimage.service.download import Downloader
from mkdocs_gptimage.service.pictures import Image
from mkdocs_gptimage.service.transport import CONNECT_SECONDS, Request, Transport
from mkdocs_gptimage.service.upload import Upload

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from mkdocs_gptimage.service.download import Downloaded
    from mkdocs_gptimage.service.redact import Secret
    from mkdocs_gptimage.settings import Api

T = TypeVar("T")

TASKS_PER_BATCH = 100
_POLL_SECONDS = 30.0
_POLL_ANSWER_SECONDS = 60.0
"""So long an answer to a poll may take as a whole; it may hold a picture."""
_UPLOAD_SECONDS = 300.0


class Client:
    """One service, for the time of one run; an async context manager.

    Raises `ConfigurationError` when the proxies or certificates that the environment names cannot be used.
    """

    def __init__(self, base_url: str, api: Api, key: Secret) -> None:
        self._base = base_url
        self._api = api
        self._secret = key
        self._transport = Transport(base_url, api.max_requests, key, is_offline=api.emulated)
        self._downloader = Downloader(self._transport.downloading, key, base_url)
        self.memory_limiter = anyio.CapacityLimiter(1)
        """For work that takes much memory, one at a time: parsing a large answer, or decoding a picture."""

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.__aexit__()

    async def submit(
        self, body: Upload, idempotency_key: str, seconds: float, path: str = ""
    ) -> protocol.Accepted | Image:
        """Ask for a picture, once, at the configured path or another.

        `seconds` bounds the wait for the answer: some services draw before they answer. Raises `RejectedError` when
        nothing was accepted, `UnknownOutcomeError` when that cannot be known.
        """
        timeout = httpx.Timeout(seconds, connect=CONNECT_SECONDS, write=_UPLOAD_SECONDS, pool=None)
        headers = {"Idempotency-Key": idempotency_key}
        url = f"{self._base}{path or self._api.submit_path}"
        answer = await self._transport.send(Request(url, timeout, seconds, body, headers))
        found = await self._understood(answer, lambda content: _submitted(content, body.references))
        if isinstance(found, Image):
            found = found.resolved(self._base)
            self._check_secret(found.url, "the answer's image link")
            return found
        self._check_secret(found.task_id, "the answer's task id")
        return found

    async def poll(self, task_id: str, references: Collection[str] = ()) -> protocol.Task:
        """Ask for one task; raise `GatewayError`, with the HTTP status if there is one.

        `references` are those of its request, which are never taken for its picture.
        """
        if not task_id.strip("."):
            raise GatewayError(f"'{task_id}' is no task id")  # it would leave its place in the path
        answer = await self._ask(f"{self._base}/tasks/{quote(task_id, safe='')}")
        return await self._understood(answer, lambda body: self._clean(protocol.task(body, task_id, references)))

    async def poll_many(self, references: Mapping[str, Collection[str]]) -> dict[str, protocol.Task]:
        """Ask for up to 100 tasks in one request, by id, with the references of each; not all may be answered for."""
        wanted = list(references)
        content = Upload([json.dumps({"task_ids": wanted}).encode()])
        answer = await self._ask(f"{self._base}/tasks/batch", content)
        return await self._understood(
            answer,
            lambda body: {each: self._clean(task) for each, task in protocol.tasks(body, wanted, references).items()},
        )

    async def _ask(self, url: str, content: Upload | None = None) -> answers.Body:
        timeout = httpx.Timeout(_POLL_SECONDS, connect=CONNECT_SECONDS, pool=None)
        return await self._transport.send(Request(url, timeout, _POLL_ANSWER_SECONDS, content))

    async def _understood(self, answer: answers.Body, read: Callable[[bytes], T]) -> T:
        """Return what an answer says; raise as `protocol` does, without the key."""
        failure: GatewayError
        try:
            return await answer.parse(read, self.memory_limiter)
        except GatewayError as error:
            failure = self._transport.without_key(error)
        raise failure

    def _clean(self, task: protocol.Task) -> protocol.Task:
        """Return a task without the key in its words, and with its picture out of memory and its link made absolute."""
        image = answers.spooled(task.image.resolved(self._base)) if task.image else None
        message, answer = self._secret.hide(task.message), self._secret.hide(task.answer)
        return dataclasses.replace(task, message=message, answer=answer, image=image)

    def kept_image(self, answer: str, references: Collection[str]) -> Image | None:
        """The picture in an answer that an earlier version has kept because it did not understand it."""
        image = protocol.kept_image(answer, references)
        return answers.spooled(image.resolved(self._base)) if image else None

    def _check_secret(self, text: str | None, what: str) -> None:
        """Refuse what would be written down, or sent to others."""
        if text and self._secret.is_in(text):
            raise UnknownOutcomeError(f"{what} holds the API key; it is neither kept nor used", status=200)

    async def download(self, link: str, part: Path) -> Downloaded:
        """Stream a picture into the file `part`; raise `LinkError`, `PictureError` or `GatewayError`."""
        return await self._downloader.download(link, part)


def _submitted(body: bytes, references: Collection[str]) -> protocol.Accepted | Image:
    found = protocol.submitted(body, references)
    return answers.spooled(found) if isinstance(found, Image) else found
