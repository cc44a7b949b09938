"""Which web versions a picture gets: pure rules of numbers."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# (WebP, AVIF) of equal mean SSIM, measured by benchmarks/variants.py from 50 to 90; straight lines outside.
_EQUAL_LOOKS = ((1, 1), (50, 46), (60, 49), (70, 52), (75, 53), (82, 62), (90, 75), (100, 100))
_NEARLY = 0.9
"""Of the picture's own width: a version that wide makes one of the picture's own width needless."""


def widths(picture: int, wanted: Sequence[int]) -> list[int]:
    """Return the widths of a picture's web versions, rising, in pixels; none is wider than the picture.

    `wanted` are the site's, rising. Where the picture is narrower than the widest of them, it also gets its own width.
    """
    kept = [width for width in wanted if width < picture]
    is_covered = bool(kept) and kept[-1] >= _NEARLY * picture
    return kept if is_covered or picture > wanted[-1] else [*kept, picture]


def avif_quality(webp: int) -> int:
    """Return AVIF's quality that looks like one of WebP; both from 1 to 100."""
    points = itertools.pairwise(_EQUAL_LOOKS)
    (low, from_), (high, to) = next(pair for pair in points if webp <= pair[1][0])
    return round(from_ + (to - from_) * (webp - low) / (high - low))
