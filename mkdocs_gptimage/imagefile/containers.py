"""PNG, JPEG and WebP files as lists of chunks, and where an XMP packet goes in each.

Nothing is decoded here.
"""

from __future__ import annotations

import itertools
import re
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import ImageLimitError, PictureError

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable, Iterator

    Data = bytes | mmap.mmap


MAX_CHUNKS = 100_000
"""Ten times those of the largest PNG, at 4 KB per chunk."""
SCAN = b"\xda"
"""The JPEG marker SOS; a scan's data follow its segment."""
_APP0, _APP1, _APP11, _END = b"\xe0", b"\xe1", b"\xeb", b"\xd9"
_FRAMES = frozenset(bytes([code]) for code in range(0xC0, 0xD0)) - {b"\xc4", b"\xc8", b"\xcc"}
"""JPEG segments that give the size."""
_ALONE = frozenset({b"\x01", b"\xd8", _END})
"""JPEG markers without a length."""
# A JPEG marker: neither a 0xFF that was escaped in a scan, nor a restart within one.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_PNG_XMP = b"XML:com.adobe.xmp\0"
_WEBP_HEADERS = {b"VP8X": 10, b"VP8L": 5, b"VP8 ": 10}
"""Bytes of the header that a WebP's first chunk begins with."""
_LONGEST_HEAD = 32
_HAS_ALPHA, _HAS_XMP = 0x10, 0x04


@dataclass(frozen=True)
class Chunk:
    """A chunk of a PNG or WebP file, or a segment of a JPEG file."""

    name: bytes
    start: int
    """Offset in the file, of the chunk's own header."""
    end: int
    head: bytes
    """The first bytes of its content, at most 32."""


@dataclass(frozen=True)
class Container:
    """How one file format is divided into chunks, and where it holds its size and its metadata."""

    _walk: Callable[[Data], Iterator[Chunk]]
    size: Callable[[Chunk], tuple[int, int] | None]
    """Width and height in pixels, for a chunk that gives them."""
    is_metadata: Callable[[Chunk], bool]
    """Whether a chunk is XMP or C2PA, readable or not."""
    insert: Callable[[bytes, list[Chunk], bytes], bytes]
    """The file with an XMP packet, from a file without one, its chunks and the packet."""

    def chunks(self, data: Data) -> Iterator[Chunk]:
        """Yield all chunks up to the end of the image; raise `PictureError` for a file that is cut off."""
        for number, chunk in enumerate(self._walk(data)):
            if number == MAX_CHUNKS:
                raise ImageLimitError(f"the picture has more than {MAX_CHUNKS} chunks")
            if chunk.end > len(data):
                raise PictureError("the picture breaks off")
            yield chunk


def _walk_png(data: Data) -> Iterator[Chunk]:
    position, name = 8, b""
    while name != b"IEND" and position + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        content, end = position + 8, position + 12 + length
        yield Chunk(name, position, end, data[content : content + min(length, _LONGEST_HEAD)])
        position = end
    if name != b"IEND":
        raise PictureError("the picture breaks off (its end mark is missing)")


def _png_size(chunk: Chunk) -> tuple[int, int] | None:
    return struct.unpack_from(">II", chunk.head) if chunk.name == b"IHDR" and len(chunk.head) >= 8 else None


def _is_png_metadata(chunk: Chunk) -> bool:
    return chunk.name == b"caBX" or (chunk.name == b"iTXt" and chunk.head.startswith(_PNG_XMP))


def _insert_png(data: bytes, chunks: list[Chunk], packet: bytes) -> bytes:
    # Not compressed; language and translated keyword are empty.
    body = b"iTXt" + _PNG_XMP + b"\0\0\0\0" + packet
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return _spliced(data, chunks[0].end, chunk)


def _walk_jpeg(data: Data) -> Iterator[Chunk]:
    """Yield the segments; a scan's data lie between its segment and the next."""
    position, name = 2, b""
    while name != _END:
        found = _MARKER.search(data, position)
        if found is None:
            raise PictureError("the picture breaks off (its end mark is missing)")
        name, content = found[0][1:], found.end()
        position = content if name in _ALONE else content + max(2, int.from_bytes(data[content : content + 2], "big"))
        yield Chunk(name, found.start(), position, data[content + 2 : min(position, content + 2 + _LONGEST_HEAD)])


def _jpeg_size(segment: Chunk) -> tuple[int, int] | None:
    if segment.name not in _FRAMES or len(segment.head) < 5:
        return None
    height, width = struct.unpack_from(">HH", segment.head, 1)
    return width, height


def _is_jpeg_metadata(segment: Chunk) -> bool:
    is_xmp = segment.name == _APP1 and segment.head.startswith(_JPEG_XMP)
    return is_xmp or (segment.name == _APP11 and segment.head.startswith(b"JP"))


def _insert_jpeg(data: bytes, chunks: list[Chunk], packet: bytes) -> bytes:
    if SCAN not in {segment.name for segment in chunks}:
        raise PictureError("the picture is damaged (it has no scan)")
    # JFIF's and Exif's segments must be the first.
    first = itertools.takewhile(lambda each: each.name == _APP0 or each.head.startswith(b"Exif\0"), chunks)
    body = _JPEG_XMP + packet
    return _spliced(data, max((segment.end for segment in first), default=2), b"\xff" + _APP1 + _sized(">H", body, 2))


def _webp_canvas(first: Chunk) -> tuple[int, int, int] | None:
    """Width, height, and the flag for alpha, from the chunk that a WebP begins with; None for another chunk."""
    head = first.head
    if len(head) < _WEBP_HEADERS.get(first.name, _LONGEST_HEAD + 1):
        return None
    if first.name == b"VP8X":
        return _little(head[4:7]) + 1, _little(head[7:10]) + 1, head[0] & _HAS_ALPHA
    if first.name == b"VP8L":
        bits = _little(head[1:5])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, _HAS_ALPHA * (bits >> 28 & 1)
    return _little(head[6:8]) & 0x3FFF, _little(head[8:10]) & 0x3FFF, 0


def _webp_size(chunk: Chunk) -> tuple[int, int] | None:
    canvas = _webp_canvas(chunk)
    return canvas and canvas[:2]


def _walk_webp(data: Data) -> Iterator[Chunk]:
    position, end = 12, _little(data[4:8]) + 8
    if end > len(data):
        raise PictureError("the picture breaks off")
    while position + 8 <= end:
        name, length = struct.unpack_from("<4sI", data, position)
        content, after = position + 8, position + 8 + length
        yield Chunk(name, position, after, data[content : content + min(length, _LONGEST_HEAD)])
        position = after + length % 2


def _insert_webp(data: bytes, chunks: list[Chunk], packet: bytes) -> bytes:
    """Append XMP; add the chunk that announces it (VP8X) if the file has none."""
    width, height, alpha = (_webp_canvas(chunks[0]) if chunks else None) or (0, 0, 0)
    if not width or not height:
        raise PictureError("the picture is damaged (its header cannot be read)")
    is_extended = chunks[0].name == b"VP8X"
    flags = _HAS_XMP | (chunks[0].head[0] if is_extended else alpha)
    canvas = struct.pack("<I", flags) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    end = _little(data[4:8]) + 8
    rest = data[chunks[0].end if is_extended else chunks[0].start : end]
    body = b"WEBPVP8X" + _sized("<I", canvas) + _even(rest) + b"XMP " + _even(_sized("<I", packet))
    return b"RIFF" + _sized("<I", body) + data[end:]


def _spliced(data: bytes, position: int, new: bytes) -> bytes:
    return data[:position] + new + data[position:]


def _sized(form: str, content: bytes, more: int = 0) -> bytes:
    return struct.pack(form, len(content) + more) + content


def _even(chunk: bytes) -> bytes:
    return chunk + b"\0" * (len(chunk) % 2)


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


BY_FORMAT = {
    "png": Container(_walk_png, _png_size, _is_png_metadata, _insert_png),
    "jpg": Container(_walk_jpeg, _jpeg_size, _is_jpeg_metadata, _insert_jpeg),
    "webp": Container(
        _walk_webp,
        _webp_size,
        lambda chunk: chunk.name in (b"XMP ", b"C2PA"),
        _insert_webp,
    ),
}
