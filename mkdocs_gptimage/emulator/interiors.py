"""A cat on a windowsill."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mkdocs_gptimage.emulator.canvas import Canvas, Gradient, mix
from mkdocs_gptimage.emulator.landscapes import hills

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from mkdocs_gptimage.emulator.canvas import Box, Color, Pen, Point
    from mkdocs_gptimage.emulator.palettes import Palette

# Half of the body from the neck down to the sill, as shares of the cat's height: distance from the axis, height.
BODY = ((0.10, 0.70), (0.135, 0.62), (0.19, 0.5), (0.25, 0.36), (0.285, 0.22), (0.28, 0.1), (0.24, 0.02), (0.16, 0.0))
GINGER, BLACK = (222, 126, 48), (52, 48, 56)
FURS: dict[str, Color] = {
    "orange": GINGER,
    "ginger": GINGER,
    "red": GINGER,
    "black": BLACK,
    "white": (232, 224, 212),
    "grey": (128, 128, 138),
    "gray": (128, 128, 138),
    "brown": (122, 86, 60),
}


def cat(canvas: Canvas, palette: Palette, chance: random.Random, fur: Color | None = None) -> None:
    """A cat seen from behind that looks out of a window at the hills."""
    wall = mix(palette.near, palette.accents[3 % len(palette.accents)], 0.3)
    canvas.wash([mix(wall, palette.sky[-2], 0.12), mix(wall, palette.near, 0.35)])
    sill = canvas.height * 0.8
    tall = min(sill * 0.86, canvas.width * 1.1)
    wide = min(canvas.width * 0.84, tall * 1.5)
    left = (canvas.width - wide) / 2
    opening = (left, sill - tall, left + wide, sill)
    _window(canvas, palette, chance, opening)
    _light(canvas, palette, opening)
    size = min(tall * 0.62, canvas.width * 0.6)
    foot = left + wide * chance.uniform(0.36, 0.62), sill + canvas.short * 0.012
    _plant(canvas, palette, chance, (left + wide * (0.88 if foot[0] < canvas.width / 2 else 0.12), sill))
    _cat(canvas, palette, fur or chance.choice((GINGER, BLACK)), foot, size)


def _window(canvas: Canvas, palette: Palette, chance: random.Random, opening: Box) -> None:
    left, top, right, bottom = opening
    view = Canvas(max(1, round(right - left)), max(1, round(bottom - top)))
    hills(view, palette, chance)
    frame = canvas.short * 0.022
    wood = mix(palette.paper, palette.sky[-2], 0.25)
    canvas.rectangle((left - frame, top - frame, right + frame, bottom + frame), palette.near, opacity=0.4, blur=frame)
    canvas.rectangle((left - frame, top - frame, right + frame, bottom), wood)
    canvas.image.paste(view.image, (round(left), round(top)))
    bar = frame * 0.4
    middle = (left + right) / 2
    for box in ((middle - bar, top, middle + bar, bottom), (left, top + (bottom - top) * 0.36 - bar, right, 0.0)):
        lower = box[3] or box[1] + 2 * bar
        canvas.rectangle((box[0], box[1], box[2], lower), mix(wood, palette.near, 0.12))
    ledge = (left - 3 * frame, bottom, right + 3 * frame, bottom + 1.7 * frame)
    canvas.rectangle((ledge[0], bottom, ledge[2], bottom + 4 * frame), palette.near, opacity=0.45, blur=frame)
    canvas.rectangle(ledge, Gradient(mix(wood, palette.light, 0.4), mix(wood, palette.near, 0.25)), radius=frame * 0.2)


def _light(canvas: Canvas, palette: Palette, opening: Box) -> None:
    """What falls through the window on the wall beneath it."""
    left, _, right, bottom = opening
    slant = (right - left) * 0.12
    low = canvas.height
    canvas.polygon(
        [
            (left, bottom + canvas.short * 0.05),
            (right, bottom + canvas.short * 0.05),
            (right + slant, low),
            (left + slant, low),
        ],
        palette.light,
        opacity=0.1,
        blur=canvas.short * 0.012,
    )


def _cat(canvas: Canvas, palette: Palette, fur: Color, foot: Point, size: float) -> None:
    x, y = foot

    def at(across: float, up: float) -> Point:
        return x + across * size, y - up * size

    def draw(pen: Pen) -> None:
        half = smooth([at(across, up) for across, up in BODY])
        pen.polygon([*half, *[(2 * x - px, py) for px, py in reversed(half)]])
        pen.ellipse((*at(-0.175, 0.91), *at(0.175, 0.62)))
        for side in (-1, 1):
            ear = [at(side * 0.168, 0.79), at(side * 0.155, 0.985), at(side * 0.135, 1.0), at(side * 0.035, 0.885)]
            pen.polygon([*smooth(ear, 4), at(side * 0.06, 0.76)])
        pen.stroke(
            smooth([at(0.12, 0.05), at(0.3, 0.035), at(0.4, -0.03), at(0.43, -0.16), at(0.36, -0.27), at(0.29, -0.25)]),
            size * 0.075,
            size * 0.045,
        )

    around = (x - size * 0.6, y - size * 1.05, x + size * 0.6, y + size * 0.36)
    shade = mix(fur, palette.near, 0.45)
    canvas.rectangle(
        (x - size * 0.3, y - size * 0.02, x + size * 0.34, y + size * 0.02),
        palette.near,
        opacity=0.5,
        blur=size * 0.015,
    )
    canvas.fill(draw, mix(palette.light, fur, 0.35), box=around)
    inner = (x - size * 0.6, y - size * 1.04, x + size * 0.6, y + size * 0.36)
    canvas.fill(draw, Gradient(mix(fur, palette.sky[-2], 0.12), shade), box=inner)
    _stripes(canvas, mix(fur, palette.near, 0.6), at, size)


def _stripes(canvas: Canvas, color: Color, at: Callable[[float, float], Point], size: float) -> None:

    def draw(pen: Pen) -> None:
        for up, reach in ((0.52, 0.1), (0.44, 0.14), (0.35, 0.17), (0.26, 0.18)):
            for side in (-1, 1):
                arc = smooth(
                    [
                        at(side * reach, up + 0.02),
                        at(side * reach * 0.6, up - 0.005),
                        at(side * 0.02, up - 0.012),
                    ]
                )
                pen.stroke(arc, size * 0.006, size * 0.02)

    canvas.fill(draw, color, opacity=0.55)


def _plant(canvas: Canvas, palette: Palette, chance: random.Random, foot: Point) -> None:
    x, y = foot
    size = canvas.short * 0.12
    green = mix((74, 124, 89), palette.near, 0.3)

    def leaves(pen: Pen) -> None:
        for step in range(7):
            angle = math.pi * (0.12 + 0.76 * step / 6) + chance.uniform(-0.08, 0.08)
            reach = size * chance.uniform(0.85, 1.25)
            tip = x + reach * math.cos(angle), y - size * 0.6 - reach * math.sin(angle)
            bend = x + reach * 0.35 * math.cos(angle), y - size * 0.6 - reach * 0.75 * math.sin(angle)
            pen.stroke(smooth([(x, y - size * 0.5), bend, tip]), size * 0.13, size * 0.015)

    canvas.fill(
        leaves, Gradient(mix(green, palette.light, 0.2), green), box=(x - 2 * size, y - 3 * size, x + 2 * size, y)
    )
    pot = [
        (x - size * 0.36, y - size * 0.62),
        (x + size * 0.36, y - size * 0.62),
        (x + size * 0.26, y + 2),
        (x - size * 0.26, y + 2),
    ]
    clay = mix(palette.accents[0], palette.near, 0.15)
    canvas.polygon(pot, Gradient(clay, mix(clay, palette.near, 0.45), across=True))
    canvas.rectangle(
        (x - size * 0.41, y - size * 0.68, x + size * 0.41, y - size * 0.5), mix(clay, palette.light, 0.12)
    )


def smooth(points: list[Point], steps: int = 10) -> list[Point]:
    """A Catmull-Rom curve through `points`."""
    padded = [points[0], *points, points[-1]]
    curve = []
    for p0, p1, p2, p3 in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        for step in range(steps):
            t = step / steps
            x, y = (
                0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t**3)
                for a, b, c, d in zip(p0, p1, p2, p3, strict=True)
            )
            curve.append((x, y))
    return [*curve, points[-1]]
