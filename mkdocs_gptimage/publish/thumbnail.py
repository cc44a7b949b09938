"""Small versions of stored pictures, for lists to choose from."""

from __future__ import annotations

from mkdocs_gptimage.publish.encode import encode, open_upright, resize

_LONGEST = 360
"""Pixels."""
_QUALITY = 80


def thumbnail(data: bytes) -> bytes:
    """Return a WebP of at most 360 pixels a side; raise what decoders and encoders raise."""
    picture = open_upright(data)
    scale = min(1.0, _LONGEST / max(picture.size))
    width, height = (max(1, round(side * scale)) for side in picture.size)
    return encode(resize(picture, width, height), "webp", _QUALITY, b"")
