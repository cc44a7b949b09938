"""A small painter on top of Pillow: antialiased shapes, gradients, glows and veils.

Shapes are drawn as grey masks at `SUPERSAMPLING` times the size of their box, reduced, and used to paste a
colour or a gradient: that costs a third of supersampling the whole picture in colour.
Lengths and positions are pixels of the canvas, y grows downwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Color = tuple[int, int, int]
Point = tuple[float, float]
Box = tuple[float, float, float, float]

SUPERSAMPLING = 3
SOFT_REDUCTION = 4
"""How much smaller a mask is while it is blurred."""

EDGE = 180
"""What Pillow's radial gradient, 0 in the middle and 255 in the corners, is in the middle of an edge."""


@dataclass(frozen=True)
class Gradient:
    """A change of colour over the box of the shape that it fills."""

    start: Color
    end: Color
    across: bool = False
    """From left to right instead of from top to bottom."""


Paint = Color | Gradient


class Pen:
    """Draws white shapes on a supersampled mask, in coordinates of the canvas."""

    def __init__(self, mask: Image.Image, origin: tuple[int, int]) -> None:
        self._draw = ImageDraw.Draw(mask)
        self._origin = origin

    def _at(self, point: Point) -> Point:
        return (point[0] - self._origin[0]) * SUPERSAMPLING, (point[1] - self._origin[1]) * SUPERSAMPLING

    def _within(self, box: Box) -> Box:
        left, top = self._at(box[:2])
        right, bottom = self._at(box[2:])
        return left, top, max(left, right - 1), max(top, bottom - 1)

    def polygon(self, points: Sequence[Point], *, erase: bool = False) -> None:
        self._draw.polygon([self._at(point) for point in points], fill=0 if erase else 255)

    def ellipse(self, box: Box, *, erase: bool = False) -> None:
        self._draw.ellipse(self._within(box), fill=0 if erase else 255)

    def circle(self, center: Point, radius: float, *, erase: bool = False) -> None:
        x, y = center
        self.ellipse((x - radius, y - radius, x + radius, y + radius), erase=erase)

    def slice(self, box: Box, start: float, end: float, *, erase: bool = False) -> None:
        """A slice of the ellipse in `box`, clockwise from `start` to `end` degrees, 0 at three o'clock."""
        self._draw.pieslice(self._within(box), start, end, fill=0 if erase else 255)

    def rectangle(self, box: Box, radius: float = 0) -> None:
        self._draw.rounded_rectangle(self._within(box), radius * SUPERSAMPLING, fill=255)

    def stroke(self, points: Sequence[Point], width: float, end_width: float | None = None) -> None:
        """A line with round joints and ends that tapers from `width` to `end_width`."""
        last = max(1, len(points) - 1)
        target = width if end_width is None else end_width
        for index, (a, b) in enumerate(pairwise(points)):
            here = width + (target - width) * index / last
            self._draw.line([self._at(a), self._at(b)], fill=255, width=max(1, round(here * SUPERSAMPLING)))
            self.circle(a, here / 2)
        self.circle(points[-1], target / 2)


class Canvas:
    """A picture in the making."""

    def __init__(self, width: int, height: int) -> None:
        self.image = Image.new("RGB", (width, height))
        self.width = width
        self.height = height
        self.short = min(width, height)
        """The shorter side, the measure for sizes of things."""

    def wash(self, colors: Sequence[Color]) -> None:
        """Cover everything with a gradient from top to bottom."""
        self.mesh([[color] for color in colors])

    def mesh(self, rows: Sequence[Sequence[Color]]) -> None:
        """Cover everything with a smooth field of colours that are given as a coarse grid."""
        coarse = Image.new("RGB", (len(rows[0]), len(rows)))
        coarse.putdata([color for row in rows for color in row])
        self.image.paste(coarse.resize(self.image.size, Image.Resampling.BICUBIC))

    def fill(
        self,
        draw: Callable[[Pen], None],
        paint: Paint,
        *,
        box: Box | None = None,
        opacity: float = 1.0,
        blur: float = 0.0,
    ) -> None:
        """Fill what `draw` draws, which stays inside `box`; `blur` is the radius of a soft edge."""
        place = self._clip(box)
        size = place[2] - place[0], place[3] - place[1]
        if min(size) <= 0:
            return
        mask = self.mask(draw, place)
        if blur:
            mask = soften(mask, blur)
        if opacity < 1:
            mask = mask.point([round(level * opacity) for level in range(256)])
        self.image.paste(_ink(paint, size), place[:2] if isinstance(paint, Gradient) else place, mask)

    def mask(self, draw: Callable[[Pen], None], place: tuple[int, int, int, int] | None = None) -> Image.Image:
        """What `draw` draws inside `place` as an antialiased grey mask."""
        left, top, right, bottom = place or (0, 0, self.width, self.height)
        supersampled = Image.new("L", ((right - left) * SUPERSAMPLING, (bottom - top) * SUPERSAMPLING))
        draw(Pen(supersampled, (left, top)))
        return supersampled.reduce(SUPERSAMPLING)

    def polygon(self, points: Sequence[Point], paint: Paint, *, opacity: float = 1.0, blur: float = 0.0) -> None:
        xs, ys = zip(*points, strict=True)
        pad = 3 * blur
        box = (min(xs) - pad, min(ys) - pad, max(xs) + pad, max(ys) + pad)
        self.fill(lambda pen: pen.polygon(points), paint, box=box, opacity=opacity, blur=blur)

    def circle(self, center: Point, radius: float, paint: Paint, *, opacity: float = 1.0) -> None:
        x, y = center
        box = (x - radius, y - radius, x + radius, y + radius)
        self.fill(lambda pen: pen.ellipse(box), paint, box=box, opacity=opacity)

    def rectangle(self, box: Box, paint: Paint, *, radius: float = 0, opacity: float = 1.0, blur: float = 0.0) -> None:
        pad = 3 * blur
        around = (box[0] - pad, box[1] - pad, box[2] + pad, box[3] + pad)
        self.fill(lambda pen: pen.rectangle(box, radius), paint, box=around, opacity=opacity, blur=blur)

    def glow(self, center: Point, radius: float, color: Color, opacity: float) -> None:
        """Light that fades to nothing at `radius`."""
        side = max(2, round(2 * radius))
        falloff = Image.radial_gradient("L").point(
            [round(255 * opacity * max(0.0, 1 - distance / EDGE) ** 2) for distance in range(256)]
        )
        mask = falloff.resize((side, side), Image.Resampling.BICUBIC)
        left, top = round(center[0] - side / 2), round(center[1] - side / 2)
        self.image.paste(color, (left, top, left + side, top + side), mask)

    def veil(self, top: float, bottom: float, color: Color, opacities: tuple[float, float]) -> None:
        """A haze over the whole width, whose opacity changes from `top` to `bottom`."""
        left, upper, right, lower = self._clip((0, top, self.width, bottom))
        if lower <= upper:
            return
        start, end = (round(255 * opacity) for opacity in opacities)
        fade = Image.linear_gradient("L").point([round(start + (end - start) * step / 255) for step in range(256)])
        mask = fade.resize((right - left, lower - upper), Image.Resampling.BILINEAR)
        self.image.paste(color, (left, upper, right, lower), mask)

    def _clip(self, box: Box | None) -> tuple[int, int, int, int]:
        if box is None:
            return 0, 0, self.width, self.height
        left, top = max(0, int(box[0]) - 1), max(0, int(box[1]) - 1)
        return left, top, min(self.width, int(box[2]) + 2), min(self.height, int(box[3]) + 2)


def soften(mask: Image.Image, radius: float) -> Image.Image:
    """Blur at a reduced size, which is as good for soft things and many times faster."""
    if radius < SOFT_REDUCTION or min(mask.size) < 2 * SOFT_REDUCTION:
        return mask.filter(ImageFilter.GaussianBlur(radius))
    small = mask.reduce(SOFT_REDUCTION).filter(ImageFilter.GaussianBlur(radius / SOFT_REDUCTION))
    return small.resize(mask.size, Image.Resampling.BILINEAR)


def mix(first: Color, second: Color, share: float) -> Color:
    """The colour between two; `share` 0 is the first, 1 the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def _ink(paint: Paint, size: tuple[int, int]) -> Color | Image.Image:
    if not isinstance(paint, Gradient):
        return paint
    ends = Image.new("RGB", (2, 1) if paint.across else (1, 2))
    ends.putdata([paint.start, paint.end])
    # Pillow holds the outer quarter of a two-pixel ramp constant: enlarge the middle half only.
    area = (0.5, 0, 1.5, 1) if paint.across else (0, 0.5, 1, 1.5)
    return ends.resize(size, Image.Resampling.BILINEAR, box=area)
