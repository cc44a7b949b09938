"""A PNG file, checked without a decoder: all checksums, and as much inflating as tells a bomb from a picture."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import PictureError

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator


MAX_METADATA = 1024 * 1024
"""Bytes of a colour profile or a text when inflated; Pillow refuses more as well."""
MAX_CHUNKS = 100_000
"""The largest picture, in pieces of 4 KB, has a tenth of that."""
_FIRST = 8
_CHECKSUM = 4
_KEYWORDS = 400
_SAMPLE = 64 * 1024
_STEP = 256 * 1024
_SUSPICIOUS = 4
"""A beginning that promises so many times the pixels there are: all of it is inflated to see."""
_SLACK = 64 * 1024
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


@dataclass(frozen=True)
class Header:
    width: int
    height: int
    bits: int
    """Of one pixel."""

    @property
    def inflated(self) -> int:
        """Bytes of all pixels, with one for each row; an interlaced picture has up to twice as many rows."""
        return (self.width * self.bits // 8 + 5) * (self.height + 8)


@dataclass(frozen=True)
class Chunk:
    """Where a chunk's content begins and ends in the file."""

    name: bytes
    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


def header(data: mmap.mmap) -> Header:
    """Read the header; raise `PictureError`."""
    try:
        length, name, width, height, depth, colour = struct.unpack_from(">I4sIIBB", data, _FIRST)
    except struct.error:
        raise PictureError("the picture breaks off in its header") from None
    if (length, name) != (13, b"IHDR") or depth not in _DEPTHS.get(colour, ()) or not width or not height:
        raise PictureError("the picture is damaged (its header is none)")
    return Header(width, height, depth * _SAMPLES[colour])


def check(data: mmap.mmap, found: Header) -> int:
    """Check everything behind the header; return where the picture ends, or raise `PictureError`."""
    pixels: list[Chunk] = []
    for chunk in _chunks(data):
        if chunk.name == b"IDAT":
            pixels.append(chunk)
        elif chunk.name == b"acTL" and data[chunk.start : chunk.start + 4] != b"\0\0\0\1":
            raise PictureError("the picture is animated; expected a still one")
        elif chunk.name in (b"iCCP", b"zTXt", b"iTXt"):
            _check_metadata(data, chunk)
        elif chunk.name == b"IEND":
            _check_pixels(data, pixels, found)
            return chunk.end + _CHECKSUM
    raise PictureError("the picture breaks off (its end mark is missing)")


def _chunks(data: mmap.mmap) -> Iterator[Chunk]:
    """All chunks, their checksums verified."""
    position = _FIRST
    for _ in range(MAX_CHUNKS):
        if position + 8 + _CHECKSUM > len(data):
            return
        length, name = struct.unpack_from(">I4s", data, position)
        chunk = Chunk(name, position + 8, position + 8 + length)
        position = chunk.end + _CHECKSUM
        if position > len(data):
            raise PictureError("the picture breaks off")
        checksum = zlib.crc32(name)
        for piece in _steps(data, chunk.start, chunk.end):
            checksum = zlib.crc32(piece, checksum)
        if checksum != struct.unpack_from(">I", data, chunk.end)[0]:
            raise PictureError("the picture is damaged (a checksum is wrong)")
        yield chunk
    raise PictureError(f"the picture has more than {MAX_CHUNKS} chunks")


def _steps(data: mmap.mmap, start: int, end: int) -> Iterator[bytes]:
    return (data[place : min(place + _STEP, end)] for place in range(start, end, _STEP))


def _check_metadata(data: mmap.mmap, chunk: Chunk) -> None:
    """Refuse a compressed text or profile that is a bomb; one that is damaged harms nobody."""
    head = data[chunk.start : min(chunk.start + _KEYWORDS, chunk.end)]
    start = head.find(b"\0") + 2
    if chunk.name == b"iTXt":
        if head[start - 1 : start] != b"\1":  # not compressed
            return
        # Method, language and translated keyword come before it.
        start = head.find(b"\0", head.find(b"\0", start + 1) + 1) + 1
    try:
        total = sum(_sizes(_steps(data, chunk.start + start, chunk.end), MAX_METADATA))
    except zlib.error:
        return
    if total > MAX_METADATA:
        raise PictureError(f"the picture's {chunk.name.decode()} chunk inflates to more than 1 MiB")


def _check_pixels(data: mmap.mmap, pixels: list[Chunk], found: Header) -> None:
    """Inflate the beginning of the pixels, and all of them when that promises far more than there are.

    Inflating all of every picture would cost more than the rest of a download.
    """
    sent = sum(chunk.length for chunk in pixels)
    if not sent:
        raise PictureError("the picture has no pixels")
    most = found.inflated + _SLACK
    first = next(chunk for chunk in pixels if chunk.length)
    beginning = data[first.start : min(first.start + _SAMPLE, first.end)]
    try:
        total = sum(_sizes(iter([beginning]), most))
        if total * sent // len(beginning) > _SUSPICIOUS * most:
            pieces = (piece for chunk in pixels for piece in _steps(data, chunk.start, chunk.end))
            total = sum(_sizes(pieces, most))
    except zlib.error as error:
        raise PictureError(f"the picture is damaged ({error})") from None
    if total > most or sent > most:
        raise PictureError(f"the picture holds far more than its {found.width}×{found.height} pixels")


def _sizes(pieces: Iterator[bytes], most: int) -> Iterator[int]:
    """The sizes of the pieces that something inflates to, until they are more than `most` together."""
    inflater, left = zlib.decompressobj(), most
    for piece in pieces:
        waiting = piece
        while waiting and left >= 0 and not inflater.eof:
            size = len(inflater.decompress(waiting, _STEP))
            waiting = inflater.unconsumed_tail
            left -= size
            yield size
