"""Bodies of HTTP responses: inflated within bounds, spooled to disk when large, and parsed one large body at a time.

A picture in base64 inside JSON takes up to 56 MB, and `max_requests` of them may arrive together.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import dataclasses
import json
import string
import weakref
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread
import httpx

from mkdocs_gptimage.errors import (
    GatewayError,
    PictureError,
    ResourceError,
    UnkeptAnswerError,
    UnknownOutcomeError,
)
from mkdocs_gptimage.imagefile.sniff import sniff
from mkdocs_gptimage.resources import lack_of, naming_lack
from mkdocs_gptimage.service.download import LOCATION
from mkdocs_gptimage.service.inflate import TooLongError, inflated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mkdocs_gptimage.service.pictures import Image

T = TypeVar("T")

MAX_JSON = 4 * 1024 * 1024
"""Bytes of a body beside its picture: a hundred tasks of 40 KB."""

_IN_MEMORY = 64 * 1024
"""Bytes of a body, or of a picture's base64, that are kept in memory; longer ones go to a temporary file."""
_MOST_VALUES = 1_400_000
"""Counted by their commas and colons; parsed, a value takes up to a hundred bytes, however short it was."""
_PAUSES = (0.5, 2.0, 5.0)
"""Seconds after which an answer is read again that could not be for a lack of memory."""
_HEAD = 16
"""Bytes that tell whether an answer is a picture itself."""
_STEP = 256 * 1024  # a multiple of four: base64 is decoded in steps
_URLSAFE = bytes.maketrans(b"-_", b"+/")
_NOT_BASE64 = bytes(set(range(256)) - set(f"{string.ascii_letters}{string.digits}+/-_".encode()))
_NON_ASCII = bytes(range(128, 256))
_CHARSETS = frozenset({"big5", "euc-jp", "euc-kr", "gb18030", "gb2312", "gbk", "iso-8859-1", "shift_jis"})
"""Of answers that are not in Unicode."""


class Body:
    """The body of one response, in memory or in a temporary file."""

    def __init__(self, status: int, limit: int) -> None:
        self._status = status
        self._limit = limit
        self._size = 0
        self._charset: str | None = None
        self._location = ""
        self.broke_off: GatewayError | None = None
        """Why there was no more of it, which counts when what is there cannot be read."""
        self._file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed below
        weakref.finalize(self, self._file.close)

    async def receive(self, response: httpx.Response) -> None:
        """Take in a whole response; raise `UnknownOutcomeError`, or as httpx does."""
        self._charset = response.charset_encoding
        self._location = response.extensions.get(LOCATION) or response.headers.get("operation-location") or ""
        try:
            async with contextlib.aclosing(inflated(response, self._limit)) as pieces:
                async for piece in pieces:
                    self._size += len(piece)
                    self._file.write(piece)
        except TooLongError:
            most = f"{self._limit // 1024 // 1024} MiB"
            raise UnknownOutcomeError(f"the answer is longer than {most}", status=self._status) from None
        except OSError as error:
            raise _not_kept(error) from None

    async def parse(self, read: Callable[[bytes], T], limiter: anyio.CapacityLimiter) -> T:
        """Return what `read` makes of the body, and drop the body; raise `UnknownOutcomeError`, or as `read` does.

        A large body is read in a thread, as many at a time as the limiter allows. It may say what is paid for, so it
        is read several times before it is given up for a lack of memory.
        """
        for pause in _PAUSES:
            try:
                return await self._parse_apart(read, limiter)
            except ResourceError:
                await anyio.sleep(pause)
        try:
            return await self._parse_apart(read, limiter)
        except ResourceError as error:
            raise UnkeptAnswerError(str(error), status=self._status) from None

    async def _parse_apart(self, read: Callable[[bytes], T], limiter: anyio.CapacityLimiter) -> T:
        if self._size <= _IN_MEMORY:
            return self._parse(read)
        try:
            return await anyio.to_thread.run_sync(self._parse, read, limiter=limiter)
        except RuntimeError as error:
            if not lack_of(error):
                raise
            return self._parse(read)  # there are no more threads: the others wait

    def _parse(self, read: Callable[[bytes], T]) -> T:
        try:
            with naming_lack("the answer cannot be read"):
                found = read(self._content())
        except OSError as error:
            raise _not_kept(error) from None
        except GatewayError as error:
            failure = (isinstance(error, UnknownOutcomeError) and self.broke_off) or error
        else:
            self._file.close()
            return found
        # Its frames hold the answer, parsed, which takes far more memory than the body.
        raise failure.with_traceback(None) from None

    def _content(self) -> bytes:
        """The body as JSON in Unicode, if it can be: a picture is put in, and so is the address of a task alone."""
        self._file.seek(0)
        content = self._file.read()
        if self._location and not content.strip():
            return json.dumps({"location": self._location}).encode()
        if sniff(content[:_HEAD]):
            return b'{"b64_json": "%s"}' % base64.b64encode(content)
        if content.count(b",") + content.count(b":") > _MOST_VALUES:
            raise UnknownOutcomeError(f"the answer holds more than {_MOST_VALUES:,} values", status=self._status)
        # It holds a picture. One emoji beside it, and Python would keep its text with four bytes per character.
        return content.translate(None, _NON_ASCII) if len(content) > MAX_JSON else _unicode(content, self._charset)


def _unicode(content: bytes, charset: str | None) -> bytes:
    """Return a text in Unicode as it is, and another one in UTF-8: by its label, else with its words replaced."""
    with contextlib.suppress(UnicodeDecodeError):
        content.decode(json.detect_encoding(content), "surrogatepass")
        return content
    label = (charset or "").lower()
    return content.decode(label if label in _CHARSETS else "utf-8", "replace").encode()


def _not_kept(error: OSError) -> UnkeptAnswerError:
    what = lack_of(error) or error.strerror or error
    return UnkeptAnswerError(f"the answer cannot be kept in the folder for temporary files ({what})")


async def beginning(response: httpx.Response, limit: int) -> bytes:
    """Return the first bytes of a body, about `limit` at most."""
    body = bytearray()
    with contextlib.suppress(TooLongError, httpx.DecodingError):
        async with contextlib.aclosing(inflated(response, limit)) as pieces:
            async for piece in pieces:
                body += piece
    return _unicode(bytes(body), response.charset_encoding)


def spooled(image: Image) -> Image:
    """Move a picture's base64 from memory to a file, without the head of a data URI, line breaks and padding."""
    text = image.base64
    if text is None:
        return image
    file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed below
    kept = dataclasses.replace(image, base64=None, spooled=file)
    weakref.finalize(kept, file.close)
    start = text.find(",") + 1 if text.startswith("data:") else 0
    for position in range(start, len(text), _STEP):
        piece = text[position : position + _STEP].encode("ascii", "replace")
        file.write(piece.translate(_URLSAFE, _NOT_BASE64))
    return kept


def decoded(image: Image) -> Iterator[bytes]:
    """Yield the bytes of a picture whose base64 was spooled; raise `PictureError` when it is not valid."""
    assert image.spooled is not None
    image.spooled.seek(0)
    while piece := image.spooled.read(_STEP):
        try:
            yield base64.b64decode(piece + b"=" * (-len(piece) % 4))
        except binascii.Error:
            raise PictureError("the answer holds a picture that is not valid base64") from None
