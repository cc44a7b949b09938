"""The sea: a horizon, glitter under a low sun, islands and sails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mkdocs_gptimage.emulator.canvas import Gradient, mix
from mkdocs_gptimage.emulator.landscapes import rolling
from mkdocs_gptimage.emulator.skies import WHITE, paint_clouds, paint_sky

if TYPE_CHECKING:
    import random

    from mkdocs_gptimage.emulator.canvas import Canvas, Color, Pen, Point
    from mkdocs_gptimage.emulator.palettes import Palette


def sea(canvas: Canvas, palette: Palette, chance: random.Random) -> None:
    """Open water to the horizon, with a sail on it."""
    horizon = canvas.height * chance.uniform(0.5, 0.6)
    sun = paint_sky(canvas, palette, chance, horizon)
    paint_clouds(canvas, palette, chance, horizon)
    _islands(canvas, palette, chance, horizon)
    deep = mix(palette.sky[0], palette.near, 0.45)
    water = Gradient(mix(palette.sky[-2], deep, 0.22), deep)
    canvas.rectangle((0, horizon, canvas.width, canvas.height), water)
    canvas.veil(horizon, horizon + canvas.short * 0.05, palette.sky[-1], (0.55, 0.0))
    _swell(canvas, palette, chance, horizon)
    _glitter(canvas, palette, chance, (sun[0], horizon))
    for _ in range(chance.randint(1, 2)):
        depth = chance.uniform(0.06, 0.3)
        foot = canvas.width * chance.uniform(0.15, 0.85), horizon + (canvas.height - horizon) * depth
        _boat(canvas, palette, foot, canvas.short * (0.08 + 0.42 * depth))


def _islands(canvas: Canvas, palette: Palette, chance: random.Random, horizon: float) -> None:
    for reach, rise, depth in ((0.55, 0.05, 0.15), (0.38, 0.075, 0.4)):
        line = rolling(canvas, chance, 0, canvas.short * rise * 0.25)
        middle = canvas.width * chance.choice((0.05, 0.12, 0.88, 0.95))
        points = []
        for x, y in line:
            slope = max(0.0, 1 - (abs(x - middle) / (canvas.width * reach)) ** 1.5)
            points.append((x, min(horizon, horizon - (canvas.short * rise - y) * slope + (1 - slope) * 4)))
        canvas.polygon([(0, horizon), *points, (canvas.width, horizon)], mix(palette.far, palette.near, depth))


def _swell(canvas: Canvas, palette: Palette, chance: random.Random, horizon: float) -> None:
    """Bands of waves that grow towards the viewer."""
    below = canvas.height - horizon
    for band in range(9):
        depth = ((band + 1) / 10) ** 1.7
        line = rolling(canvas, chance, horizon + below * depth, canvas.short * 0.018 * depth)
        shade = mix(palette.sky[0], palette.near, 0.3 + 0.6 * depth)
        canvas.polygon([(0, canvas.height), *line, (canvas.width, canvas.height)], shade, opacity=0.12)
        crest = mix(palette.sky[-1], WHITE, 0.2)
        thick = canvas.short * 0.0035 * (0.3 + depth)
        back = [(x, y + thick * (0.6 + 0.4 * ((index // 5) % 2))) for index, (x, y) in enumerate(line)]
        canvas.polygon([*line, *reversed(back)], crest, opacity=0.16)


def _glitter(canvas: Canvas, palette: Palette, chance: random.Random, below: Point) -> None:
    """The path of light under the sun, made of dashes."""
    x, horizon = below
    deep = canvas.height - horizon
    dashes: list[tuple[float, float, float, float]] = []
    for _ in range(170):
        depth = chance.random() ** 1.7
        spread = canvas.short * (0.03 + 0.13 * depth)
        half = canvas.short * (0.006 + 0.035 * depth) * chance.uniform(0.4, 1.2)
        dashes.append(
            (x + chance.gauss(0, spread), horizon + deep * depth, half, canvas.short * (0.0008 + 0.0032 * depth))
        )

    def draw(pen: Pen) -> None:
        for left, y, half, thick in dashes:
            pen.ellipse((left - half, y - thick, left + half, y + thick))

    canvas.fill(draw, palette.light, box=(0, horizon, canvas.width, canvas.height), opacity=0.6)


def _boat(canvas: Canvas, palette: Palette, foot: Point, size: float) -> None:
    x, y = foot
    sail: Color = mix(palette.paper, palette.light, 0.4)
    canvas.polygon(
        [(x - size * 0.3, y), (x + size * 0.34, y), (x, y + size * 0.5)], palette.near, opacity=0.22, blur=1.5
    )
    canvas.polygon(
        [
            (x + size * 0.01, y - size),
            (x + size * 0.05, y - size * 0.5),
            (x + size * 0.36, y - size * 0.14),
            (x + size * 0.01, y - size * 0.14),
        ],
        Gradient(sail, mix(sail, palette.sky[-2], 0.35)),
    )
    canvas.polygon(
        [
            (x - size * 0.02, y - size * 0.92),
            (x - size * 0.1, y - size * 0.4),
            (x - size * 0.3, y - size * 0.16),
            (x - size * 0.02, y - size * 0.14),
        ],
        mix(palette.accents[0], palette.paper, 0.15),
    )
    hull = [
        (x - size * 0.34, y - size * 0.11),
        (x + size * 0.4, y - size * 0.12),
        (x + size * 0.28, y + size * 0.01),
        (x - size * 0.24, y + size * 0.01),
    ]
    canvas.polygon(hull, mix(palette.near, palette.accents[0], 0.2))
