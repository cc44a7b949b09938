"""Compression of response bodies: undone where it is found, within bounds; labels are wrong too often to be believed.

Hosts of pictures store whatever label a file was uploaded with (`utf-8`, `aws-chunked`, `none`), compress without
saying so, or say so without compressing. What is expected here, JSON or a picture, never begins like compressed data.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

_GZIP = b"\x1f\x8b"
_ZLIB = (b"\x78\x9c", b"\x78\xda")  # others of its headers are text as well, such as `x^`
_GZIP_OR_ZLIB, _RAW = 32 + zlib.MAX_WBITS, -zlib.MAX_WBITS
_DEEPEST = 3
"""Compressions of one body, one inside the other, that are undone."""
_HEAD = 2
"""Bytes that tell whether a body is compressed."""
_STEP = 256 * 1024
"""Bytes to inflate at a time; deflate expands at most about a thousandfold."""
_TRIAL = 1024
_ELSEWHERE = frozenset({"br", "zstd", "compress", "x-compress"})
"""Compressions that cannot be undone here."""
_EXPECTED = (b"\x89P", b"\xff\xd8", b"RI", b"\xef\xbb", b"{", b"[")
"""How pictures and JSON begin, the latter with a byte order mark or without."""


class TooLongError(Exception):
    """A body has more bytes than allowed, as sent or inflated."""


async def inflated(response: httpx.Response, limit: int) -> AsyncGenerator[bytes, None]:
    """Yield the body in small pieces, at most `limit` bytes; raise `TooLongError`, or `httpx.DecodingError`."""
    labels = response.headers.get("content-encoding", "").lower().replace(",", " ").split()
    layer = _Layer(frozenset(labels), limit)
    async for chunk in response.aiter_raw():
        for piece in layer.feed(chunk):
            yield piece
    for piece in layer.end():
        yield piece


class _Layer:
    """A body, or what a compressed one holds: its first bytes tell whether it is compressed itself."""

    def __init__(self, labels: frozenset[str], limit: int, depth: int = 1) -> None:
        self._labels = labels
        self._limit = self._room = limit
        self._depth = depth
        self._head = b""
        self._is_begun = False
        self._inflater: zlib._Decompress | None = None
        self._inner: _Layer | None = None

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Take the next bytes; yield those of the content that they complete."""
        self._room -= len(chunk)
        if self._room < 0:
            raise TooLongError
        if not self._is_begun:
            chunk = self._head = self._head + chunk
            if len(chunk) >= _HEAD:
                self._begin(chunk)
        if self._is_begun:
            self._head = b""
            yield from self._content(chunk)

    def end(self) -> Iterator[bytes]:
        """Yield what is left when no more bytes come."""
        if self._head:
            yield self._head
        if self._inflater is not None and self._inner is not None:
            yield from self._inner.feed(self._inflater.flush())
            if not self._inflater.eof:
                raise httpx.DecodingError("its compressed data break off")
            yield from self._inner.end()

    def _begin(self, head: bytes) -> None:
        """Find out from the first bytes whether they are compressed."""
        self._is_begun = True
        bits = self._compression(head) if self._depth <= _DEEPEST else None
        if bits is not None and _begins_to_inflate(head, bits):
            self._inflater = zlib.decompressobj(bits)
            self._inner = _Layer(self._labels - {"deflate"}, self._limit, self._depth + 1)
        elif not _is_plain(head) and (others := sorted(self._labels & _ELSEWHERE)):
            raise httpx.DecodingError(f"it is compressed as '{others[0]}', which was not asked for")

    def _compression(self, head: bytes) -> int | None:
        """The window bits for zlib, as its documentation calls them; None for a body that is not compressed."""
        is_labelled = "deflate" in self._labels
        has_zlib_header = head[0] & 0x0F == zlib.DEFLATED and int.from_bytes(head[:2], "big") % 31 == 0
        if head.startswith(_GZIP) or (has_zlib_header and (is_labelled or head.startswith(_ZLIB))):
            return _GZIP_OR_ZLIB
        return _RAW if is_labelled and not head.startswith(_EXPECTED) else None

    def _content(self, chunk: bytes) -> Iterator[bytes]:
        if self._inner is None:
            yield chunk
            return
        for piece in self._inflate(chunk):
            yield from self._inner.feed(piece)

    def _inflate(self, chunk: bytes) -> Iterator[bytes]:
        assert self._inflater is not None
        try:
            while chunk:
                if self._inflater.eof:
                    if not chunk.startswith(_GZIP):  # what follows the end belongs to no format
                        return
                    self._inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
                yield self._inflater.decompress(chunk, _STEP)
                chunk = self._inflater.unconsumed_tail or self._inflater.unused_data
        except zlib.error:
            raise httpx.DecodingError("its compressed data are damaged") from None


def _begins_to_inflate(head: bytes, bits: int) -> bool:
    try:
        zlib.decompressobj(bits).decompress(head, _TRIAL)
    except zlib.error:
        return False
    return True


def _is_plain(head: bytes) -> bool:
    """Whether bytes begin like a text or a picture."""
    return head.startswith(_EXPECTED) or chr(head[0]).isspace() or 0x20 <= head[0] < 0x7F
