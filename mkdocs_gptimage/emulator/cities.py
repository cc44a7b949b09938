"""A skyline by the water, its windows lit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mkdocs_gptimage.emulator.canvas import Gradient, mix
from mkdocs_gptimage.emulator.landscapes import reflect
from mkdocs_gptimage.emulator.skies import paint_clouds, paint_sky

if TYPE_CHECKING:
    import random

    from mkdocs_gptimage.emulator.canvas import Box, Canvas, Pen, Point
    from mkdocs_gptimage.emulator.palettes import Palette


@dataclass(frozen=True)
class Building:
    """One house front; pixels."""

    left: float
    top: float
    width: float
    roof: str


@dataclass(frozen=True)
class Row:
    """Houses side by side."""

    buildings: tuple[Building, ...]
    shore: float
    """Where they stand, in pixels from the top."""
    depth: float
    """From 0, the row at the back, to 1, the nearest."""


def city(canvas: Canvas, palette: Palette, chance: random.Random) -> None:
    """Three rows of buildings, the nearest with lit windows, over still water."""
    shore = canvas.height * chance.uniform(0.74, 0.82)
    paint_sky(canvas, palette, chance, shore)
    paint_clouds(canvas, palette, chance, shore * 0.6)
    for depth in (0.0, 0.5, 1.0):
        row = _row(canvas, chance, shore, depth)
        color = mix(mix(palette.far, palette.sky[-2], 0.45), palette.near, 0.12 + 0.8 * depth)
        _fronts(canvas, row, Gradient(color, mix(color, palette.sky[-1], 0.3 * (1 - depth))))
        if depth:
            _windows(canvas, palette, chance, row)
        canvas.veil(shore * 0.55, shore, palette.sky[-1], (0.0, 0.3 * (1 - depth)))
    quay = canvas.short * 0.012
    canvas.rectangle((0, shore - quay, canvas.width, shore), palette.near)
    reflect(canvas, palette, chance, shore)


def _row(canvas: Canvas, chance: random.Random, shore: float, depth: float) -> Row:
    unit = canvas.short * (0.062 + 0.03 * depth)
    buildings = []
    x = -unit * chance.random()
    tall = min(shore * 0.8, canvas.short * 1.1)
    while x < canvas.width:
        width = unit * chance.uniform(0.65, 1.5)
        # Towers gather in the middle of the picture.
        middle = 1 - abs(2 * (x + width / 2) / canvas.width - 1)
        height = tall * (0.62 - 0.3 * depth) * (0.3 + 0.45 * middle + 0.35 * chance.random())
        buildings.append(Building(x, shore - height, width, chance.choice(("flat", "flat", "step", "spire", "slant"))))
        x += width * chance.uniform(0.92, 1.12)
    return Row(tuple(buildings), shore, depth)


def _fronts(canvas: Canvas, row: Row, paint: Gradient) -> None:
    def draw(pen: Pen) -> None:
        for building in row.buildings:
            pen.polygon(_outline(building, row.shore))

    highest = min(building.top - building.width for building in row.buildings)
    canvas.fill(draw, paint, box=(0, highest, canvas.width, row.shore))


def _outline(building: Building, shore: float) -> list[Point]:
    left, top, width = building.left, building.top, building.width
    right = left + width
    roofs: dict[str, list[Point]] = {
        "flat": [(left, top), (right, top)],
        "slant": [(left, top), (right, top - width * 0.35)],
        "step": [
            (left, top), (left + width * 0.2, top), (left + width * 0.2, top - width * 0.22),
            (right - width * 0.2, top - width * 0.22), (right - width * 0.2, top), (right, top),
        ],
        "spire": [
            (left, top), (left + width * 0.42, top - width * 0.25), (left + width * 0.49, top - width * 0.85),
            (left + width * 0.51, top - width * 0.85), (left + width * 0.58, top - width * 0.25), (right, top),
        ],
    }  # fmt: skip
    return [(left, shore), *roofs[building.roof], (right, shore)]


def _windows(canvas: Canvas, palette: Palette, chance: random.Random, row: Row) -> None:
    panes: list[list[Box]] = [[], []]
    for building in row.buildings:
        columns = max(2, round(building.width / (canvas.short * 0.017)))
        step = building.width / columns
        size = step * 0.42
        lit = chance.uniform(0.15, 0.6)
        for floor in range(int((row.shore - building.top) / (step * 1.25)) - 1):
            y = building.top + step * (0.6 + 1.25 * floor)
            for column in range(columns):
                if chance.random() < lit:
                    x = building.left + step * (column + 0.5) - size / 2
                    chance.choice(panes).append((x, y, x + size, y + size * 1.3))
    for group, color in zip(panes, (palette.light, palette.accents[1]), strict=True):

        def draw(pen: Pen, group: list[Box] = group) -> None:
            for pane in group:
                pen.rectangle(pane)

        opacity = (0.4 + 0.5 * row.depth) * (0.85 if palette.dark else 0.6)
        canvas.fill(draw, color, box=(0, 0, canvas.width, row.shore), opacity=opacity)
