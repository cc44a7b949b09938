"""A WebP file's header, read before a decoder makes room for what it claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import PictureError

if TYPE_CHECKING:
    import mmap


_ANIMATED = 0x02
_LONGEST_HEADER = 30


def size(data: mmap.mmap) -> tuple[int, int]:
    """Return (width, height) of the canvas; raise `PictureError` for an animation, and for a header that is none."""
    head = data[:_LONGEST_HEADER]
    kind = head[12:16]
    if len(head) == _LONGEST_HEADER and kind == b"VP8X":
        if head[20] & _ANIMATED:
            raise PictureError("the picture is animated; expected a still one")
        return _little(head[24:27]) + 1, _little(head[27:30]) + 1
    if len(head) == _LONGEST_HEADER and kind == b"VP8L":
        bits = _little(head[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if len(head) == _LONGEST_HEADER and kind == b"VP8 ":
        return _little(head[26:28]) & 0x3FFF, _little(head[28:30]) & 0x3FFF
    raise PictureError("the picture is damaged (its header is none)")


def end(data: mmap.mmap) -> int:
    """Return where the picture ends; raise `PictureError` when that is behind the end of the file."""
    length = _little(data[4:8]) + 8
    if length > len(data):
        raise PictureError("the picture breaks off")
    return length


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")
