"""Pixel sizes by aspect ratio and resolution tier, as the service documents them."""

from __future__ import annotations

import re

TIERS = ("1k", "2k", "4k")
"""Resolution tiers, in the order of the columns of the table below."""
DEFAULT_SIZE = "1:1"
DEFAULT_RESOLUTION = "1k"
_PIXELS = re.compile(r"^([1-9][0-9]{1,4})x([1-9][0-9]{1,4})$")
_TABLE: dict[str, tuple[tuple[int, int], tuple[int, int], tuple[int, int]]] = {
    "1:1": ((1024, 1024), (2048, 2048), (2880, 2880)),
    "3:2": ((1536, 1024), (2048, 1360), (3520, 2336)),
    "2:3": ((1024, 1536), (1360, 2048), (2336, 3520)),
    "4:3": ((1024, 768), (2048, 1536), (3312, 2480)),
    "3:4": ((768, 1024), (1536, 2048), (2480, 3312)),
    "5:4": ((1280, 1024), (2560, 2048), (3216, 2576)),
    "4:5": ((1024, 1280), (2048, 2560), (2576, 3216)),
    "16:9": ((1536, 864), (2048, 1152), (3840, 2160)),
    "9:16": ((864, 1536), (1152, 2048), (2160, 3840)),
    "2:1": ((2048, 1024), (2688, 1344), (3840, 1920)),
    "1:2": ((1024, 2048), (1344, 2688), (1920, 3840)),
    "3:1": ((1536, 512), (3072, 1024), (3840, 1280)),
    "1:3": ((512, 1536), (1024, 3072), (1280, 3840)),
    "21:9": ((2016, 864), (2688, 1152), (3840, 1648)),
    "9:21": ((864, 2016), (1152, 2688), (1648, 3840)),
}


def pixels(size: str | None, resolution: str) -> tuple[int, int]:
    """Return the expected (width, height) of a picture, in pixels.

    `size` is a ratio (`16:9`), pixels (`3840x2160`), `auto` or None. The last two leave the shape to the service; a
    square is assumed until the picture is stored. `resolution` is one of `TIERS`; pixels ignore it.
    """
    explicit = _PIXELS.match(size or "")
    if explicit:
        return int(explicit[1]), int(explicit[2])
    return _TABLE.get(size or DEFAULT_SIZE, _TABLE[DEFAULT_SIZE])[TIERS.index(resolution)]
