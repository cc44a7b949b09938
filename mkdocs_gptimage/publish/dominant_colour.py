"""The dominant colour of a picture, which fills its place in the page while it loads."""

from __future__ import annotations

from PIL import Image

_THUMBNAIL = (64, 64)
_COLOURS = 6


def dominant_colour(picture: Image.Image) -> str:
    """Return the dominant colour of a picture, `#rrggbb`; empty if it has transparency."""
    if picture.mode == "RGBA":
        return ""
    small = picture.resize(_THUMBNAIL, Image.Resampling.BOX)
    found = small.quantize(_COLOURS, Image.Quantize.MEDIANCUT)
    counts, palette = found.histogram(), found.getpalette() or []
    most = counts.index(max(counts))
    return f"#{bytes(palette[3 * most : 3 * most + 3]).hex()}"
