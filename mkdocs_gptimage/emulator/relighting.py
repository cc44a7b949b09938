"""A picture at night, drawn from the same picture by day: what a dark twin asks for."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageStat

if TYPE_CHECKING:
    from mkdocs_gptimage.emulator.canvas import Canvas
    from mkdocs_gptimage.emulator.references import Reference

NIGHT = frozenset({"night", "dark", "moonlight", "midnight"})
AGAIN = frozenset({"redraw", "same"})
SAME_SHAPE = 0.02
"""How much the ratios of two pictures of the same shape may differ."""
PAPER = 150
"""The mean lightness from which a picture is drawn on paper, which turns into a board."""
MOONLIGHT = (0.5, 0.56, 0.78)
BOARD = 30
"""The lightness of a board."""


def is_asked_for(words: frozenset[str], references: tuple[Reference, ...], width: int, height: int) -> bool:
    """Whether a prompt asks for its only reference again, at night and in the same shape."""
    if len(references) != 1 or not (words & NIGHT and words & AGAIN):
        return False
    (reference,) = references
    return reference.sketch is not None and abs(reference.width * height / (reference.height * width) - 1) < SAME_SHAPE


def relight(canvas: Canvas, reference: Reference) -> None:
    """Show a reference by moonlight; one on paper as on a board: light lines, dark ground, the hues as they were."""
    assert reference.sketch is not None
    day = Image.open(io.BytesIO(reference.sketch)).convert("RGB")
    is_on_paper = ImageStat.Stat(day.convert("L")).mean[0] > PAPER
    shown = _on_a_board(day) if is_on_paper else _by_moonlight(day)
    canvas.image.paste(shown.resize(canvas.image.size, Image.Resampling.LANCZOS))


def _by_moonlight(day: Image.Image) -> Image.Image:
    shares = zip(day.split(), MOONLIGHT, strict=True)
    night = [band.point([round(255 * share * (level / 255) ** 1.25) for level in range(256)]) for band, share in shares]
    return Image.merge("RGB", night)


def _on_a_board(picture: Image.Image) -> Image.Image:
    hue, saturation, value = ImageChops.invert(picture).convert("HSV").split()
    turned = hue.point([(level + 128) % 256 for level in range(256)])
    chalk = Image.merge("HSV", (turned, saturation, value)).convert("RGB")
    return chalk.point([round(BOARD + level * (235 - BOARD) / 255) for level in range(256)] * 3)
