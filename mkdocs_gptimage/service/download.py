"""Downloads images to files: checks links and redirects, uses bounded memory.

The key goes to the API's own origin alone, and only once it has refused a download without it.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urljoin, urlsplit

import anyio
import httpx

from mkdocs_gptimage.errors import GatewayError, ImageLimitError, LinkError
from mkdocs_gptimage.imagefile.verify import MAX_BYTES
from mkdocs_gptimage.resources import lack_of
from mkdocs_gptimage.service.inflate import TooLongError, inflated

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from mkdocs_gptimage.service.redact import Secret


MAX_PICTURE_BYTES = MAX_BYTES
MAX_REDIRECTS = 3
_READ_SECONDS = 60.0
LOCATION = "gptimage.location"
"""The extension of a response that holds where it redirects to."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LONGEST_SCHEME = 10
_FOUND = frozenset({200, 201, 203, 206})
"""Answers whose body may be the picture: it tells itself whether it is whole."""
_DENIED = frozenset({401, 403})
_LEADS_NOWHERE = "has expired or leads nowhere yet"
_NOT_THERE = {401: "does not work", 403: _LEADS_NOWHERE, 404: _LEADS_NOWHERE, 410: "has expired"}
"""Answers that speak of the link, and not of the state of its host."""


@dataclass(frozen=True)
class Downloaded:
    """A finished download."""

    sha256: str
    bytes: int
    problem: str = ""
    """Why no more bytes came; they may be a whole picture all the same: a length is a label as well."""


async def put_location_aside(response: httpx.Response) -> None:
    """Keep where an answer redirects to from httpx, which parses it even when it is not to follow, and fails."""
    response.extensions[LOCATION] = response.headers.pop("location", None)


class _DeniedError(LinkError):
    """The host of a picture does not give it to everybody."""


class Downloader:
    """Downloads with clients that hold no key; the secret is kept out of links and errors."""

    def __init__(self, client_of: Callable[[str], httpx.AsyncClient], secret: Secret, base_url: str) -> None:
        self._client_of = client_of
        self._secret = secret
        self._base_url = base_url
        self._private_hosts: dict[str, bool] = {}

    async def download(self, link: str, part: Path) -> Downloaded:
        """Stream a picture into the file `part`; raise `LinkError`, `PictureError` or `GatewayError`."""
        url, is_own = link, True
        for _ in range(MAX_REDIRECTS + 1):
            self._check_link(url)
            await self._check_host(url)
            # Once a redirect has led elsewhere, none leads back to where the key is sent.
            is_own = is_own and _origin(url) == _origin(self._base_url)
            found = await self._get(url, part, is_own=is_own)
            if isinstance(found, Downloaded):
                return found
            url = found
        raise LinkError(f"the image link is redirected more than {MAX_REDIRECTS} times")

    async def _get(self, url: str, part: Path, *, is_own: bool) -> Downloaded | str:
        """Download, or return where the link redirects to; the API itself is asked once more with the key."""
        if is_own:
            with contextlib.suppress(_DeniedError):
                return await self._ask(url, part, {})
            return await self._ask(url, part, {"Authorization": self._secret.bearer})
        return await self._ask(url, part, {})

    async def _ask(self, url: str, part: Path, headers: dict[str, str]) -> Downloaded | str:
        failure: GatewayError
        try:
            check = {"trace": _ConnectionCheck(url, self._require_public).trace}
            async with self._client_of(url).stream(
                "GET", url, headers=headers, timeout=_READ_SECONDS, extensions=check
            ) as response:
                target: str | None = response.extensions[LOCATION]
                if not (response.is_redirect and target):
                    return await _save(response, part, lambda error: self._broke_off(url, error))
                return urljoin(url, target)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not lack_of(error):
                raise
            failure = GatewayError(self._broke_off(url, error))
        # Not inside of the handler: the errors of httpx hold the request, which may hold the key.
        raise failure

    def _broke_off(self, url: str, error: Exception) -> str:
        said = lack_of(error) or self._secret.describe(error) or type(error).__name__
        return f"the download from {self._secret.hide(_host(url))} broke off ({said})"

    def _check_link(self, url: str) -> None:
        scheme = url.partition(":")[0].lower()
        if self._secret.is_in(url):
            raise LinkError("the image link holds the API key; it is not followed")
        if scheme != "https" and not (scheme == "http" and self._base_url.startswith("http:")):
            shown = scheme if len(scheme) <= _LONGEST_SCHEME and scheme.isascii() and scheme.isalnum() else "?"
            raise LinkError(f"the image link is not https but '{shown}:'; it is not followed")
        if not _host(url):
            raise LinkError("the image link names no host")
        if "@" in urlsplit(url).netloc:
            raise LinkError("the image link holds a user name or password; it is not followed")

    async def _check_host(self, url: str) -> None:
        """Refuse a link into this machine or its network, unless the service itself is there."""
        host = _host(url)
        if await self._is_private(host) and not await self._is_private(_host(self._base_url)):
            raise self._leads_inside(host)

    async def _require_public(self, host: str, address: str) -> None:
        """Refuse a connection as above: a name may have another address now than when it was checked."""
        if _is_private(address) and not await self._is_private(_host(self._base_url)):
            raise self._leads_inside(host)

    def _leads_inside(self, host: str) -> LinkError:
        return LinkError(
            f"the image link leads to a private address, {self._secret.hide(host)}; it is not followed, as the service "
            "has a public one"
        )

    async def _is_private(self, host: str) -> bool:
        if host not in self._private_hosts:
            self._private_hosts[host] = any(map(_is_private, await _addresses(host)))
        return self._private_hosts[host]


class _ConnectionCheck:
    """Looks at the address that a download has connected to, before anything is sent; a proxy is not looked at."""

    def __init__(self, url: str, require: Callable[[str, str], Awaitable[None]]) -> None:
        self._host = httpx.URL(url).raw_host.decode()
        self._require = require
        self._connecting_to = ""

    async def trace(self, event: str, info: Any) -> None:
        """Take what httpcore has done; https://www.encode.io/httpcore/extensions/#trace."""
        if event == "connection.connect_tcp.started":
            self._connecting_to = info["host"]
        elif event == "connection.connect_tcp.complete" and self._connecting_to == self._host:
            stream = info["return_value"]
            try:
                await self._require(self._host, str(stream.get_extra_info("server_addr")[0]))
            except LinkError:
                await stream.aclose()
                raise


async def _addresses(host: str) -> list[str]:
    """The addresses of a host; none if it cannot be resolved here, as behind a proxy."""
    try:
        found = await anyio.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(address[0]) for *_, address in found]


def _is_private(address: str) -> bool:
    """Whether an address is of this machine or a private network, or leads to such through IPv6."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        embedded = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo or [None, None])[1] or _nat64(parsed)
        if embedded is not None:
            return _is_private(str(embedded))
    return not parsed.is_global or parsed.is_multicast


def _nat64(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    return ipaddress.IPv4Address(address.packed[-4:]) if address in _NAT64 else None


async def _save(response: httpx.Response, part: Path, explain: Callable[[Exception], str]) -> Downloaded:
    """Write the body of an answer to a file, hashing as it comes; `explain` words the end of a connection."""
    status = response.status_code
    if status in _NOT_THERE:
        kind = _DeniedError if status in _DENIED else LinkError
        raise kind(f"the image link {_NOT_THERE[status]} (HTTP {status})", expired=True)
    if status not in _FOUND:
        raise GatewayError(f"the image link does not work (HTTP {status})", status=status)
    hasher, size, problem = hashlib.sha256(), 0, ""
    with _whole_or_nothing(part) as file:
        try:
            async with contextlib.aclosing(inflated(response, MAX_PICTURE_BYTES)) as pieces:
                async for piece in pieces:
                    hasher.update(piece)
                    file.write(piece)
                    size += len(piece)
        except TooLongError:
            raise ImageLimitError(f"the picture is larger than {MAX_PICTURE_BYTES // 1024 // 1024} MiB") from None
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.DecodingError) as error:
            if not size or lack_of(error):
                raise
            problem = explain(error)
    return Downloaded(hasher.hexdigest(), size, problem)


@contextlib.contextmanager
def _whole_or_nothing(part: Path) -> Iterator[BinaryIO]:
    """Open a file to write; leave none when writing fails."""
    try:
        with part.open("wb") as file:
            yield file
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _origin(url: str) -> tuple[bytes, bytes, int | None] | None:
    """The scheme, host and port that a URL is sent to; None for one that is none."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        return None
    return parsed.raw_scheme, parsed.raw_host, parsed.port


def _host(url: str) -> str:
    """The host of a URL; empty for one without, or with a port that is none."""
    try:
        parts = urlsplit(url)
        has_port = parts.port != 0
    except ValueError:
        return ""
    return (parts.hostname or "") if has_port else ""
