"""A diagram without words: cards on paper, joined by curves."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from mkdocs_gptimage.emulator.canvas import Gradient, mix
from mkdocs_gptimage.emulator.skies import WHITE

if TYPE_CHECKING:
    import random

    from mkdocs_gptimage.emulator.canvas import Box, Canvas, Color, Pen, Point
    from mkdocs_gptimage.emulator.palettes import Palette


def diagram(canvas: Canvas, palette: Palette, chance: random.Random) -> None:
    """Columns of cards (rows, when the picture is tall) and the curves between them."""
    paper = mix(palette.paper, WHITE, 0.5)
    canvas.mesh([[paper, mix(paper, palette.sky[2], 0.2)], [mix(paper, palette.accents[1], 0.12), paper]])
    _dots(canvas, palette)
    upright = canvas.height > canvas.width * 1.2
    ratio = max(canvas.width, canvas.height) / canvas.short
    stages = min(6, max(3, round(ratio * 2.1)))
    counts = [1, *(chance.randint(2, 3) for _ in range(stages - 2)), chance.choice((1, 2))]
    columns = [_column(canvas, index, stages, count, upright=upright) for index, count in enumerate(counts)]
    size = canvas.short * 0.29 * (0.78 if upright else 1), canvas.short * 0.175
    accents = chance.sample(palette.accents, len(palette.accents))
    for index, (here, there) in enumerate(pairwise(columns)):
        for number, start in enumerate(here):
            ends = there if len(here) == 1 or len(there) == 1 else [there[min(number, len(there) - 1)]]
            for end in ends:
                _link(
                    canvas, (start, end), size, mix(accents[index % len(accents)], palette.near, 0.25), upright=upright
                )
    for index, column in enumerate(columns):
        for x, y in column:
            box = (x - size[0] / 2, y - size[1] / 2, x + size[0] / 2, y + size[1] / 2)
            _card(canvas, palette, chance, box, accents[index % len(accents)])


def _column(canvas: Canvas, index: int, stages: int, count: int, *, upright: bool) -> list[Point]:
    along = (index + 0.6) / (stages + 0.2)
    shares = [(k + 0.5) / count * 0.84 + 0.08 for k in range(count)]
    if upright:
        return [(share * canvas.width, along * canvas.height) for share in shares]
    return [(along * canvas.width, share * canvas.height) for share in shares]


def _dots(canvas: Canvas, palette: Palette) -> None:
    step = canvas.short / 26

    def draw(pen: Pen) -> None:
        for row in range(int(canvas.height / step) + 1):
            for column in range(int(canvas.width / step) + 1):
                pen.circle(((column + 0.5) * step, (row + 0.5) * step), canvas.short * 0.0016)

    canvas.fill(draw, palette.near, opacity=0.16)


def _link(canvas: Canvas, ends: tuple[Point, Point], size: tuple[float, float], color: Color, *, upright: bool) -> None:
    (x0, y0), (x1, y1) = ends
    if upright:
        y0, y1 = y0 + size[1] / 2, y1 - size[1] * 0.56
    else:
        x0, x1 = x0 + size[0] / 2, x1 - size[0] * 0.54
    curve = []
    for step in range(33):
        t = step / 32
        ease = t * t * (3 - 2 * t)
        curve.append((x0 + (x1 - x0) * (ease if upright else t), y0 + (y1 - y0) * (t if upright else ease)))
    tip = canvas.short * 0.016
    head = (
        [(x1, y1 + tip), (x1 - tip * 0.7, y1 - tip * 0.3), (x1 + tip * 0.7, y1 - tip * 0.3)]
        if upright
        else [(x1 + tip, y1), (x1 - tip * 0.3, y1 - tip * 0.7), (x1 - tip * 0.3, y1 + tip * 0.7)]
    )

    def draw(pen: Pen) -> None:
        pen.stroke(curve, canvas.short * 0.0055)
        pen.polygon(head)

    canvas.fill(draw, color, opacity=0.85)


def _card(canvas: Canvas, palette: Palette, chance: random.Random, box: Box, color: Color) -> None:
    width, height = box[2] - box[0], box[3] - box[1]
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    drop, radius = height * 0.09, height * 0.16
    canvas.rectangle(
        (box[0], box[1] + drop, box[2], box[3] + drop), palette.near, radius=radius, opacity=0.22, blur=drop
    )
    canvas.rectangle(box, WHITE, radius=radius)
    icon = x - width * 0.29, y
    canvas.circle(icon, height * 0.27, Gradient(mix(color, WHITE, 0.2), color))
    _icon(canvas, chance.randrange(4), icon, height * 0.13)
    ink = mix(palette.near, WHITE, 0.25)
    bars = (
        (-0.17, chance.uniform(0.3, 0.46), 0.75),
        (0.05, chance.uniform(0.36, 0.5), 0.25),
        (0.21, chance.uniform(0.2, 0.42), 0.25),
    )
    for dy, length, opacity in bars:
        left, top, thick = x - width * 0.07, y + dy * height, height * 0.085
        canvas.rectangle((left, top, left + width * length, top + thick), ink, radius=thick / 2, opacity=opacity)


def _icon(canvas: Canvas, kind: int, center: Point, size: float) -> None:
    x, y = center

    def draw(pen: Pen) -> None:
        if kind == 0:
            pen.circle(center, size)
            pen.circle(center, size * 0.5, erase=True)
        elif kind == 1:
            pen.rectangle((x - size * 0.85, y - size * 0.85, x + size * 0.85, y + size * 0.85), size * 0.25)
        elif kind == 2:
            pen.polygon([(x + size * math.cos(a), y + size * math.sin(a)) for a in (0, 2.094, 4.189)])
        else:
            for step in (-1, 0, 1):
                pen.rectangle(
                    (x - size, y + size * (0.7 * step - 0.18), x + size, y + size * (0.7 * step + 0.18)), size * 0.18
                )

    canvas.fill(draw, WHITE, box=(x - 2 * size, y - 2 * size, x + 2 * size, y + 2 * size))
