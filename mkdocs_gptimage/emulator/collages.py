"""Pictures made from references: each is shown on a card, over ribbons and a backdrop in the first one's colours."""

from __future__ import annotations

import io
import math
import random
from typing import TYPE_CHECKING

from PIL import Image, ImageFilter, ImageOps

from mkdocs_gptimage.emulator.abstracts import flow_ribbons, ribbons
from mkdocs_gptimage.emulator.canvas import Canvas, Pen, mix
from mkdocs_gptimage.emulator.palettes import PALETTES, Palette
from mkdocs_gptimage.emulator.skies import WHITE

if TYPE_CHECKING:
    from mkdocs_gptimage.emulator.canvas import Color
    from mkdocs_gptimage.emulator.references import Reference

BLACK = (0, 0, 0)
TILE_SIDE = 512


def collage(canvas: Canvas, palette: Palette, chance: random.Random, references: tuple[Reference, ...]) -> None:
    """Show every reference; `palette` is what the prompt calls for and tints the backdrop."""
    pictures = [_picture(reference) for reference in references]
    colors = _palette_of(pictures[0])
    _backdrop(canvas, pictures[0], palette)
    flow_ribbons(canvas, colors, chance, canvas.height * 0.58, canvas.height * 1.02)
    for picture, cell in zip(pictures, _cells(canvas, [picture.size for picture in pictures]), strict=True):
        _card(canvas, picture, cell)


def _picture(reference: Reference) -> Image.Image:
    """The sketch of a decoded reference; for a URL, which is never fetched, a tile that only depends on it."""
    if reference.sketch is not None:
        return Image.open(io.BytesIO(reference.sketch)).convert("RGB")
    chance = random.Random(reference.digest)  # noqa: S311 - repeatable on purpose
    tile = Canvas(TILE_SIDE, TILE_SIDE)
    ribbons(tile, PALETTES[chance.choice(sorted(PALETTES))], chance)
    return tile.image


def _palette_of(picture: Image.Image) -> Palette:
    """Colours of the reference itself, with ink and light made from its darkest and lightest."""
    reduced = picture.resize((64, 64)).quantize(8, Image.Quantize.MEDIANCUT).convert("RGB")
    counted = sorted(reduced.getcolors(64 * 64) or [], key=lambda entry: entry[0], reverse=True)
    colors = [_color(value) for _, value in counted]
    by_light = sorted(colors, key=lambda color: 0.3 * color[0] + 0.6 * color[1] + 0.1 * color[2])
    darkest, lightest = by_light[0], by_light[-1]
    shades = [mix(color, WHITE, share) for share in (0.0, 0.2, 0.4) for color in colors]
    sky = tuple(mix(darkest, lightest, step / 4) for step in range(5))
    return Palette(
        sky=sky,
        light=mix(lightest, WHITE, 0.6),
        far=mix(darkest, lightest, 0.6),
        near=mix(darkest, BLACK, 0.6),
        paper=mix(lightest, WHITE, 0.7),
        accents=tuple(shades[:6]) if len(shades) >= 6 else (*shades, *sky)[:6],
    )


def _color(value: object) -> Color:
    assert isinstance(value, tuple)
    red, green, blue = value
    return red, green, blue


def _backdrop(canvas: Canvas, picture: Image.Image, palette: Palette) -> None:
    small = ImageOps.fit(picture, (max(1, canvas.width // 8), max(1, canvas.height // 8)))
    blurred = small.filter(ImageFilter.GaussianBlur(max(1, min(small.size) / 12)))
    canvas.image.paste(blurred.resize(canvas.image.size, Image.Resampling.BICUBIC))
    canvas.veil(0, canvas.height, palette.sky[1], (0.4, 0.2))


def _cells(canvas: Canvas, sizes: list[tuple[int, int]]) -> list[tuple[int, int, int, int]]:
    """Places of the cards (left, top, width, height): a grid in which each keeps the shape of its reference."""
    count = len(sizes)
    columns = min(count, max(1, round(math.sqrt(count * canvas.width / canvas.height))))
    rows = math.ceil(count / columns)
    wide, high = canvas.width * 0.9 / columns, canvas.height * 0.88 / rows
    cells = []
    for index, (width, height) in enumerate(sizes):
        row, column = divmod(index, columns)
        in_row = min(columns, count - row * columns)
        share = 0.84 if count > 1 else 0.8
        scale = min(wide * share / width, high * share / height)
        across, down = max(1, round(width * scale)), max(1, round(height * scale))
        x = canvas.width / 2 + (column - (in_row - 1) / 2) * wide
        y = canvas.height / 2 + (row - (rows - 1) / 2) * high
        cells.append((round(x - across / 2), round(y - down / 2), across, down))
    return cells


def _card(canvas: Canvas, picture: Image.Image, cell: tuple[int, int, int, int]) -> None:
    left, top, width, height = cell
    border, drop = max(1.0, canvas.short * 0.008), canvas.short * 0.016
    radius = border * 1.6
    frame = (left - border, top - border, left + width + border, top + height + border)
    shadow = (frame[0], frame[1] + drop, frame[2], frame[3] + drop)
    canvas.rectangle(shadow, BLACK, radius=radius, opacity=0.42, blur=drop)
    canvas.rectangle(frame, (252, 250, 246), radius=radius)
    shown = picture.resize((width, height), Image.Resampling.LANCZOS)
    patch = Canvas(width, height)
    patch.image.paste((252, 250, 246), (0, 0, width, height))
    scaled_radius = radius * 0.6

    def draw(pen: Pen) -> None:
        pen.rectangle((0, 0, width, height), scaled_radius)

    mask = patch.mask(draw)
    canvas.image.paste(shown, (left, top), mask)
