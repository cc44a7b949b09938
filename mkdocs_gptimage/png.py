"""A PNG file, checked without a decoder: all checksums, and as much inflating as tells a bomb from a picture."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import PictureError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_METADATA = 1024 * 1024
"""Bytes of a colour profile or a text when inflated; Pillow refuses more as well."""

MAX_CHUNKS = 100_000
"""The largest picture, in pieces of 4 KB, has a tenth of that."""

_FIRST = 8
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


def header(data: memoryview) -> Header:
    """Read the header; raise `PictureError`."""
    try:
        length, name, width, height, depth, colour = struct.unpack_from(">I4sIIBB", data, _FIRST)
    except struct.error:
        raise PictureError("the picture breaks off in its header") from None
    if (length, name) != (13, b"IHDR") or depth not in _DEPTHS.get(colour, ()) or not width or not height:
        raise PictureError("the picture is damaged (its header is none)")
    return Header(width, height, depth * _SAMPLES[colour])


def check(data: memoryview, found: Header) -> int:
    """Check everything behind the header; return where the picture ends, or raise `PictureError`."""
    pixels: list[memoryview] = []
    for name, content, end in _chunks(data):
        if name == b"IDAT":
            pixels.append(content)
        elif name == b"acTL" and bytes(content[:4]) != b"\0\0\0\1":
            raise PictureError("the picture is animated; expected a still one")
        elif name in (b"iCCP", b"zTXt", b"iTXt"):
            _check_metadata(name, content)
        elif name == b"IEND":
            _check_pixels(pixels, found)
            return end
    raise PictureError("the picture breaks off (its end mark is missing)")


def _chunks(data: memoryview) -> Iterator[tuple[bytes, memoryview, int]]:
    """(name, content, where it ends) of each chunk, its checksum verified."""
    position = _FIRST
    for _ in range(MAX_CHUNKS):
        if position + 12 > len(data):
            return
        length, name = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise PictureError("the picture breaks off")
        body = data[position + 4 : end - 4]
        if zlib.crc32(body) != struct.unpack_from(">I", data, end - 4)[0]:
            raise PictureError("the picture is damaged (a checksum is wrong)")
        yield name, body[4:], end
        position = end
    raise PictureError(f"the picture has more than {MAX_CHUNKS} chunks")


def _check_metadata(name: bytes, content: memoryview) -> None:
    """Refuse a compressed text or profile that is a bomb; one that is damaged harms nobody."""
    head = bytes(content[:400])
    keyword = head.find(b"\0")
    if keyword < 0 or (name == b"iTXt" and head[keyword + 1 : keyword + 2] != b"\1"):
        return
    start = keyword + 2
    if name == b"iTXt":  # flag, method, language and translated keyword before it
        start = head.find(b"\0", head.find(b"\0", keyword + 3) + 1) + 1
    try:
        total = sum(_sizes((content[start:],), MAX_METADATA))
    except zlib.error:
        return
    if total > MAX_METADATA:
        raise PictureError(f"the picture's {name.decode()} chunk inflates to more than 1 MiB")


def _check_pixels(pixels: list[memoryview], found: Header) -> None:
    """Inflate the beginning of the pixels, and all of them when that promises far more than there are.

    Inflating all of every picture would cost more than the rest of a download.
    """
    sent = sum(map(len, pixels))
    if not sent:
        raise PictureError("the picture has no pixels")
    most = found.inflated + _SLACK
    try:
        sample = sum(_sizes((pixels[0][:_SAMPLE],), most))
        promised = sample * sent // min(len(pixels[0]), _SAMPLE)
        total = sum(_sizes(pixels, most)) if promised > _SUSPICIOUS * most else sample
    except zlib.error as error:
        raise PictureError(f"the picture is damaged ({error})") from None
    if total > most or sent > most:
        raise PictureError(f"the picture holds far more than its {found.width}×{found.height} pixels")


def _sizes(parts: Iterable[memoryview], most: int) -> Iterator[int]:
    """The sizes of the pieces that something inflates to, until they are more than `most` together."""
    inflater, left = zlib.decompressobj(), most
    for part in parts:
        waiting: memoryview | bytes = part
        while waiting and left >= 0 and not inflater.eof:
            size = len(inflater.decompress(waiting, _STEP))
            waiting = inflater.unconsumed_tail
            left -= size
            yield size
