"""Client of the image API over httpx: submit, poll one, poll many, download; one attempt each, without retries.

httpcore's pool grows quadratically more expensive with its connections, so many connections are spread over several
clients of eight. Downloads have a client of their own, which never holds the key: image links point to other hosts.
httpx bounds each read and each write, of which there may be endlessly many: requests are bounded as a whole here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import logging
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit

import anyio
import httpx

from mkdocs_gptimage.errors import BusyError, ConfigurationError, GatewayError, RejectedError, UnknownOutcomeError
from mkdocs_gptimage.service import body as answers
from mkdocs_gptimage.service import protocol
from mkdocs_gptimage.service.download import MAX_PICTURE_BYTES, Downloader, put_location_aside
from mkdocs_gptimage.service.redact import LogFilter, Secret

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Generator, Iterable
    from pathlib import Path

    from mkdocs_gptimage.service.download import Downloaded
    from mkdocs_gptimage.settings import Api

T = TypeVar("T")

POOL_SIZE = 8
"""Connections of one httpx client."""
MAX_DOWNLOADS = 16
"""Connections for downloads."""
TASKS_PER_BATCH = 100

_MAX_ANSWER = MAX_PICTURE_BYTES // 3 * 4 + answers.MAX_JSON
_MAX_ERROR_ANSWER = 64 * 1024
_CONNECT_SECONDS = 10.0
_POLL_SECONDS = 30.0
_POLL_ANSWER_SECONDS = 60.0
"""So long an answer to a poll may take as a whole; it may hold a picture."""
_UPLOAD_SECONDS = 300.0
# Shorter than servers keep idle connections: a submit on one that is just being closed has an unknown outcome.
_IDLE_SECONDS = 3.0
_USER_AGENT = "mkdocs-gptimage"
_ENVIRONMENT = "a proxy or the certificates that the environment names cannot be used, nothing was submitted"
_LOOK_AT = "look at HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR"
_LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpcore.socks")


class _Bearer(httpx.Auth):
    """Signs requests to the API: only with the key, whatever the environment or an address holds."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = self._secret.bearer
        yield request


class Client:
    """One service, for the time of one run; an async context manager.

    Raises `ConfigurationError` when the proxies or certificates that the environment names cannot be used.
    """

    def __init__(self, base_url: str, api: Api, key: Secret) -> None:
        self._base = base_url
        self._api = api
        self._secret = key
        try:
            # Shared: loading the certificates takes longer than all the rest.
            context = httpx.create_ssl_context()
            # One more connection than submits, so that a poll never waits for a slow submit.
            shards = -(-(api.max_requests + 1) // POOL_SIZE)
            self._clients = [self._build(context, POOL_SIZE, _Bearer(self._secret)) for _ in range(shards)]
            # `httpx.Auth()` signs nothing: neither with what .netrc nor with what a link holds.
            downloads = self._build(context, min(api.max_requests, MAX_DOWNLOADS), httpx.Auth())
        except (ImportError, OSError) as error:  # `ssl.SSLError` is one of the last
            raise ConfigurationError(f"{_ENVIRONMENT} ({self._secret.describe(error)}); {_LOOK_AT}") from None
        except (ValueError, httpx.InvalidURL):  # whose text may hold the password of a proxy
            raise ConfigurationError(f"{_ENVIRONMENT}; {_LOOK_AT}") from None
        self._turn = itertools.cycle(self._clients)
        plain_is_fine = base_url.startswith("http:")
        self._downloader = Downloader(downloads, self._secret, plain_is_fine=plain_is_fine)
        self._stack = contextlib.AsyncExitStack()
        self.memory_limiter = anyio.CapacityLimiter(1)
        """For work that takes much memory, one at a time: parsing a large answer, or decoding a picture."""

    @staticmethod
    def _build(context: ssl.SSLContext, connections: int, auth: httpx.Auth) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            headers={"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"},
            auth=auth,
            verify=context,
            limits=httpx.Limits(
                max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_IDLE_SECONDS
            ),
            follow_redirects=False,
            event_hooks={"response": [put_location_aside]},
        )

    async def __aenter__(self) -> Client:  # noqa: PYI034 - typing.Self is newer than Python 3.10
        log_filter = LogFilter(self._secret)
        for logger in map(logging.getLogger, _LOGGERS):
            logger.addFilter(log_filter)
            self._stack.callback(logger.removeFilter, log_filter)
        for client in (*self._clients, self._downloader.client):
            await self._stack.enter_async_context(client)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def submit(
        self, body: dict[str, Any], idempotency_key: str, seconds: float
    ) -> protocol.Accepted | protocol.Image:
        """Ask for a picture, once.

        `seconds` bounds the wait for the answer: some services draw before they answer. Raises `RejectedError` when
        nothing was accepted, `UnknownOutcomeError` when that cannot be known.
        """
        waits = httpx.Timeout(seconds, connect=_CONNECT_SECONDS, write=_UPLOAD_SECONDS, pool=None)
        headers = {"Idempotency-Key": idempotency_key}
        url = f"{self._base}{self._api.submit_path}"
        content = json.dumps(body, ensure_ascii=False).encode()
        answer = await self._call(url, content, waits, seconds, headers)
        found = await self._understood(answer, _submitted)
        if isinstance(found, protocol.Image):
            self._check_secret(found.link, "the answer's image link")
            return found
        self._check_secret(found.task_id, "the answer's task id")
        return found

    async def poll(self, task_id: str) -> protocol.Task:
        """Ask for one task; raise `GatewayError`, with the HTTP status if there is one."""
        if not task_id.strip("."):
            raise GatewayError(f"'{task_id}' is no task id")  # it would leave its place in the path
        answer = await self._ask(f"{self._base}/tasks/{quote(task_id, safe='')}")
        return await self._understood(answer, lambda body: self._clean(protocol.task(body, task_id)))

    async def poll_many(self, task_ids: Iterable[str]) -> dict[str, protocol.Task]:
        """Ask for up to 100 tasks in one request; tasks that the service leaves out are left out here."""
        wanted = list(task_ids)
        content = json.dumps({"task_ids": wanted}).encode()
        answer = await self._ask(f"{self._base}/tasks/batch", content)
        return await self._understood(
            answer, lambda body: {task_id: self._clean(task) for task_id, task in protocol.tasks(body, wanted).items()}
        )

    async def _ask(self, url: str, content: bytes = b"") -> answers.Body:
        waits = httpx.Timeout(_POLL_SECONDS, connect=_CONNECT_SECONDS, pool=None)
        return await self._call(url, content, waits, _POLL_ANSWER_SECONDS, {})

    async def _call(
        self, url: str, content: bytes, waits: httpx.Timeout, seconds: float, headers: dict[str, str]
    ) -> answers.Body:
        """Send one request to the API, a POST if it has content; return its answer, or raise what it proves.

        `seconds` bounds the answer as a whole.
        """
        method = "POST" if content else "GET"
        if content:
            headers = {**headers, "Content-Type": "application/json"}
        client = next(self._turn)
        failure: GatewayError
        try:
            request = client.build_request(method, url, content=content, headers=headers, timeout=waits)
            with anyio.fail_after(None) as scope:
                request.extensions["trace"] = _bounding(scope, waits.write or seconds, seconds)
                return await self._exchange(client, request)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            failure = self._what_it_proves(error)
        # Not inside of the handler: the errors of httpx hold the request, and the request the key.
        raise failure

    async def _exchange(self, client: httpx.AsyncClient, request: httpx.Request) -> answers.Body:
        async with contextlib.aclosing(await client.send(request, stream=True)) as response:
            if 200 <= response.status_code < 300:
                body = answers.Body(response.status_code, _MAX_ANSWER)
                await body.receive(response)
                return body
            said = await answers.beginning(response, _MAX_ERROR_ANSWER)
            failure = self._without_key(protocol.failure(response.status_code, said, response.headers))
            del said
            raise failure

    def _what_it_proves(self, error: Exception) -> GatewayError:
        """The error for a request that got no answer."""
        if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol)):
            return RejectedError(self._describe(error, "is not an address to send to"))
        if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)):
            return BusyError(self._describe(error, "cannot be reached"))
        if isinstance(error, (httpx.TimeoutException, TimeoutError)):
            return UnknownOutcomeError(self._describe(error, "did not answer in time"))
        if isinstance(error, httpx.DecodingError):
            return UnknownOutcomeError(self._describe(error, "sent an answer that cannot be read"))
        return UnknownOutcomeError(self._describe(error, "broke the connection"))

    def _describe(self, error: Exception, what: str) -> str:
        said = self._secret.describe(error)
        # Without a user and password that the address may hold.
        host = urlsplit(self._base).netloc.rpartition("@")[2]
        return f"{host} {what}" + (f" ({said})" if said else "")

    async def _understood(self, answer: answers.Body, read: Callable[[bytes], T]) -> T:
        """Return what an answer says; raise as `wire` does, without the key."""
        failure: GatewayError
        try:
            return await answer.parse(read, self.memory_limiter)
        except GatewayError as error:
            failure = self._without_key(error)
        raise failure

    def _without_key(self, error: GatewayError) -> GatewayError:
        """Take the key out of an error and what led to it: some services repeat it."""
        error.args = (self._secret.hide(str(error)),)
        error.__context__ = None
        return error.with_traceback(None)

    def _clean(self, task: protocol.Task) -> protocol.Task:
        """Return a task without the key in its words, and with its picture out of memory."""
        image = answers.spooled(task.image) if task.image else None
        return dataclasses.replace(task, message=self._secret.hide(task.message), image=image)

    def _check_secret(self, text: str | None, what: str) -> None:
        """Refuse what would be written down, or sent to others."""
        if text and self._secret.is_in(text):
            raise UnknownOutcomeError(f"{what} holds the API key; it is neither kept nor used", status=200)

    async def download(self, link: str, part: Path) -> Downloaded:
        """Stream a picture into the file `part`; raise `LinkError`, `PictureError` or `GatewayError`."""
        return await self._downloader.download(link, part)


def _submitted(body: bytes) -> protocol.Accepted | protocol.Image:
    found = protocol.submitted(body)
    return answers.spooled(found) if isinstance(found, protocol.Image) else found


def _bounding(scope: anyio.CancelScope, sending: float, answering: float) -> Callable[[str, Any], Awaitable[None]]:
    """Bound a request from when it begins to leave, so that waiting for a connection proves nothing; seconds.

    Called with what httpcore is about to do; https://www.encode.io/httpcore/extensions/#trace
    """

    async def trace(event: str, _: Any) -> None:
        if event.endswith("send_request_headers.started"):
            scope.deadline = anyio.current_time() + sending
        elif event.endswith("receive_response_headers.started"):
            scope.deadline = anyio.current_time() + answering

    return trace
