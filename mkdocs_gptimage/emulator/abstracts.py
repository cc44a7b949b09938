"""Pictures of nothing in particular: mid-century tiles and flowing ribbons."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from mkdocs_gptimage.emulator.canvas import Gradient, mix
from mkdocs_gptimage.emulator.skies import WHITE

if TYPE_CHECKING:
    import random

    from mkdocs_gptimage.emulator.canvas import Canvas, Color, Pen, Point
    from mkdocs_gptimage.emulator.palettes import Palette


def shapes(canvas: Canvas, palette: Palette, chance: random.Random) -> None:
    """A grid of geometric tiles on paper."""
    rows = chance.choice((3, 4)) if canvas.width >= canvas.height else 0
    columns = max(1, round(canvas.width * rows / canvas.height)) if rows else chance.choice((3, 4))
    rows = rows or max(1, round(canvas.height * columns / canvas.width))
    side = max(canvas.width / columns, canvas.height / rows)
    left, top = (canvas.width - side * columns) / 2, (canvas.height - side * rows) / 2
    canvas.wash([palette.paper])
    grounds = (palette.paper, palette.paper, palette.near, *palette.accents)
    for row in range(rows):
        for column in range(columns):
            back, front, extra = _three(grounds, palette, chance)
            x, y = left + column * side, top + row * side
            box = (x, y, x + side, y + side)
            canvas.rectangle(box, back)
            motif, turn = chance.choice(MOTIFS), chance.randrange(4)
            canvas.fill(partial(motif, x=x, y=y, side=side, turn=turn), front, box=box)
            if chance.random() < 0.35:
                canvas.circle((x + side / 2, y + side / 2), side * 0.13, extra)


def _three(grounds: tuple[Color, ...], palette: Palette, chance: random.Random) -> tuple[Color, Color, Color]:
    back = chance.choice(grounds)
    rest = [color for color in (*palette.accents, palette.paper, palette.near) if _distance(color, back) > 110]
    front = chance.choice(rest)
    extra = max(palette.accents, key=lambda color: min(_distance(color, back), _distance(color, front)))
    return back, front, extra


def _distance(first: Color, second: Color) -> float:
    return math.dist(first, second)


def _quarter(pen: Pen, x: float, y: float, side: float, turn: int) -> None:
    cx, cy = x + side * (turn in (1, 2)), y + side * (turn in (2, 3))
    pen.circle((cx, cy), side)


def _half(pen: Pen, x: float, y: float, side: float, turn: int) -> None:
    dx, dy = ((0, -0.5), (0.5, 0), (0, 0.5), (-0.5, 0))[turn]
    pen.circle((x + side * (0.5 + dx), y + side * (0.5 + dy)), side / 2)


def _disc(pen: Pen, x: float, y: float, side: float, turn: int) -> None:
    pen.circle((x + side / 2, y + side / 2), side * (0.5, 0.4, 0.33, 0.45)[turn])


def _leaf(pen: Pen, x: float, y: float, side: float, turn: int) -> None:
    steps = [math.pi / 2 * k / 24 for k in range(25)]
    upper = [(math.sin(a), 1 - math.cos(a)) for a in steps]
    lower = [(1 - math.sin(a), math.cos(a)) for a in steps]
    points = [(1 - u, v) if turn % 2 else (u, v) for u, v in (*upper, *lower)]
    pen.polygon([(x + side * u, y + side * v) for u, v in points])


def _triangle(pen: Pen, x: float, y: float, side: float, turn: int) -> None:
    corners = [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]
    pen.polygon([corners[(turn + k) % 4] for k in range(3)])


def _arcs(pen: Pen, x: float, y: float, side: float, turn: int) -> None:
    center = x + side * (turn in (1, 2)), y + side * (turn in (2, 3))
    for step in range(4):
        pen.circle(center, side * (1 - 0.25 * step))
        pen.circle(center, side * (1 - 0.25 * step) - side * 0.125, erase=True)


def _dots(pen: Pen, x: float, y: float, side: float, turn: int) -> None:
    count = 3 + turn % 2
    for row in range(count):
        for column in range(count):
            pen.circle((x + side * (column + 0.5) / count, y + side * (row + 0.5) / count), side * 0.26 / count)


def _stripes(pen: Pen, x: float, y: float, side: float, turn: int) -> None:
    for step in range(4):
        low, high = side * (step + 0.25) / 4, side * (step + 0.75) / 4
        pen.rectangle((x + low, y, x + high, y + side) if turn % 2 else (x, y + low, x + side, y + high))


def _petals(pen: Pen, x: float, y: float, side: float, turn: int) -> None:
    half = side / 2
    for column in (0, 1):
        for row in (0, 1):
            _leaf(pen, x + column * half, y + row * half, half, (column + row + turn) % 2)


MOTIFS = (_quarter, _quarter, _half, _disc, _leaf, _leaf, _triangle, _arcs, _dots, _stripes, _petals)


def ribbons(canvas: Canvas, palette: Palette, chance: random.Random) -> None:
    """Broad ribbons that flow over a soft field of colour."""
    tones = [*palette.sky, *palette.accents[:3]]
    canvas.mesh([[mix(chance.choice(tones), palette.paper, chance.uniform(0.2, 0.6)) for _ in "abcd"] for _ in "abc"])
    flow_ribbons(canvas, palette, chance, canvas.height * 0.12, canvas.height * 0.92)


def flow_ribbons(canvas: Canvas, palette: Palette, chance: random.Random, top: float, bottom: float) -> None:
    count = 6
    phase, slope = chance.uniform(0, math.tau), chance.uniform(-0.14, 0.14)
    colors = [*chance.sample(palette.accents, len(palette.accents)), *palette.sky][:count]
    for index, color in enumerate(colors):
        base = top + (bottom - top) * index / (count - 1)
        wave = [
            (chance.uniform(0.25, 0.9), phase + index * 0.7 + chance.uniform(-0.4, 0.4), 1.0),
            (chance.uniform(0.9, 1.6), chance.uniform(0, math.tau), 0.35),
        ]
        upper = _flow(canvas, wave, base, slope)
        width = (bottom - top) * chance.uniform(0.12, 0.24)
        swell = chance.uniform(0, math.tau)
        lower = [(x, y + width * (0.75 + 0.4 * math.sin(3 * x / canvas.width + swell))) for x, y in upper]
        _ribbon(canvas, palette, upper, lower, color)


def _flow(canvas: Canvas, wave: list[tuple[float, float, float]], base: float, slope: float) -> list[Point]:
    """A wavy line from beyond the left edge to beyond the right one."""
    lift = canvas.height * 0.13
    return [
        (
            x := canvas.width * (step / 150 * 1.1 - 0.05),
            base
            + slope * (x - canvas.width / 2) * canvas.height / canvas.width
            + lift * sum(a * math.sin(math.tau * f * step / 150 + p) for f, p, a in wave),
        )
        for step in range(151)
    ]


def _ribbon(canvas: Canvas, palette: Palette, upper: list[Point], lower: list[Point], color: Color) -> None:
    drop = canvas.short * 0.018
    outline = [*upper, *reversed(lower)]
    canvas.polygon([(x, y + drop) for x, y in outline], palette.near, opacity=0.3, blur=drop)
    canvas.polygon(outline, Gradient(mix(color, WHITE, 0.18), mix(color, palette.near, 0.22), across=True))
    # Light along the upper edge and shade along the lower one turn a flat band into cloth.
    for share, tint, opacity in ((0.16, WHITE, 0.16), (0.05, WHITE, 0.22)):
        edge = [(x, y + (low - y) * share) for (x, y), (_, low) in zip(upper, lower, strict=True)]
        canvas.polygon([*upper, *reversed(edge)], tint, opacity=opacity)
    edge = [(x, low - (low - y) * 0.22) for (x, y), (_, low) in zip(upper, lower, strict=True)]
    canvas.polygon([*edge, *reversed(lower)], palette.near, opacity=0.12)
