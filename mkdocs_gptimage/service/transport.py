"""HTTP connections to one service: sends a request once and returns its answer, or the error that its failure proves.

httpcore's pool grows quadratically more expensive with its connections, so many connections are spread over several
clients of eight. Downloads have a client of their own, which never holds the key: image links point to other hosts.
httpx bounds each read and each write, of which there may be endlessly many: requests are bounded as a whole here.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import anyio
import httpx

from mkdocs_gptimage.errors import (
    BusyError,
    ConfigurationError,
    ExhaustedError,
    GatewayError,
    RejectedError,
    UnkeptAnswerError,
    UnknownOutcomeError,
)
from mkdocs_gptimage.resources import lack_of, raise_if_lacking
from mkdocs_gptimage.service import body, refusals
from mkdocs_gptimage.service.download import MAX_PICTURE_BYTES, put_location_aside
from mkdocs_gptimage.service.proxies import is_called_directly, require_readable_exceptions
from mkdocs_gptimage.service.redact import LogFilter, Secret

if TYPE_CHECKING:
    import ssl
    from collections.abc import Generator

    from mkdocs_gptimage.service.upload import Upload

POOL_SIZE = 8
"""Connections of one httpx client."""
MAX_DOWNLOADS = 16
"""Connections for downloads."""
CONNECT_SECONDS = 10.0

_MAX_ANSWER = MAX_PICTURE_BYTES // 3 * 4 + body.MAX_JSON
_MAX_ERROR_ANSWER = 64 * 1024
# Shorter than servers keep idle connections: a submit on one that is just being closed has an unknown outcome.
_IDLE_SECONDS = 3.0
_USER_AGENT = "mkdocs-gptimage"
_ENVIRONMENT = "a proxy or the certificates that the environment names cannot be used, nothing was submitted"
_LOOK_AT = "look at HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR"
_LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpcore.socks")


@dataclass(frozen=True)
class Request:
    """One request to the service: a POST with JSON if it has content."""

    url: str
    timeout: httpx.Timeout
    """For each step of it."""
    seconds: float
    """For the answer as a whole, once the request is sent."""
    content: Upload | None = None
    headers: dict[str, str] = field(default_factory=dict)


class _Bearer(httpx.Auth):
    """Signs requests to the API: only with the key, whatever the environment or an address holds."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = self._secret.bearer
        yield request


class Transport:
    """The connections to one service, for the time of one run; an async context manager.

    Raises `ConfigurationError` when the proxies or certificates that the environment names cannot be used.
    """

    def __init__(self, base_url: str, max_requests: int, secret: Secret, *, is_offline: bool = False) -> None:
        """Open no connection yet; `is_offline` if the service and its pictures are on this machine only."""
        self._base = base_url
        self._secret = secret
        if not is_offline:
            require_readable_exceptions()
        try:
            # Shared: loading the certificates takes longer than all the rest.
            context = httpx.create_ssl_context(trust_env=not is_offline)
            # One more connection than submits, so that a poll never waits for a slow submit.
            shards = -(-(max_requests + 1) // POOL_SIZE)
            is_direct = is_called_directly(base_url)
            self._clients = [_build(context, POOL_SIZE, _Bearer(secret), is_direct) for _ in range(shards)]
            # `httpx.Auth()` signs nothing: neither with what .netrc nor with what a link holds.
            self._downloads, self._direct_downloads = (
                _build(context, min(max_requests, MAX_DOWNLOADS), httpx.Auth(), is_direct)
                for is_direct in (is_offline, True)
            )
        except (ImportError, OSError, MemoryError) as error:  # `ssl.SSLError` is one of the second
            raise_if_lacking(error, "the certificates cannot be read, nothing was submitted")
            raise ConfigurationError(f"{_ENVIRONMENT} ({secret.describe(error)}); {_LOOK_AT}") from None
        except (ValueError, httpx.InvalidURL):  # whose text may hold the password of a proxy
            raise ConfigurationError(f"{_ENVIRONMENT}; {_LOOK_AT}") from None
        self._turn = itertools.cycle(self._clients)
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        log_filter = LogFilter(self._secret)
        for logger in map(logging.getLogger, _LOGGERS):
            logger.addFilter(log_filter)
            self._stack.callback(logger.removeFilter, log_filter)
        for client in (*self._clients, self._downloads, self._direct_downloads):
            await self._stack.enter_async_context(client)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def downloading(self, url: str) -> httpx.AsyncClient:
        """Return the client that downloads a URL; it holds no key."""
        return self._direct_downloads if is_called_directly(url) else self._downloads

    async def send(self, request: Request) -> body.Body:
        """Send a request once; return its answer, or raise the `GatewayError` that the failure proves."""
        headers = dict(request.headers)
        if request.content is not None:
            headers |= {"Content-Type": "application/json", "Content-Length": str(request.content.size)}
        client = next(self._turn)
        failure: GatewayError
        departed = anyio.Event()
        try:
            sent = client.build_request(
                "GET" if request.content is None else "POST",
                request.url,
                content=request.content,
                headers=headers,
                timeout=request.timeout,
            )
            with anyio.fail_after(None) as scope:
                bounds = _Bounds(scope, request.timeout.write or request.seconds, request.seconds, departed)
                sent.extensions["trace"] = bounds.trace
                return await self._exchange(client, sent)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            failure = self._lacking(error, departed) or self._what_it_proves(error)
        except (MemoryError, OSError, RuntimeError) as error:
            lacking = self._lacking(error, departed)
            if lacking is None:
                raise
            failure = lacking
        # Not inside of the handler: the errors of httpx hold the request, and the request the key.
        raise failure

    async def _exchange(self, client: httpx.AsyncClient, request: httpx.Request) -> body.Body:
        async with contextlib.aclosing(await client.send(request, stream=True)) as response:
            if 200 <= response.status_code < 300:
                answer = body.Body(response.status_code, _MAX_ANSWER)
                try:
                    await answer.receive(response)
                except (httpx.RemoteProtocolError, httpx.ReadError, httpx.DecodingError) as error:
                    if lack_of(error):
                        raise
                    # It may be whole all the same: a length and a checksum are labels as well.
                    answer.broke_off = self._what_it_proves(error)
                return answer
            said = await body.beginning(response, _MAX_ERROR_ANSWER)
            failure = self.without_key(refusals.failure(response.status_code, said, response.headers))
            del said
            raise failure

    def without_key(self, error: GatewayError) -> GatewayError:
        """Take the key out of an error and its causes: some services repeat it."""
        error.args = (self._secret.hide(str(error)),)
        error.answer = self._secret.hide(error.answer)
        error.__context__ = None
        return error.with_traceback(None)

    def _lacking(self, error: Exception, departed: anyio.Event) -> GatewayError | None:
        """The error for a request that failed because this process lacks memory, files or threads; None for others."""
        lack = lack_of(error)
        if not lack:
            return None
        if departed.is_set():
            return UnkeptAnswerError(self._say("answered, or not: this was not seen", lack))
        return ExhaustedError(self._say("cannot be reached", lack))

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
        return self._say(what, self._secret.describe(error))

    def _say(self, what: str, said: str) -> str:
        # Without a user and password that the address may hold.
        host = urlsplit(self._base).netloc.rpartition("@")[2]
        return f"{host} {what}" + (f" ({said})" if said else "")


def _build(context: ssl.SSLContext, connections: int, auth: httpx.Auth, is_direct: bool) -> httpx.AsyncClient:
    """Return a client; one that is `is_direct` uses no proxy of the environment."""
    return httpx.AsyncClient(
        trust_env=not is_direct,
        headers={"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"},
        auth=auth,
        verify=context,
        limits=httpx.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_IDLE_SECONDS
        ),
        follow_redirects=False,
        event_hooks={"response": [put_location_aside]},
    )


@dataclass(frozen=True)
class _Bounds:
    """Bounds a request from when it begins to leave, so that waiting for a connection proves nothing; seconds."""

    scope: anyio.CancelScope
    sending: float
    answering: float
    departed: anyio.Event
    """Set when the request begins to leave: until then, nothing can have been accepted."""

    async def trace(self, event: str, _: Any) -> None:
        """Take what httpcore is about to do; https://www.encode.io/httpcore/extensions/#trace."""
        if event.endswith("send_request_headers.started"):
            self.departed.set()
            self.scope.deadline = anyio.current_time() + self.sending
        elif event.endswith("receive_response_headers.started"):
            self.scope.deadline = anyio.current_time() + self.answering
