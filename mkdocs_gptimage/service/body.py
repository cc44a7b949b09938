"""The body of an answer, read in bounded steps: in little memory, whatever its length and compression.

A picture inside an answer, as base64, takes 44 MB, and many answers arrive at a time. So texts that are long are kept
in a temporary file without a name, and only their beginnings stay in the JSON.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import re
import tempfile
import weakref
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

import httpx

from mkdocs_gptimage.errors import PictureError, UnknownOutcomeError
from mkdocs_gptimage.service import protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator


MAX_JSON = 4 * 1024 * 1024
"""Bytes of an answer without its long texts: a hundred tasks of 40 KB. Parsed, it takes up to thirty times as much."""
LONG_TEXT = 64 * 1024
"""Bytes of a text that is moved to a file; error messages and links are far shorter."""
_HEAD = 9000  # of a long text that stays in the JSON: more than the longest link, so that it is not taken for one
_LONGEST_ESCAPE = 6
_STEP = 256 * 1024
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_TEXT = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
_URLSAFE = bytes.maketrans(b"-_", b"+/")
_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"))


class TooLongError(Exception):
    """A body has more bytes than allowed, as sent or inflated."""


async def inflated(response: httpx.Response, limit: int) -> AsyncGenerator[bytes, None]:
    """The body in small pieces, at most `limit` bytes; raise `TooLongError`, or `httpx.DecodingError`.

    Compression is never asked for, but some hosts store their files that way.
    """
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise httpx.DecodingError("it is compressed, which was not asked for")
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB) if encoding not in ("", "identity") else None
    sent = size = 0
    async for chunk in response.aiter_raw():
        sent += len(chunk)
        if sent > limit:
            raise TooLongError
        for piece in _pieces(inflater, chunk) if inflater else (chunk,):
            size += len(piece)
            if size > limit:
                raise TooLongError
            yield piece
    if inflater and not inflater.eof:
        raise httpx.DecodingError("its compressed data break off")


def _pieces(inflater: zlib._Decompress, chunk: bytes) -> Iterator[bytes]:
    if inflater.eof:
        return
    try:
        yield inflater.decompress(chunk, _STEP)
        while inflater.unconsumed_tail and not inflater.eof:
            yield inflater.decompress(inflater.unconsumed_tail, _STEP)
    except zlib.error:
        raise httpx.DecodingError("its compressed data are damaged") from None


def _end_of_text(chunk: bytes, position: int) -> int:
    """Where a JSON text ends: at its quote, at half of an escape, or not in this chunk."""
    quote = chunk.find(b'"', position)
    end = len(chunk) if quote < 0 else quote
    if chunk.find(b"\\", position, end) < 0:
        return end
    match = _TEXT.match(chunk, position)
    assert match is not None
    return match.end()


class LongTexts:
    """The long texts of one answer, in a file that is gone as soon as nobody needs it."""

    def __init__(self) -> None:
        self._file = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - closed when nobody needs it
        weakref.finalize(self, self._file.close)
        self.places: dict[str, tuple[int, int]] = {}
        """What stands in the JSON for a text → where that text begins and ends in the file."""

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, start: int, end: int) -> Iterator[str]:
        """The text between two places, its JSON escapes resolved; raise `PictureError` for one that is no JSON."""
        self._file.seek(start)
        left = b""
        while start < end:
            piece = self._file.read(min(_STEP, end - start))
            start += len(piece)
            whole, left = _whole_escapes(left + piece) if start < end else (left + piece, b"")
            try:
                yield json.loads(b'"%b"' % whole)
            except ValueError:
                raise PictureError("the answer holds a picture that is not valid JSON") from None


def _whole_escapes(text: bytes) -> tuple[bytes, bytes]:
    """Cut a part of a JSON text where no escape and no character is cut in two."""
    cut = text.rfind(b"\\", max(0, len(text) - _LONGEST_ESCAPE))
    backslashes = cut + 1 - len(text[: cut + 1].rstrip(b"\\"))
    whole = text[:cut] if backslashes % 2 else text
    while whole and whole[-1] >= 0x80:
        whole = whole[:-1]
    return whole, text[len(whole) :]


@dataclass(frozen=True)
class KeptImage(protocol.Image):
    """A picture in base64 that is kept in a file."""

    texts: LongTexts | None = None

    def chunks(self) -> Iterator[str]:
        assert self.texts is not None
        assert self.base64 is not None
        return self.texts.read(*self.texts.places[self.base64])


class Answer:
    """An answer that is being read."""

    def __init__(self) -> None:
        self.json = bytearray()
        """Its JSON, with the beginnings of long texts only."""
        self._texts: LongTexts | None = None
        self._text_from: int | None = None
        """Where in `json` the text that is being read begins; None between texts."""
        self._kept_from: int | None = None
        """Where in the file it begins, if it is long."""
        self._carried = b""

    def feed(self, chunk: bytes) -> None:
        """Read on; raise `UnknownOutcomeError` when it is too long, `OSError` when the file cannot be written."""
        chunk, self._carried, position = self._carried + chunk, b"", 0
        while position < len(chunk):
            if self._text_from is None:
                position = self._between_texts(chunk, position)
            else:
                position = self._inside_text(chunk, position)
        if len(self.json) > MAX_JSON:
            raise TooLongError

    def _between_texts(self, chunk: bytes, position: int) -> int:
        quote = chunk.find(b'"', position)
        end = len(chunk) if quote < 0 else quote + 1
        self.json += chunk[position:end]
        self._text_from = len(self.json) if quote >= 0 else None
        return end

    def _inside_text(self, chunk: bytes, position: int) -> int:
        end = _end_of_text(chunk, position)
        self._keep(chunk[position:end])
        if end < len(chunk) and chunk[end : end + 1] == b"\\":
            self._carried = chunk[end:]  # the first half of an escape
            return len(chunk)
        if end < len(chunk):
            self._end_text()
            return end + 1
        return end

    def _keep(self, piece: bytes) -> None:
        if self._kept_from is not None and self._texts is not None:
            self._texts.write(piece)
            return
        self.json += piece
        assert self._text_from is not None
        if len(self.json) - self._text_from > LONG_TEXT:
            self._texts = self._texts or LongTexts()
            self._kept_from = self._texts.tell()
            self._texts.write(bytes(self.json[self._text_from :]))
            del self.json[self._text_from + _HEAD :]

    def _end_text(self) -> None:
        if self._kept_from is not None and self._texts is not None:
            head, _ = _whole_escapes(bytes(self.json[self._text_from :]))
            place = (self._kept_from, self._texts.tell())
            head += b"#%d" % place[0]  # two pictures may begin alike
            self.json[self._text_from :] = head
            self._name(head, place)
        self.json += b'"'
        self._text_from = self._kept_from = None

    def _name(self, head: bytes, place: tuple[int, int]) -> None:
        assert self._texts is not None
        try:
            self._texts.places[json.loads(b'"%b"' % head)] = place
        except ValueError:
            return  # nor will the whole be read

    def kept(self, image: protocol.Image) -> protocol.Image:
        """The picture itself, for one of this answer of which only the beginning stayed in the JSON."""
        if image.base64 is None or self._texts is None or image.base64 not in self._texts.places:
            return image
        return KeptImage(base64=image.base64, texts=self._texts)


async def read(response: httpx.Response, limit: int) -> Answer:
    """Read a whole answer of at most `limit` bytes; raise `UnknownOutcomeError`, or as httpx does."""
    answer = Answer()
    try:
        async with contextlib.aclosing(inflated(response, limit)) as pieces:
            async for piece in pieces:
                answer.feed(piece)
    except TooLongError:
        most = f"{limit // 1024 // 1024} MiB, or {MAX_JSON // 1024 // 1024} MiB beside its picture"
        raise UnknownOutcomeError(f"the answer is longer than {most}", status=response.status_code) from None
    except OSError as error:
        what = error.strerror or error
        raise UnknownOutcomeError(f"the answer cannot be kept in the folder for temporary files ({what})") from None
    return answer


async def beginning(response: httpx.Response, limit: int) -> bytes:
    """Read the first bytes of an answer."""
    body = bytearray()
    with contextlib.suppress(TooLongError, httpx.DecodingError):
        async with contextlib.aclosing(inflated(response, limit)) as pieces:
            async for piece in pieces:
                body += piece
    return bytes(body)


def decoded(image: protocol.Image) -> Iterator[bytes]:
    """The bytes of a picture in base64, in pieces; raise `PictureError`.

    Line breaks and the like are passed over, as is the beginning of a data URI.
    """
    left, is_first = b"", True
    for text in image.chunks() if isinstance(image, KeptImage) else (image.base64 or "",):
        payload = text.partition(",")[2] if is_first and text.startswith("data:") else text
        is_first = False
        data = left + payload.encode("ascii", "replace").translate(_URLSAFE, _NOT_BASE64)
        whole = len(data) // 4 * 4
        left = data[whole:]
        yield base64.b64decode(data[:whole])
    try:
        yield base64.b64decode(left + b"=" * (-len(left) % 4))
    except binascii.Error:
        raise PictureError("the answer holds a picture that is not valid base64") from None
