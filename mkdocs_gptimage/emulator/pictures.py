"""From a request to a PNG: choose a composition, paint it, finish it like a print, sign it."""

from __future__ import annotations

import hashlib
import io
import math
import random
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw, ImageFont

from mkdocs_gptimage.emulator.abstracts import ribbons, shapes
from mkdocs_gptimage.emulator.canvas import Canvas
from mkdocs_gptimage.emulator.cities import city
from mkdocs_gptimage.emulator.collages import collage
from mkdocs_gptimage.emulator.diagrams import diagram
from mkdocs_gptimage.emulator.interiors import FURS, cat
from mkdocs_gptimage.emulator.landscapes import forest, hills, mountains
from mkdocs_gptimage.emulator.palettes import choose_palette
from mkdocs_gptimage.emulator.relighting import is_asked_for, relight
from mkdocs_gptimage.emulator.skies import space
from mkdocs_gptimage.emulator.waters import sea

if TYPE_CHECKING:
    from collections.abc import Callable

    from mkdocs_gptimage.emulator.palettes import Palette
    from mkdocs_gptimage.emulator.references import Reference

    Composition = Callable[[Canvas, Palette, random.Random], None]

WORKING_PIXELS = 2_200_000
"""Bigger pictures are painted at about this many pixels and enlarged: it bounds time and memory."""

COMPRESS_LEVEL = 6
GRAIN_TILE = 512
GRAIN = bytes((127, 128, 128, 129))
"""What a random byte, modulo four, becomes; 128 changes nothing."""

SIGNATURE = "emulated"
SMALLEST_SIGNED = 96
"""Pixels of the shorter side under which a signature would cover the picture."""

BY_CHANCE: tuple[Composition, ...] = (hills, mountains, forest, sea, city, shapes, ribbons)
BY_WORD: tuple[tuple[Composition, str], ...] = (
    (cat, "cat cats kitten kitty feline windowsill"),
    (diagram, "diagram flowchart flow chart architecture pipeline workflow infographic schema schematic graph process"),
    (diagram, "system data server servers network icon icons cards"),
    (space, "space planet planets galaxy cosmos orbit rocket astronaut saturn universe satellite"),
    (sea, "sea ocean wave waves beach boat boats ship sail sailing sailboat harbor harbour coast island lighthouse"),
    (city, "city skyline street town skyscraper skyscrapers building buildings downtown urban metropolis"),
    (mountains, "mountain mountains peak peaks alps summit lake glacier fjord cliff volcano"),
    (forest, "forest wood woods tree trees pine pines jungle fox deer bear owl"),
    (hills, "hill hills landscape valley field fields meadow farm desert dunes dune countryside village road path"),
    (shapes, "geometric pattern shapes tiles bauhaus mosaic retro poster logo minimal minimalist abstract"),
    (ribbons, "ribbon ribbons fluid wavy gradient silk background banner hero smoke music"),
)


@dataclass(frozen=True)
class Subject:
    """All that a picture depends on: equal subjects give equal bytes."""

    prompt: str
    width: int
    height: int
    references: tuple[Reference, ...] = ()


def draw(subject: Subject) -> bytes:
    """Draw a PNG of exactly the subject's pixels."""
    seed = hashlib.sha256("\0".join([subject.prompt, *(r.digest for r in subject.references)]).encode()).hexdigest()
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    scale = min(1.0, math.sqrt(WORKING_PIXELS / (subject.width * subject.height)))
    canvas = Canvas(max(1, round(subject.width * scale)), max(1, round(subject.height * scale)))
    _compose(canvas, subject, chance)
    return _finish(canvas.image, (subject.width, subject.height), chance)


def choose_composition(words: frozenset[str], chance: random.Random) -> Composition:
    """The composition that most words of the prompt call for, else one by chance."""
    scores = [len(words & set(called.split())) for _, called in BY_WORD]
    drawn = chance.choice(BY_CHANCE)
    return BY_WORD[scores.index(max(scores))][0] if max(scores) else drawn


def _compose(canvas: Canvas, subject: Subject, chance: random.Random) -> None:
    words = frozenset(re.findall(r"[a-z]+", subject.prompt.lower()))
    composition = choose_composition(words, chance)
    palette = choose_palette(words, chance)
    if composition is cat:
        fur = next((color for name, color in FURS.items() if name in words), None)
        composition = partial(cat, fur=fur)
    if is_asked_for(words, subject.references, subject.width, subject.height):
        relight(canvas, subject.references[0])
    elif subject.references:
        collage(canvas, palette, chance, subject.references)
    else:
        composition(canvas, palette, chance)


def _finish(painted: Image.Image, size: tuple[int, int], chance: random.Random) -> bytes:
    """Vignette at the working size; enlarge; grain and signature at the full size; encode."""
    corners = Image.radial_gradient("L").point([round(max(0, level - 150) * 0.36) for level in range(256)])
    painted.paste((8, 6, 16), (0, 0, *painted.size), corners.resize(painted.size, Image.Resampling.BILINEAR))
    image = painted if painted.size == size else painted.resize(size, Image.Resampling.BICUBIC)
    image = _grained(image, chance)
    _sign(image)
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=COMPRESS_LEVEL)
    return out.getvalue()


def _grained(image: Image.Image, chance: random.Random) -> Image.Image:
    """Add a grain of one level up or down, which also hides the steps of the gradients."""
    noise = chance.randbytes(GRAIN_TILE * GRAIN_TILE).translate(bytes(GRAIN[value % 4] for value in range(256)))
    tile = Image.frombytes("L", (GRAIN_TILE, GRAIN_TILE), noise)
    layer = Image.new("L", image.size)
    for top in range(0, image.height, GRAIN_TILE):
        for left in range(0, image.width, GRAIN_TILE):
            layer.paste(tile, (left, top))
    return ImageChops.add(image, Image.merge("RGB", (layer, layer, layer)), 1, -128)


def _sign(image: Image.Image) -> None:
    """A small strip in the lower right corner that says what made the picture."""
    short = min(image.size)
    if short < SMALLEST_SIGNED:
        return
    height = max(11, round(short * 0.019))
    font = ImageFont.load_default(height)
    left, top, right, bottom = font.getbbox(SIGNATURE)
    pad, margin = round(height * 0.5), round(short * 0.018)
    width, tall = round(right - left) + 2 * pad, round(bottom - top) + pad + 2
    corner = image.width - margin - width, image.height - margin - tall
    strip = Canvas(width, tall)
    mask = strip.mask(lambda pen: pen.rectangle((0, 0, width, tall), tall * 0.4))
    image.paste((18, 18, 26), corner, mask.point([round(level * 0.42) for level in range(256)]))
    place = corner[0] + pad - left, corner[1] + (tall - (bottom - top)) / 2 - top
    ImageDraw.Draw(image).text(place, SIGNATURE, font=font, fill=(240, 238, 232))
