"""What an `<img>` says of its files: sizes that a figure's own width bounds, and equal looks in two formats."""

from __future__ import annotations

import pytest

from mkdocs_gptimage.figures.srcset import sizes_for
from mkdocs_gptimage.settings import avif_quality


@pytest.mark.parametrize(
    ("layout", "bounded"),
    [
        ("100vw", "min(900px, 100vw)"),
        ("(min-width: 48em) 44em, 100vw", "(min-width: 48em) min(900px, 44em), min(900px, 100vw)"),
        (
            "(min-width: 30em) and (max-width: 50em) calc(50vw - (2 * 1em)), min(90vw, 60em)",
            "(min-width: 30em) and (max-width: 50em) min(900px, calc(50vw - (2 * 1em))), min(900px, min(90vw, 60em))",
        ),
        ("auto, 100vw", "auto, min(900px, 100vw)"),
    ],
)
def test_no_size_is_wider_than_the_figure(layout, bounded):
    """Every length of the site's layout is bounded by the figure's width, and its conditions stay."""
    assert sizes_for(layout, 900) == bounded
    assert sizes_for(layout, None) == layout


def test_one_quality_means_equal_looks():
    """AVIF's quality rises with WebP's, keeps its bounds, and is what was measured at the default."""
    found = [avif_quality(webp) for webp in range(1, 101)]

    assert found == sorted(found)
    assert (found[0], found[81], found[-1]) == (1, 62, 100)
