"""PNG, JPEG and WebP files as the pieces that they consist of: find and place what is said about the pixels.

Nothing is decoded, and no byte of any other piece changes.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import PictureError
from mkdocs_gptimage.imagefile.png import MAX_METADATA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_PNG_START = 8
_PNG_KEYWORD = b"XML:com.adobe.xmp\0"
_PNG_HEAD = _PNG_KEYWORD + b"\0\0\0\0"  # not compressed, in no language, not translated
_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_JPEG_EXIF = b"Exif\0"
_APP0, _APP1, _APP11, _SCAN, _END = b"\xe0", b"\xe1", b"\xeb", b"\xda", b"\xd9"
_JUMBF_HEAD = 16
"""Bytes before the part of a box that a segment carries: `JP`, box and packet number, length and type."""
_SEGMENT_MOST = 0xFFFF - 2
_WEBP_START = 12
_WEBP_HEADS = {b"VP8X": 10, b"VP8 ": 10, b"VP8L": 5}
"""The chunks that a file may begin with, and bytes of the least that they hold."""
_LARGEST = 2**32
_HAS_ALPHA, _HAS_XMP = 0x10, 0x04


@dataclass(frozen=True)
class Piece:
    """A chunk or a segment: where it begins and ends, its head included, and its content."""

    name: bytes
    start: int
    end: int
    content: bytes


@dataclass(frozen=True)
class Container:
    """What a format calls things, and how it wants them."""

    pieces: Callable[[bytes], list[Piece]]
    xmp: Callable[[Piece], bytes | None]
    """The packet that a piece is; None for another piece."""
    claim: Callable[[Piece], bytes]
    """The part of a C2PA manifest that a piece is; empty for another piece."""
    place: Callable[[bytes, list[Piece], bytes], bytes]
    """The file without the pieces that hold a packet, and with this one."""
    most: int
    """Bytes of the longest packet."""

    def packet(self, data: bytes) -> bytes | None:
        """Return the file's XMP packet."""
        return next((found for piece in self.pieces(data) if (found := self.xmp(piece)) is not None), None)

    def manifest(self, data: bytes) -> bytes:
        """Return the file's C2PA manifest, its signed history; empty without one."""
        return b"".join(map(self.claim, self.pieces(data)))

    def with_packet(self, data: bytes, packet: bytes) -> bytes:
        """Return the file with this XMP packet instead of its own."""
        return self.place(data, self.pieces(data), packet)


def _without(data: bytes, start: int, end: int, pieces: list[Piece]) -> bytes:
    """A part of a file, without some of its pieces."""
    kept, position = [], start
    for piece in pieces:
        if start <= piece.start < end:
            kept.append(data[position : piece.start])
            position = piece.end
    return b"".join([*kept, data[position:end]])


def _inserted(data: bytes, place: int, new: bytes, old: list[Piece]) -> bytes:
    return _without(data, 0, place, old) + new + _without(data, place, len(data), old)


def _png_pieces(data: bytes) -> list[Piece]:
    return list(_walk_png(data))


def _walk_png(data: bytes) -> Iterator[Piece]:
    position, name = _PNG_START, b""
    while name != b"IEND":
        length, name = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        end = position + 12 + length
        if end > len(data):
            raise PictureError("the picture breaks off")
        yield Piece(name, position, end, data[position + 8 : end - 4] if name in (b"iTXt", b"caBX") else b"")
        position = end


def _png_xmp(piece: Piece) -> bytes | None:
    if piece.name != b"iTXt" or not piece.content.startswith(_PNG_KEYWORD):
        return None
    is_compressed, rest = piece.content[len(_PNG_KEYWORD) :][:1] == b"\1", piece.content[len(_PNG_HEAD) - 2 :]
    text = b"".join(rest.split(b"\0", 2)[2:])
    if not is_compressed:
        return text
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(text, MAX_METADATA)
    except zlib.error:
        return b""
    return text if inflater.eof else b""


def _png_place(data: bytes, pieces: list[Piece], packet: bytes) -> bytes:
    body = b"iTXt" + _PNG_HEAD + packet
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return _inserted(data, pieces[0].end, chunk, [piece for piece in pieces if _png_xmp(piece) is not None])


def _jpeg_pieces(data: bytes) -> list[Piece]:
    return list(_walk_jpeg(data))


def _walk_jpeg(data: bytes) -> Iterator[Piece]:
    """The segments before the first scan."""
    position = 2
    while True:
        start = position
        while data[position : position + 2] == b"\xff\xff":  # fill bytes
            position += 1
        name = data[position + 1 : position + 2]
        if data[position : position + 1] != b"\xff" or name == _END:
            raise PictureError("the picture is damaged (it has no scan)")
        if name == _SCAN:
            return
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if end < position + 4 or end > len(data):
            raise PictureError("the picture breaks off")
        yield Piece(name, start, end, data[position + 4 : end])
        position = end


def _jpeg_xmp(piece: Piece) -> bytes | None:
    is_xmp = piece.name == _APP1 and piece.content.startswith(_JPEG_XMP)
    return piece.content[len(_JPEG_XMP) :] if is_xmp else None


def _jpeg_claim(piece: Piece) -> bytes:
    return piece.content[_JUMBF_HEAD:] if piece.name == _APP11 and piece.content[:2] == b"JP" else b""


def _jpeg_place(data: bytes, pieces: list[Piece], packet: bytes) -> bytes:
    place = 2
    for piece in pieces:
        is_first = piece.name == _APP0 or (piece.name == _APP1 and piece.content.startswith(_JPEG_EXIF))
        if not is_first:
            break
        place = piece.end
    body = _JPEG_XMP + packet
    segment = b"\xff" + _APP1 + struct.pack(">H", len(body) + 2) + body
    return _inserted(data, place, segment, [piece for piece in pieces if _jpeg_xmp(piece) is not None])


def _webp_pieces(data: bytes) -> list[Piece]:
    return list(_walk_webp(data))


def _walk_webp(data: bytes) -> Iterator[Piece]:
    position, end = _WEBP_START, int.from_bytes(data[4:8], "little") + 8
    while position + 8 <= end:
        name, length = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        if position + 8 + length > len(data):
            raise PictureError("the picture breaks off")
        after = min(position + 8 + length + length % 2, len(data))
        yield Piece(name, position, after, data[position + 8 : position + 8 + length])
        position = after


def _webp_xmp(piece: Piece) -> bytes | None:
    return piece.content if piece.name == b"XMP " else None


def _webp_place(data: bytes, pieces: list[Piece], packet: bytes) -> bytes:
    kept = [data[piece.start : piece.end] for piece in pieces if piece.name not in (b"VP8X", b"XMP ")]
    body = b"WEBP" + b"".join([_chunk(b"VP8X", _extended(pieces)), *map(_even, kept), _chunk(b"XMP ", packet)])
    rest = data[max(pieces[-1].end, int.from_bytes(data[4:8], "little") + 8) :]
    return b"RIFF" + struct.pack("<I", len(body)) + body + rest


def _extended(pieces: list[Piece]) -> bytes:
    """The content of the VP8X chunk that says what else a file has: its own, or a new one for a simple file."""
    name, content = (pieces[0].name, pieces[0].content) if pieces else (b"", b"")
    if len(content) < _WEBP_HEADS.get(name, _LARGEST):
        raise PictureError("the picture is damaged (it begins with no known chunk)")
    if name == b"VP8X":
        return bytes([content[0] | _HAS_XMP]) + content[1:]
    if name == b"VP8L":
        bits = int.from_bytes(content[1:5], "little")
        width, height, has_alpha = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bits >> 28 & 1
    else:
        width, height = (int.from_bytes(content[at : at + 2], "little") & 0x3FFF for at in (6, 8))
        has_alpha = 0
    if not width or not height:
        raise PictureError("the picture is damaged (it has no pixels)")
    flags = _HAS_XMP | (_HAS_ALPHA if has_alpha else 0)
    return struct.pack("<I", flags) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")


def _chunk(name: bytes, content: bytes) -> bytes:
    return _even(name + struct.pack("<I", len(content)) + content)


def _even(chunk: bytes) -> bytes:
    return chunk + b"\0" * (len(chunk) % 2)


PNG = Container(
    _png_pieces, _png_xmp, lambda piece: piece.content if piece.name == b"caBX" else b"", _png_place, MAX_METADATA
)
JPEG = Container(_jpeg_pieces, _jpeg_xmp, _jpeg_claim, _jpeg_place, _SEGMENT_MOST - len(_JPEG_XMP))
WEBP = Container(
    _webp_pieces, _webp_xmp, lambda piece: piece.content if piece.name == b"C2PA" else b"", _webp_place, MAX_METADATA
)
BY_FORMAT = {"png": PNG, "jpg": JPEG, "webp": WEBP}
