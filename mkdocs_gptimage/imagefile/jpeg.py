"""A JPEG file's segments, read without a decoder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import PictureError

if TYPE_CHECKING:
    import mmap


MAX_SCANS = 100
"""Passes over the picture: each costs a decoder the same again, and progressive pictures have about ten."""
MAX_SEGMENTS = 10_000
"""The largest profile, in pieces of 64 KB, has a tenth of that."""
_SCAN, _END = 0xDA, 0xD9
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length
# A marker that ends the data of a scan: not a stuffed 0xFF, nor a restart.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


def check(data: mmap.mmap) -> int:
    """Walk to the end of the picture; return where that is, or raise `PictureError`."""
    position = scans = 0
    for _ in range(MAX_SEGMENTS):
        found = _MARKER.search(data, position)
        if found is None:
            raise PictureError("the picture breaks off (its end mark is missing)")
        marker, position = found[0][1], found.end()
        if marker == _END:
            return position
        if marker in _ALONE:
            continue
        length = int.from_bytes(data[position : position + 2], "big")
        position += max(length, 2)
        scans += marker == _SCAN
        if scans > MAX_SCANS:
            raise PictureError(f"the picture has more than {MAX_SCANS} scans")
    raise PictureError(f"the picture has more than {MAX_SEGMENTS} segments")
