"""Pixels of a picture, from its size and resolution."""

from __future__ import annotations

import math
import re

RESOLUTIONS = ("1k", "2k", "4k")
DEFAULT_SIZE = "1:1"
DEFAULT_RESOLUTION = "1k"

PIXELS = {
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
"""Ratio → width and height for each resolution, as the service documents them."""

LONGEST_SIDE = 3840
SHORTEST_SIDE = 16
MOST_PIXELS = 3840 * 2160
SHORTEST_FROM_REFERENCE = 256
"""Smaller references are enlarged to this length of their shorter side."""

_EXPLICIT = re.compile(r"([1-9][0-9]{0,5})x([1-9][0-9]{0,5})")


def is_size(size: str) -> bool:
    """Whether a size is valid: `auto`, a ratio of the table, or pixels within the limits."""
    if size == "auto" or size in PIXELS:
        return True
    explicit = _explicit(size)
    return explicit is not None and _is_possible(*explicit)


def pixels(size: str | None, resolution: str, reference: tuple[int, int] | None) -> tuple[int, int]:
    """Width and height of a picture, from a valid size and the pixels of the first reference."""
    if size is None and reference is not None:
        return _from_reference(*reference)
    if size == "auto":
        size = DEFAULT_SIZE if reference is None else _nearest(*reference)
    size = size or DEFAULT_SIZE
    return _explicit(size) or PIXELS[size][RESOLUTIONS.index(resolution)]


def tier(width: int, height: int) -> str:
    """The resolution whose latency a picture of these pixels has."""
    area = width * height
    return "1k" if area <= 2048 * 1024 else "2k" if area <= 2048 * 2048 else "4k"


def _explicit(size: str) -> tuple[int, int] | None:
    match = _EXPLICIT.fullmatch(size)
    return (int(match[1]), int(match[2])) if match else None


def _is_possible(width: int, height: int) -> bool:
    within = min(width, height) >= SHORTEST_SIDE and max(width, height) <= LONGEST_SIDE
    return within and width * height <= MOST_PIXELS


def _from_reference(width: int, height: int) -> tuple[int, int]:
    """The pixels of a reference, scaled to the limits of the service."""
    scale = max(1.0, SHORTEST_FROM_REFERENCE / min(width, height))
    scale = min(scale, LONGEST_SIDE / max(width, height), math.sqrt(MOST_PIXELS / (width * height)))
    return max(SHORTEST_SIDE, int(width * scale)), max(SHORTEST_SIDE, int(height * scale))


def _nearest(width: int, height: int) -> str:
    def distance(ratio: str) -> float:
        across, down = ratio.split(":")
        return abs(math.log(int(across) / int(down)) - math.log(width / height))

    return min(PIXELS, key=distance)
