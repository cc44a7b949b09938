"""Downloads images to files: checks links and redirects, sends no key, uses bounded memory."""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urljoin, urlsplit

import anyio
import httpx

from mkdocs_gptimage.errors import GatewayError, LinkError, PictureError
from mkdocs_gptimage.imagefile.verify import MAX_BYTES
from mkdocs_gptimage.resources import lack_of
from mkdocs_gptimage.service import body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mkdocs_gptimage.service.redact import Secret


MAX_PICTURE_BYTES = MAX_BYTES
MAX_REDIRECTS = 3
_READ_SECONDS = 60.0
_LOCATION = "gptimage.location"
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LONGEST_SCHEME = 10
_PASSING = frozenset({408, 425, 429})
"""Answers to a download that the next try may not get."""


@dataclass(frozen=True)
class Downloaded:
    """A finished download."""

    sha256: str
    bytes: int


async def put_location_aside(response: httpx.Response) -> None:
    """Keep where an answer redirects to from httpx, which parses it even when it is not to follow, and fails."""
    response.extensions[_LOCATION] = response.headers.pop("location", None)


class Downloader:
    """Downloads with clients that hold no key; the secret is kept out of links and errors."""

    def __init__(self, client_of: Callable[[str], httpx.AsyncClient], secret: Secret, base_url: str) -> None:
        self._client_of = client_of
        self._secret = secret
        self._base_url = base_url
        self._private_hosts: dict[str, bool] = {}

    async def download(self, link: str, part: Path) -> Downloaded:
        """Stream a picture into the file `part`; raise `LinkError`, `PictureError` or `GatewayError`."""
        url = link
        for _ in range(MAX_REDIRECTS + 1):
            self._check_link(url)
            await self._check_host(url)
            failure: GatewayError
            try:
                async with self._client_of(url).stream("GET", url, timeout=_READ_SECONDS) as response:
                    target = response.extensions[_LOCATION]
                    if not (response.is_redirect and target):
                        return await _save(response, part)
                    url = urljoin(url, target)
                    continue
            except (httpx.HTTPError, httpx.InvalidURL, ValueError, MemoryError, RuntimeError) as error:
                lack = lack_of(error)
                if isinstance(error, RuntimeError) and not lack:
                    raise
                said = lack or self._secret.describe(error) or type(error).__name__
                failure = GatewayError(f"the download from {self._secret.hide(_host(url))} broke off ({said})")
            raise failure
        raise LinkError(f"the image link is redirected more than {MAX_REDIRECTS} times")

    def _check_link(self, url: str) -> None:
        scheme = url.partition(":")[0].lower()
        if self._secret.is_in(url):
            raise LinkError("the image link holds the API key; it is not followed")
        if scheme != "https" and not (scheme == "http" and self._base_url.startswith("http:")):
            shown = scheme if len(scheme) <= _LONGEST_SCHEME and scheme.isascii() and scheme.isalpha() else "?"
            raise LinkError(f"the image link is not https but '{shown}:'; it is not followed")
        if not _host(url):
            raise LinkError("the image link names no host")
        if "@" in urlsplit(url).netloc:
            raise LinkError("the image link holds a user name or password; it is not followed")

    async def _check_host(self, url: str) -> None:
        """Refuse a link into this machine or its network, unless the service itself is there."""
        host = _host(url)
        if await self._is_private(host) and not await self._is_private(_host(self._base_url)):
            raise LinkError(
                f"the image link leads to a private address, {self._secret.hide(host)}; it is not followed, as the "
                "service has a public one"
            )

    async def _is_private(self, host: str) -> bool:
        if host not in self._private_hosts:
            self._private_hosts[host] = any(map(_is_private, await _addresses(host)))
        return self._private_hosts[host]


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
        try:
            async with contextlib.aclosing(body.inflated(response, MAX_PICTURE_BYTES)) as pieces:
                async for piece in pieces:
                    hasher.update(piece)
                    file.write(piece)
                    size += len(piece)
        except body.TooLongError:
            raise PictureError(f"the picture is larger than {MAX_PICTURE_BYTES // 1024 // 1024} MiB") from None
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


def _host(url: str) -> str:
    """The host of a URL; empty for one without, or with a port that is none."""
    try:
        parts = urlsplit(url)
        has_port = parts.port != 0
    except ValueError:
        return ""
    return (parts.hostname or "") if has_port else ""
