"""Landscapes: layered hills, mountains over a lake, pine woods in the mist."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from PIL import Image, ImageFilter

from mkdocs_gptimage.emulator.canvas import Gradient, mix
from mkdocs_gptimage.emulator.skies import WHITE, paint_clouds, paint_sky

if TYPE_CHECKING:
    import random

    from mkdocs_gptimage.emulator.canvas import Canvas, Pen, Point
    from mkdocs_gptimage.emulator.palettes import Palette


def hills(canvas: Canvas, palette: Palette, chance: random.Random) -> None:
    """Hills behind hills under a low sun."""
    horizon = canvas.height * chance.uniform(0.5, 0.6)
    paint_sky(canvas, palette, chance, horizon)
    paint_clouds(canvas, palette, chance, horizon)
    count = chance.randint(5, 7)
    for layer in range(count):
        depth = layer / (count - 1)
        base = horizon + (canvas.height * 0.93 - horizon) * depth**1.15
        swell = canvas.short * (0.05 + 0.06 * depth)
        line = rolling(canvas, chance, base, swell)
        color = mix(mix(palette.far, palette.sky[-1], 0.35 * (1 - depth)), palette.near, depth**0.85)
        ground(canvas, line, Gradient(color, mix(color, palette.sky[-1], 0.28 * (1 - depth))))
        if layer == count - 2:
            _scatter_pines(canvas, chance, line, mix(color, palette.near, 0.6))
    _birds(canvas, palette, chance, horizon)


def mountains(canvas: Canvas, palette: Palette, chance: random.Random) -> None:
    """Snowy peaks that are mirrored in a lake."""
    shore = canvas.height * chance.uniform(0.64, 0.72)
    paint_sky(canvas, palette, chance, shore)
    paint_clouds(canvas, palette, chance, shore * 0.7)
    for depth in (0.0, 0.4, 0.75):
        peak = shore * (0.5 - 0.24 * depth) * min(1.0, canvas.width / canvas.height + 0.2)
        line = jagged(canvas, chance, shore - peak * 0.35, peak)
        color = mix(mix(palette.far, palette.sky[-1], 0.25), palette.near, depth)
        ground(canvas, line, Gradient(color, mix(color, palette.sky[-1], 0.45)), bottom=shore)
        if depth < 0.5:
            _snow(canvas, chance, line, mix(WHITE, palette.sky[2], 0.25 + 0.3 * depth))
        canvas.veil(shore - peak * 0.3, shore, palette.sky[-1], (0.0, 0.3))
    bank = rolling(canvas, chance, shore - canvas.short * 0.015, canvas.short * 0.012)
    _scatter_pines(canvas, chance, bank, mix(palette.near, palette.far, 0.12), count=34)
    ground(canvas, bank, mix(palette.near, palette.far, 0.12), bottom=shore)
    reflect(canvas, palette, chance, shore)


def forest(canvas: Canvas, palette: Palette, chance: random.Random) -> None:
    """Rows of pines that fade into mist."""
    horizon = canvas.height * 0.62
    paint_sky(canvas, palette, chance, horizon)
    rows = 6
    for row in range(rows):
        depth = row / (rows - 1)
        base = canvas.height * (0.56 + 0.46 * depth**1.2)
        line = rolling(canvas, chance, base, canvas.short * 0.03)
        color = mix(mix(palette.far, palette.sky[-1], 0.45 * (1 - depth)), palette.near, depth**0.9)
        tall = canvas.short * (0.14 + 0.42 * depth**1.3)
        count = max(4, round(canvas.width / tall * 3.2 * (1 - 0.45 * depth)))
        places = [_on(line, (index + chance.uniform(0.1, 0.9)) / count) for index in range(count)]
        trees = [(place, tall * chance.uniform(0.55, 1.0)) for place in places]
        _pines(canvas, chance, trees, color)
        ground(canvas, line, color)
        canvas.veil(base - tall * 0.4, canvas.height, palette.sky[-1], (0.0, 0.34 * (1 - depth)))
    _birds(canvas, palette, chance, horizon * 0.7)


def rolling(canvas: Canvas, chance: random.Random, base: float, swell: float) -> list[Point]:
    """A soft ridge line around `base`, as high and low as `swell`."""
    waves = [(chance.uniform(0.5, 1.2) * 1.9**k, chance.uniform(0, math.tau), 0.55**k) for k in range(5)]
    stretch = canvas.width / canvas.short
    return [
        (
            canvas.width * step / 160,
            base + swell * sum(a * math.sin(f * stretch * math.tau * step / 160 + p) for f, p, a in waves),
        )
        for step in range(161)
    ]


def jagged(canvas: Canvas, chance: random.Random, base: float, peak: float) -> list[Point]:
    """A rocky ridge line by midpoint displacement; its highest summit stands about `peak` over `base`."""
    valleys = [chance.uniform(0.05, 0.35) for _ in range(4)]
    summits = [chance.uniform(0.55, 0.8) for _ in range(3)]
    summits[chance.randrange(3)] = 1.0
    heights = [valleys[0], *(height for pair in zip(summits, valleys[1:], strict=True) for height in pair)]
    spread = 0.1
    for _ in range(5):
        between = [(a + b) / 2 + chance.uniform(-spread, spread) for a, b in pairwise(heights)]
        heights = [h for pair in zip(heights, [*between, 0.0], strict=True) for h in pair][:-1]
        spread *= 0.62
    last = len(heights) - 1
    start, reach = -canvas.width * chance.uniform(0, 0.3), canvas.width * 1.32
    return [(start + reach * index / last, base - peak * height) for index, height in enumerate(heights)]


def ground(
    canvas: Canvas, line: list[Point], paint: Gradient | tuple[int, int, int], bottom: float | None = None
) -> None:
    """Fill from a ridge line down to `bottom`, the lower edge of the picture if none is given."""
    low = canvas.height if bottom is None else bottom
    canvas.polygon([(line[0][0], low), *((x, min(y, low)) for x, y in line), (line[-1][0], low)], paint)


def reflect(canvas: Canvas, palette: Palette, chance: random.Random, shore: float) -> None:
    """Mirror what stands above `shore` in the water below it."""
    top = round(shore)
    depth = canvas.height - top
    if depth < 2:
        return
    above = canvas.image.crop((0, max(0, top - depth), canvas.width, top))
    mirrored = above.transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize((canvas.width, depth))
    canvas.image.paste(mirrored.filter(ImageFilter.BoxBlur((0, canvas.short * 0.004))), (0, top))
    canvas.veil(top, canvas.height, mix(palette.sky[0], palette.near, 0.35), (0.12, 0.62))
    ripples = []
    for _ in range(46):
        y = top + depth * chance.random() ** 1.6
        reach = canvas.short * (0.02 + 0.16 * (y - top) / depth) * chance.uniform(0.4, 1.4)
        ripples.append((chance.uniform(0, canvas.width), y, reach))

    def draw(pen: Pen) -> None:
        for x, y, reach in ripples:
            thick = max(0.5, reach * 0.012)
            pen.ellipse((x - reach, y - thick, x + reach, y + thick))

    canvas.fill(draw, palette.sky[-1], box=(0, top, canvas.width, canvas.height), opacity=0.3)


def _snow(canvas: Canvas, chance: random.Random, line: list[Point], color: tuple[int, int, int]) -> None:
    """Snow on what is high, with a ragged lower edge."""
    highest, lowest = min(y for _, y in line), max(y for _, y in line)
    limit = highest + (lowest - highest) * 0.42
    edge = [(x, max(y, limit + (limit - y) * chance.uniform(-0.5, 0.15))) for x, y in line]
    canvas.polygon([*line, *reversed(edge)], color, opacity=0.85)


def _on(line: list[Point], share: float) -> Point:
    return line[min(len(line) - 1, int(share * len(line)))]


def _scatter_pines(
    canvas: Canvas, chance: random.Random, line: list[Point], color: tuple[int, int, int], count: int = 16
) -> None:
    """Pines in loose groups along a ridge."""
    groups = [chance.random() for _ in range(4)]
    trees = []
    for _ in range(count):
        x, y = _on(line, min(0.999, max(0.0, chance.gauss(chance.choice(groups), 0.06))))
        trees.append(((x, y + canvas.short * 0.01), canvas.short * chance.uniform(0.035, 0.085)))
    _pines(canvas, chance, trees, color)


def _pines(
    canvas: Canvas, chance: random.Random, trees: list[tuple[Point, float]], color: tuple[int, int, int]
) -> None:
    """Pines by foot and height."""
    outlines = [_pine(chance, foot, height) for foot, height in trees]
    top = min(foot[1] - height for foot, height in trees)
    bottom = max(foot[1] for foot, _ in trees)

    def draw(pen: Pen) -> None:
        for outline in outlines:
            pen.polygon(outline)

    canvas.fill(draw, color, box=(0, top, canvas.width, bottom + 2))


def _pine(chance: random.Random, foot: Point, height: float) -> list[Point]:
    x, y = foot
    tiers = 7
    sides: list[list[Point]] = [[], []]
    for side, sign in zip(sides, (-1, 1), strict=True):
        for tier in range(1, tiers + 1):
            reach = height * 0.2 * tier / tiers * chance.uniform(0.85, 1.15)
            level = y - height * (1 - 0.92 * tier / tiers)
            side += [(x + sign * reach, level), (x + sign * reach * 0.5, level - height * 0.02)]
    trunk = height * 0.018
    return [
        (x, y - height),
        *sides[1],
        (x + trunk, y - height * 0.08),
        (x + trunk, y),
        (x - trunk, y),
        *reversed(sides[0]),
    ]


def _birds(canvas: Canvas, palette: Palette, chance: random.Random, bottom: float) -> None:
    x, y = canvas.width * chance.uniform(0.25, 0.75), bottom * chance.uniform(0.25, 0.5)
    places = [(x + canvas.short * chance.gauss(0, 0.08), y + canvas.short * chance.gauss(0, 0.03)) for _ in range(5)]
    size = canvas.short * 0.012

    def draw(pen: Pen) -> None:
        for left, top in places:
            wing = [(math.cos(a) * size, math.sin(a) * size * 0.6) for a in (2.9, 2.3, 1.7)]
            pen.stroke([(left - size + dx, top - dy) for dx, dy in wing], size * 0.14)
            pen.stroke([(left + size - dx, top - dy) for dx, dy in wing], size * 0.14)

    canvas.fill(draw, palette.near, box=(0, 0, canvas.width, bottom), opacity=0.8)
