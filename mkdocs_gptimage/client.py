"""The image API over httpx: submit, poll one, poll many, download. One try each; when to try again is not known here.

httpcore's pool grows quadratically more expensive with its connections, so many connections are spread over several
clients of eight. Downloads have a client of their own, which never holds the key: image links point to other hosts.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote, urljoin, urlsplit

import httpx

from . import wire
from .errors import BusyError, GatewayError, LinkError, PictureError, RejectedError, UnknownOutcomeError

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Iterable, Iterator
    from pathlib import Path

    from .settings import Api

POOL_SIZE = 8
"""Connections of one httpx client."""
MAX_DOWNLOADS = 16
"""Connections for downloads."""
MAX_PICTURE_BYTES = 64 * 1024 * 1024
MAX_REDIRECTS = 3
TASKS_PER_BATCH = 100

_MAX_SUBMIT_ANSWER = 96 * 1024 * 1024  # a 64 MiB picture in base64, and what is around it
_MAX_POLL_ANSWER = 16 * 1024 * 1024
_MAX_ERROR_ANSWER = 64 * 1024
_CONNECT_SECONDS = 10.0
_POLL_SECONDS = 30.0
_DOWNLOAD_SECONDS = 60.0
_UPLOAD_SECONDS = 300.0
# Shorter than servers keep idle connections: a submit on one that is just being closed has an unknown outcome.
_IDLE_SECONDS = 3.0
_USER_AGENT = "mkdocs-gptimage"
_PASSING = frozenset({408, 425, 429})
"""Answers to a download that the next try may not get."""
_HARMLESS = 3
"""So many first characters of the key give nothing away."""


@dataclass(frozen=True)
class Downloaded:
    """A finished download."""

    sha256: str
    bytes: int


class Client:
    """One service, for the time of one run; an async context manager."""

    def __init__(self, base_url: str, api: Api, key: str) -> None:
        self._base = base_url
        self._api = api
        self._key = key
        # Shared: loading the certificates takes longer than all the rest.
        context = httpx.create_ssl_context()
        # One more connection than submits, so that a poll never waits for a slow submit.
        shards = -(-(api.max_requests + 1) // POOL_SIZE)
        self._clients = [self._build(context, POOL_SIZE, authorized=True) for _ in range(shards)]
        self._downloads = self._build(context, min(api.max_requests, MAX_DOWNLOADS), authorized=False)
        self._turn = itertools.cycle(self._clients)
        self._stack = contextlib.AsyncExitStack()

    def _build(self, context: ssl.SSLContext, connections: int, *, authorized: bool) -> httpx.AsyncClient:
        special = {"Authorization": f"Bearer {self._key}"} if authorized else {"Accept-Encoding": "identity"}
        headers = {"User-Agent": _USER_AGENT, **special}
        return httpx.AsyncClient(
            headers=headers,
            verify=context,
            limits=httpx.Limits(
                max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_IDLE_SECONDS
            ),
            follow_redirects=False,
        )

    async def __aenter__(self) -> Client:  # noqa: PYI034 - typing.Self is newer than Python 3.10
        for client in (*self._clients, self._downloads):
            await self._stack.enter_async_context(client)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def submit(self, body: dict[str, Any], idempotency_key: str, seconds: float) -> wire.Accepted | wire.Image:
        """Ask for a picture, once.

        `seconds` bounds the wait for the answer: some services draw before they answer. Raises `RejectedError` when
        nothing was accepted, `UnknownOutcomeError` when that cannot be known.
        """
        timeout = httpx.Timeout(seconds, connect=_CONNECT_SECONDS, write=_UPLOAD_SECONDS, pool=None)
        headers = {"Idempotency-Key": idempotency_key}
        url = f"{self._base}{self._api.submit_path}"
        content = json.dumps(body, ensure_ascii=False).encode()
        status, answer, answered = await self._call("POST", url, content, timeout, _MAX_SUBMIT_ANSWER, headers)
        with self._without_key():
            if 200 <= status < 300:
                return wire.submitted(answer)
            raise wire.failure(status, answer, answered)

    async def poll(self, task_id: str) -> wire.Task:
        """Ask for one task; raise `GatewayError`, with the HTTP status if there is one."""
        answer = await self._ask("GET", f"{self._base}/tasks/{quote(task_id, safe='')}", b"")
        with self._without_key():
            return self._hide(wire.task(answer, task_id))

    async def poll_many(self, task_ids: Iterable[str]) -> dict[str, wire.Task]:
        """Ask for up to 100 tasks in one request; tasks that the service leaves out are left out here."""
        wanted = list(task_ids)
        content = json.dumps({"task_ids": wanted}).encode()
        answer = await self._ask("POST", f"{self._base}/tasks/batch", content)
        with self._without_key():
            return {task_id: self._hide(task) for task_id, task in wire.tasks(answer, wanted).items()}

    async def _ask(self, method: str, url: str, content: bytes) -> bytes:
        timeout = httpx.Timeout(_POLL_SECONDS, connect=_CONNECT_SECONDS, pool=None)
        status, answer, headers = await self._call(method, url, content, timeout, _MAX_POLL_ANSWER, {})
        if 200 <= status < 300:
            return answer
        with self._without_key():
            raise wire.failure(status, answer, headers)

    async def _call(  # noqa: PLR0913 - the parts of one request
        self, method: str, url: str, content: bytes, timeout: httpx.Timeout, limit: int, headers: dict[str, str]
    ) -> tuple[int, bytes, httpx.Headers]:
        """Send one request to the API; return status, body and headers."""
        if content:
            headers = {**headers, "Content-Type": "application/json"}
        client = next(self._turn)
        try:
            request = client.build_request(method, url, content=content, headers=headers, timeout=timeout)
        except httpx.InvalidURL as error:
            raise RejectedError(self._describe(error, "is not an address to send to")) from None
        try:
            async with contextlib.aclosing(await client.send(request, stream=True)) as response:
                success = 200 <= response.status_code < 300
                body = await _read(response, limit if success else _MAX_ERROR_ANSWER, cut=not success)
                return response.status_code, body, response.headers
        except httpx.UnsupportedProtocol as error:
            raise RejectedError(self._describe(error, "is not an address to send to")) from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            raise BusyError(self._describe(error, "cannot be reached")) from None
        except httpx.TimeoutException as error:
            raise UnknownOutcomeError(self._describe(error, "did not answer in time")) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:  # the second for where an answer redirects to
            raise UnknownOutcomeError(self._describe(error, "broke the connection")) from None

    def _describe(self, error: Exception, what: str) -> str:
        said = " ".join(str(error).split())
        # Without a user and password that the address may hold.
        host = urlsplit(self._base).netloc.rpartition("@")[2]
        return f"{host} {what}" + (f" ({said})" if said else "")

    @contextlib.contextmanager
    def _without_key(self) -> Iterator[None]:
        """Take the key out of the errors raised inside: some services repeat it."""
        try:
            yield
        except GatewayError as error:
            error.args = (without_secret(str(error), self._key),)
            raise

    def _hide(self, task: wire.Task) -> wire.Task:
        return dataclasses.replace(task, message=without_secret(task.message, self._key)) if task.message else task

    async def download(self, link: str, part: Path) -> Downloaded:
        """Stream a picture into the file `part`; raise `LinkError`, `PictureError` or `GatewayError`."""
        url = link
        for _ in range(MAX_REDIRECTS + 1):
            self._check_link(url)
            try:
                async with self._downloads.stream("GET", url, timeout=_DOWNLOAD_SECONDS) as response:
                    target = response.headers.get("location")
                    if not (response.is_redirect and target):
                        return await _save(response, part)
                    url = urljoin(url, target)
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                said = " ".join(str(error).split()) or type(error).__name__
                raise GatewayError(f"the download from {_host(url)} broke off ({said})") from None
        raise LinkError(f"the image link is redirected more than {MAX_REDIRECTS} times")

    def _check_link(self, url: str) -> None:
        scheme = url.partition(":")[0].lower()
        plain_is_fine = self._base.startswith("http:")
        if scheme != "https" and not (scheme == "http" and plain_is_fine):
            raise LinkError(f"the image link is not https but '{scheme[:20]}:'; it is not followed")
        if not _host(url):
            raise LinkError("the image link names no host")


async def _read(response: httpx.Response, limit: int, *, cut: bool) -> bytes:
    """Read a body of at most `limit` bytes; a longer one is cut, or an error."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > limit:
            if cut:
                break
            raise UnknownOutcomeError(f"the answer is longer than {limit // 1024 // 1024} MiB")
    return bytes(body[:limit])


async def _save(response: httpx.Response, part: Path) -> Downloaded:
    """Write the body of an answer to a file, hashing as it comes."""
    if response.status_code != 200:
        expired = response.status_code in (403, 404, 410)
        what = "has expired" if expired else "does not work"
        if expired or not (response.status_code >= 500 or response.status_code in _PASSING):
            raise LinkError(f"the image link {what} (HTTP {response.status_code})", expired=expired)
        raise GatewayError(f"the image link {what} (HTTP {response.status_code})", status=response.status_code)
    hasher, size = hashlib.sha256(), 0
    with _whole_or_nothing(part) as file:
        async for chunk in _bounded(response):
            hasher.update(chunk)
            file.write(chunk)
            size += len(chunk)
    return Downloaded(hasher.hexdigest(), size)


@contextlib.contextmanager
def _whole_or_nothing(part: Path) -> Iterator[BinaryIO]:
    """Open a file to write; leave none when writing fails."""
    try:
        with part.open("wb") as file:
            yield file
    except BaseException:
        part.unlink(missing_ok=True)
        raise


async def _bounded(response: httpx.Response) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in response.aiter_raw():
        size += len(chunk)
        if size > MAX_PICTURE_BYTES:
            raise PictureError(f"the picture is larger than {MAX_PICTURE_BYTES // 1024 // 1024} MiB")
        yield chunk


def without_secret(text: str, secret: str) -> str:
    """Return the text with `***` for the secret, and for what an ellipsis at the end left of it."""
    if not secret:
        return text
    text = text.replace(secret, "***")
    if text.endswith("…"):
        for length in range(len(secret) - 1, _HARMLESS, -1):
            if text[:-1].endswith(secret[:length]):
                return f"{text[: -1 - length]}***…"
    return text


def _host(url: str) -> str:
    """The host of a URL; empty for one without, or with a port that is none."""
    try:
        parts = urlsplit(url)
        has_port = parts.port != 0
    except ValueError:
        return ""
    return (parts.hostname or "") if has_port else ""
