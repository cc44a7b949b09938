"""Skies: gradients, sun and moon, stars, clouds; and the scene of a planet among stars."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from mkdocs_gptimage.emulator.canvas import Gradient, Pen, mix

if TYPE_CHECKING:
    import random

    from mkdocs_gptimage.emulator.canvas import Canvas, Color, Point
    from mkdocs_gptimage.emulator.palettes import Palette

WHITE = (255, 255, 255)


def paint_sky(canvas: Canvas, palette: Palette, chance: random.Random, horizon: float) -> Point:
    """Paint a sky down to `horizon` (pixels) with what shines in it; the place of the sun is returned."""
    below = max(1, round(len(palette.sky) * (canvas.height - horizon) / max(1.0, horizon)))
    canvas.wash([*palette.sky, *[palette.sky[-1]] * below])
    sun = canvas.width * chance.uniform(0.22, 0.78), horizon * chance.uniform(0.34, 0.78)
    if palette.dark:
        paint_stars(canvas, chance, horizon, density=1.0)
    paint_sun(canvas, palette, chance, sun)
    return sun


def paint_sun(canvas: Canvas, palette: Palette, chance: random.Random, center: Point) -> None:
    radius = canvas.short * chance.uniform(0.055, 0.1)
    canvas.glow(center, radius * 8.5, palette.light, 0.6)
    canvas.glow(center, radius * 3, palette.light, 0.6)
    canvas.circle(center, radius, palette.light)
    if palette.dark:
        for dx, dy, size in ((-0.3, -0.25, 0.22), (0.28, 0.2, 0.3), (0.1, -0.45, 0.12)):
            crater = center[0] + dx * radius, center[1] + dy * radius
            canvas.circle(crater, size * radius, mix(palette.light, palette.sky[2], 0.4), opacity=0.5)


def paint_stars(canvas: Canvas, chance: random.Random, bottom: float, density: float) -> None:
    count = round(220 * density * canvas.width * bottom / canvas.short**2)
    for tier, opacity in ((0.0011, 0.5), (0.0018, 0.8)):
        places = [(chance.uniform(0, canvas.width), bottom * chance.random() ** 1.5) for _ in range(min(count, 900))]
        sizes = [max(0.5, canvas.short * tier * chance.uniform(0.6, 1.2)) for _ in places]

        def draw(pen: Pen, places: list[Point] = places, sizes: list[float] = sizes) -> None:
            for place, size in zip(places, sizes, strict=True):
                pen.circle(place, size)

        canvas.fill(draw, WHITE, box=(0, 0, canvas.width, bottom), opacity=opacity)
        count //= 3


def paint_clouds(canvas: Canvas, palette: Palette, chance: random.Random, bottom: float) -> None:
    """A few long, soft clouds."""
    color = mix(palette.sky[-1], WHITE, 0.35)
    for _ in range(chance.randint(2, 4)):
        x, y = chance.uniform(0, canvas.width), bottom * chance.uniform(0.15, 0.75)
        length = canvas.short * chance.uniform(0.25, 0.6)
        puffs = [(x + length * chance.uniform(-1, 1), chance.uniform(0.2, 0.7)) for _ in range(7)]

        def draw(pen: Pen, y: float = y, length: float = length, puffs: list[tuple[float, float]] = puffs) -> None:
            for left, size in puffs:
                half, thick = length * size * 0.8, length * 0.03 * (0.4 + size)
                pen.ellipse((left - half, y - thick, left + half, y + thick * 0.8))

        box = (x - 2 * length, y - 0.2 * length, x + 2 * length, y + 0.2 * length)
        canvas.fill(draw, color, box=box, opacity=0.38, blur=canvas.short * 0.007)


def space(canvas: Canvas, palette: Palette, chance: random.Random) -> None:
    """A ringed planet among stars."""
    night = mix(palette.near, (6, 8, 24), 0.6)
    canvas.mesh([[mix(night, chance.choice(palette.accents), chance.uniform(0, 0.35)) for _ in "abcd"] for _ in "abc"])
    for accent in palette.accents[:3]:
        center = chance.uniform(0, canvas.width), chance.uniform(0, canvas.height)
        canvas.glow(center, canvas.short * chance.uniform(0.6, 1.2), accent, 0.3)
    paint_stars(canvas, chance, canvas.height, density=0.9)
    center = canvas.width * chance.uniform(0.4, 0.6), canvas.height * chance.uniform(0.45, 0.55)
    _planet(canvas, palette, chance, center)
    moon = center[0] - canvas.short * 0.38, center[1] - canvas.short * 0.3
    canvas.circle(moon, canvas.short * 0.035, Gradient(palette.light, mix(palette.far, night, 0.5)))


@dataclass(frozen=True)
class Globe:
    """Where the planet is, and how far its axis leans (radians)."""

    center: Point
    radius: float
    tilt: float


def _planet(canvas: Canvas, palette: Palette, chance: random.Random, center: Point) -> None:
    radius = canvas.short * chance.uniform(0.2, 0.25)
    globe = Globe(center, radius, chance.uniform(-0.5, -0.2))
    body, ring, stripe = chance.sample(palette.accents, 3)
    canvas.glow(center, radius * 3, body, 0.4)
    _ring(canvas, globe, mix(palette.light, ring, 0.4), front=False)
    canvas.circle(center, radius, Gradient(mix(body, palette.light, 0.35), mix(body, palette.near, 0.5)))
    for north in (-0.8, -0.5, -0.15, 0.2, 0.6):
        south = north + chance.uniform(0.08, 0.22)
        band = [*_parallel(globe, north), *reversed(_parallel(globe, south))]
        canvas.polygon(band, chance.choice((ring, stripe)), opacity=0.3)
    canvas.fill(partial(_crescent, globe=globe), palette.near, opacity=0.45, blur=radius * 0.1)
    _ring(canvas, globe, mix(palette.light, ring, 0.4), front=True)


def _parallel(globe: Globe, level: float) -> list[Point]:
    """A circle of latitude seen from a little above: `level` is -1 at the north pole and 1 at the south pole."""
    reach = math.sqrt(1 - min(0.98, level**2))
    arcs = [math.pi * step / 40 for step in range(41)]
    return [_on_globe(globe, reach * math.cos(arc), level + 0.16 * reach * math.sin(arc)) for arc in arcs]


def _crescent(pen: Pen, globe: Globe) -> None:
    x, y = globe.center
    pen.circle(globe.center, globe.radius * 0.95)
    pen.circle((x - globe.radius * 0.38, y - globe.radius * 0.3), globe.radius * 1.05, erase=True)


def _ring(canvas: Canvas, globe: Globe, color: Color, *, front: bool) -> None:
    """Half of a ring: the part behind the planet or the part in front of it."""
    angles = [math.pi * (step / 60 if front else 1 + step / 60) for step in range(61)]
    for reach, width in ((1.55, 0.1), (1.78, 0.05), (1.95, 0.02)):
        points = [_on_globe(globe, reach * math.cos(angle), reach * 0.3 * math.sin(angle)) for angle in angles]
        canvas.fill(partial(Pen.stroke, points=points, width=globe.radius * width), color)


def _on_globe(globe: Globe, across: float, down: float) -> Point:
    """A place given in radii from the center, along the axes of the globe."""
    cosine, sine = math.cos(globe.tilt), math.sin(globe.tilt)
    return (
        globe.center[0] + globe.radius * (across * cosine - down * sine),
        globe.center[1] + globe.radius * (across * sine + down * cosine),
    )
