"""Checks that a web version in the cache shows its picture, for files that this machine has not made.

A cache may come from elsewhere: restored by a CI service, or planted in a repository with manifests that fit. Such
a file is used if it decodes to the picture that its name stands for. That costs a tenth of making it, and happens once.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageStat

if TYPE_CHECKING:
    from collections.abc import Iterator


_CELLS = 96
"""Cells of the longer side, in which two pictures are compared: encoders change pixels, but hardly their means."""
# Of 255 levels, for the worst cell and for all. Encoders stay below 31 and 7 from quality 30 on; a file of lower
# quality may exceed this, and is then made anew.
_WORST_CELL, _ALL_CELLS = 40, 8


def shows_picture(data: bytes, picture: Image.Image, size: tuple[int, int], kind: str, packet: bytes) -> bool:
    """Whether a file is a still image of this kind and size that looks like `picture`, with `packet` as its XMP.

    `picture` is in RGB or RGBA, of any size with the same ratio; `kind` is `webp` or `avif`.
    """
    try:
        with Image.open(io.BytesIO(data), formats=(kind.upper(),)) as file:
            is_plain = not {"exif", "icc_profile"}.intersection(name for name, value in file.info.items() if value)
            # The size is that of the header: a larger file is not decoded.
            if (
                file.size != size
                or getattr(file, "is_animated", False)
                or file.info.get("xmp") != packet
                or not is_plain
            ):
                return False
            file.load()
            found = file.convert(picture.mode)
    except Exception:  # noqa: BLE001 - decoders raise anything for malformed files
        return False
    grid = _grid(size)
    pairs = zip(_layers(found, grid), _layers(picture, grid), strict=True)
    return all(_is_near(ImageChops.difference(one, other)) for one, other in pairs)


def _grid(size: tuple[int, int]) -> tuple[int, int]:
    scale = max(1.0, max(size) / _CELLS)
    return max(1, round(size[0] / scale)), max(1, round(size[1] / scale))


def _layers(picture: Image.Image, grid: tuple[int, int]) -> Iterator[Image.Image]:
    """The cells of a picture on black, and those of its transparency."""
    if picture.mode == "RGBA":
        alpha = picture.getchannel("A")
        visible = Image.new("RGB", picture.size)
        visible.paste(picture, mask=alpha)
        yield alpha.resize(grid, Image.Resampling.BOX)
        picture = visible
    yield picture.resize(grid, Image.Resampling.BOX)


def _is_near(difference: Image.Image) -> bool:
    worst = max(ImageStat.Stat(difference).extrema, key=lambda band: band[1])[1]
    return worst <= _WORST_CELL and max(ImageStat.Stat(difference).mean) <= _ALL_CELLS
