"""Placeholder pictures: a seeded landscape or mosaic with the prompt set in type below it.

A picture says what it is: the prompt, "emulated" and the requested size stand on it, and reference images are pinned to it as
small prints. Lengths and positions are in pixels, y grows downwards.
"""

from __future__ import annotations

import hashlib
import io
import math
import random
import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont, ImageStat

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mkdocs_gptimage.emulator.references import Reference

    Color = tuple[int, int, int]
    Point = tuple[float, float]
    Scene = Callable[[Image.Image, "Palette", random.Random], None]

WORKING_PIXELS = 2_200_000
"""Larger backdrops are painted at about this many pixels and enlarged, which bounds time and memory."""
SUPERSAMPLING = 3
GROUND = 0.6
"""Share of the height at which the ground begins, on which the prompt is set."""
MARGIN = 0.07
"""Of the type, as a share of the shorter side."""
SMALLEST_WITH_TYPE = 96
"""Shorter sides below this leave no room for type."""
PRINTS_SHARE = 0.1
"""Of the picture's area that all prints cover together; a single one covers twice as much."""
LONGEST_PROMPT = 160
"""Characters of a prompt that are set in type."""
LEADING = 1.22
"""Distance of baselines as a multiple of the font size."""
DASHES = str.maketrans("\u2012\u2013\u2014", "---")
ELLIPSIS = "…"
NOT_TYPED = frozenset({"Cc", "Cf", "Cn", "Co", "So", "Sk"})
"""Unicode categories that no text font sets: emoji, controls, unassigned characters."""
NO_CHARACTER = "\U0010ffff"
"""A code point that no font has: it is drawn as a missing glyph."""
NIGHT_WORDS = frozenset({"night", "dark", "moonlight", "midnight"})
REDRAW_WORDS = frozenset({"redraw", "same"})
SAME_SHAPE = 0.02
"""Largest relative difference between the aspect ratios of two pictures of the same shape."""
MOONLIGHT = (0.62, 0.7, 1.0)
MOONLIT = 52
"""Mean lightness of a picture at night, of 255."""
SYSTEM_FONTS = (
    "DejaVuSans.ttf",
    "NotoSansCJK-Regular.ttc",
    "Arial Unicode.ttf",
    "arial.ttf",
    "msyh.ttc",
    "malgun.ttf",
)
"""Tried in this order for prompts that Pillow's own font, which knows little more than ASCII, cannot set."""


@dataclass(frozen=True)
class PictureSpec:
    """Everything a picture depends on: equal specs give equal bytes."""

    prompt: str
    width: int
    height: int
    references: tuple[Reference, ...] = ()
    label: str = ""
    """The size and tier that were asked for, for example `16:9 · 2k`."""
    seed: int = 0
    attempt: int = 0
    """Pictures of the same prompt and seed that were asked for before this one."""


@dataclass(frozen=True)
class Palette:
    """Colours that go together."""

    sky: tuple[Color, Color, Color]
    """Zenith, middle, horizon."""
    sun: Color
    far: Color
    """What stands at the horizon."""
    ground: Color
    accents: tuple[Color, ...]

    @property
    def ink(self) -> Color:
        """Colour of the type on the ground."""
        return mix(self.sun, self.sky[2], 0.25)


def _palette(colors: str) -> Palette:
    zenith, middle, horizon, sun, far, ground, *accents = (
        (int(each[0:2], 16), int(each[2:4], 16), int(each[4:6], 16)) for each in colors.split()
    )
    return Palette((zenith, middle, horizon), sun, far, ground, tuple(accents))


DAYS = tuple(
    map(
        _palette,
        (
            "4a3a73 c8627e ffcf9a fff1cf d98a86 1f1a38 f2545b f3a712 5b4b8a a8c686",  # dusk
            "5f86b3 d9c9d6 ffeed6 fffaf0 b9b6cf 2c3a57 ef8a7a f4b886 7d9bc1 a3b9a0",  # dawn
            "2f80c3 93cbea eff8f3 fffdf0 a3cbd6 163f43 f4a259 f4e285 5b8e7d bc4b51",  # noon
            "6d8a96 d9cdab fbeccb fff6da c99a66 3b2317 bc4749 e07a2f f2b134 6a994e",  # autumn
            "7f9bb8 cfdbe6 f8f4ef ffffff b7c7d8 24384f d98c7a 89a9c4 e8c9b5 5f85a8",  # winter
            "4f807b b5ccae f7f2da fffbe0 9dba9f 12302b d9ae61 74a57f b5543c a7c957",  # wood
            "3f6f8f e2c59f ffdfae fff8dc e0a477 4f2219 c8553d f28f3b 588b8b ffd5a3",  # desert
            "12406b 54b5b8 f5efcf fffbe6 6fb3b8 08263f ff7f51 ffbf69 2ec4b6 f4d6cc",  # lagoon
            "4b2550 c05f7b f9c3aa ffe9d6 a9557a 1f1130 e56b6f eaac8b 6d597a f2d0a9",  # plum
        ),
    )
)
NIGHTS = tuple(
    map(
        _palette,
        (
            "0a1128 1b2a58 3f5a8c f7f3dc 2f4577 070c1d f4d35e 3d5a98 2a9d8f 8d99ae",
            "120e24 33204a 6b3d68 ffe9d6 472a55 0d0a1a e56b6f b56576 6d597a eaac8b",
            "071a20 123c45 2f6f70 f0f7e4 1f5157 04120f 2ec4b6 84a98c e9c46a 52796f",
        ),
    )
)


def draw(spec: PictureSpec) -> bytes:
    """Draw a PNG of exactly `spec.width` by `spec.height` pixels."""
    references = "\n".join(reference.digest for reference in spec.references)
    chance = random.Random(f"{spec.seed}\n{spec.attempt}\n{references}\n{spec.prompt}")  # noqa: S311 - repeatable
    palette, scene = _look(spec)
    size = (spec.width, spec.height)
    if _is_dark_twin(spec):
        palette = chance.choice(NIGHTS)
        image = _moonlit(spec.references[0], size, chance)
        prints: tuple[Reference, ...] = ()
    else:
        image = _backdrop(size, palette, scene, chance)
        prints = spec.references
    ridge = _rolling(image.size, chance, spec.height * (GROUND + 0.02), spec.height * 0.022)
    _fill_below(image, ridge, palette.ground, palette.ground)
    _pin(image, prints, chance)
    if min(size) >= SMALLEST_WITH_TYPE:
        _set_type(image, spec, palette)
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=4)
    return out.getvalue()


def mix(first: Color, second: Color, share: float) -> Color:
    """The colour between two: `share` 0 is the first, 1 the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def _words(prompt: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+", prompt.lower()))


def _look(spec: PictureSpec) -> tuple[Palette, Scene]:
    """Palette and scene: successive attempts at a prompt never share either."""
    deck = random.Random(f"{spec.seed}\n{spec.prompt}")  # noqa: S311 - repeatable
    palettes = NIGHTS if NIGHT_WORDS & _words(spec.prompt) else DAYS
    shuffled = deck.sample(palettes, len(palettes))
    scenes = deck.sample(SCENES, len(SCENES))
    return shuffled[spec.attempt % len(shuffled)], scenes[spec.attempt % len(scenes)]


# Backdrops


def _backdrop(size: tuple[int, int], palette: Palette, scene: Scene, chance: random.Random) -> Image.Image:
    scale = min(1.0, math.sqrt(WORKING_PIXELS / (size[0] * size[1])))
    image = Image.new("RGB", (max(1, round(size[0] * scale)), max(1, round(size[1] * scale))))
    _fill(image, (0, 0, image.width, math.ceil(image.height * (GROUND + 0.1))), palette.sky)
    scene(image, palette, chance)
    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)


def _hills(image: Image.Image, palette: Palette, chance: random.Random) -> None:
    """Hills behind hills under a sun."""
    horizon = image.height * chance.uniform(0.3, 0.36)
    _sun(image, palette, chance, horizon)
    layers = chance.randint(4, 6)
    for layer in range(layers):
        depth = layer / layers
        base = horizon + (image.height * GROUND - horizon) * depth
        color = mix(mix(palette.far, palette.sky[2], 0.3 * (1 - depth)), palette.ground, 0.85 * depth)
        ridge = _rolling(image.size, chance, base, min(image.size) * (0.03 + 0.05 * depth))
        _fill_below(image, ridge, color, mix(color, palette.sky[2], 0.35 * (1 - depth)))


def _peaks(image: Image.Image, palette: Palette, chance: random.Random) -> None:
    """Mountain ranges that fade into the haze."""
    foot = image.height * GROUND
    _sun(image, palette, chance, foot * 0.6)
    for depth in (0.0, 0.35, 0.7):
        summit = foot * (0.62 - 0.5 * depth) * min(1.0, 0.35 + 0.4 * image.width / image.height)
        color = mix(mix(palette.far, palette.sky[1], 0.2), palette.ground, depth)
        ridge = _jagged(image.size, chance, foot - summit * 0.15, summit)
        _fill_below(image, ridge, color, mix(color, palette.sky[2], 0.5 * (1 - depth)))


def _sea(image: Image.Image, palette: Palette, chance: random.Random) -> None:
    """A sun over water, with its light on the waves."""
    horizon = image.height * chance.uniform(0.36, 0.42)
    center = _sun(image, palette, chance, horizon)
    coast = _rolling(image.size, chance, horizon - min(image.size) * 0.01, min(image.size) * 0.02)
    _fill_below(image, coast, mix(palette.far, palette.sky[2], 0.25), palette.far)
    water = (mix(palette.sky[2], palette.far, 0.5), mix(palette.sky[0], palette.ground, 0.35))
    _fill(image, (0, round(horizon), image.width, math.ceil(image.height * (GROUND + 0.1))), water)
    reach = image.height * (GROUND + 0.05) - horizon
    with_light = ImageDraw.Draw(image, "RGBA")
    for _ in range(90):
        depth = chance.random() ** 1.4
        y = horizon + 2 + reach * depth
        width = min(image.size) * chance.uniform(0.02, 0.09) * (0.5 + depth)
        x = center[0] + chance.gauss(0, 1) * min(image.size) * (0.05 + 0.2 * depth)
        height = max(1.0, min(image.size) * 0.004 * (0.6 + depth))
        box = (x - width, y - height / 2, x + width, y + height / 2)
        with_light.rounded_rectangle(box, height / 2, (*palette.sun, round(150 * (1 - 0.6 * depth))))


def _mosaic(image: Image.Image, palette: Palette, chance: random.Random) -> None:
    """Tiles of quarter circles, half circles and triangles."""
    rows = 3 if image.width > image.height * 2 else 4
    side = math.ceil(image.height * (GROUND + 0.06) / rows)
    side = min(side, math.ceil(image.width / 4))
    tile = side * 2
    colors = (*palette.accents, palette.sky[1], palette.sky[2], palette.far, palette.sun)
    sheet = Image.new("RGB", (tile, tile))
    pen = ImageDraw.Draw(sheet)
    for top in range(0, math.ceil(image.height * (GROUND + 0.1)), side):
        for left in range(0, image.width, side):
            back, front = chance.sample(colors, 2)
            pen.rectangle((0, 0, tile, tile), back)
            _ornament(pen, tile, front, chance)
            image.paste(sheet.reduce(2), (left, top))


def _ornament(pen: ImageDraw.ImageDraw, tile: int, color: Color, chance: random.Random) -> None:
    x, y = chance.choice((0, tile)), chance.choice((0, tile))
    kind = chance.randrange(4)
    if kind == 0:
        pen.ellipse((x - tile, y - tile, x + tile, y + tile), color)
    elif kind == 1:
        pen.ellipse((0, y - tile / 2, tile, y + tile / 2), color)
    elif kind == 2:
        pen.polygon([(x, y), (tile - x, y), (x, tile - y)], color)
    else:
        pen.ellipse((tile * 0.22, tile * 0.22, tile * 0.78, tile * 0.78), color)


SCENES: tuple[Scene, ...] = (_hills, _mosaic, _sea, _peaks)


def _sun(image: Image.Image, palette: Palette, chance: random.Random, horizon: float) -> Point:
    """Paint a sun with its glow; returns its centre."""
    short = min(image.size)
    radius = short * chance.uniform(0.05, 0.085)
    x, y = image.width * chance.uniform(0.2, 0.8), horizon - radius * chance.uniform(-0.2, 1.8)
    reach = round(short * 0.45)
    glow = Image.radial_gradient("L").point([round(150 * max(0.0, 1 - level / 180) ** 2) for level in range(256)])
    mask = glow.resize((2 * reach, 2 * reach), Image.Resampling.BICUBIC)
    image.paste(palette.sun, (round(x) - reach, round(y) - reach, round(x) + reach, round(y) + reach), mask)
    side = max(1, round(2 * radius))
    disc = Image.new("L", (side * SUPERSAMPLING, side * SUPERSAMPLING))
    ImageDraw.Draw(disc).ellipse((0, 0, disc.width - 1, disc.height - 1), 255)
    image.paste(palette.sun, (round(x - side / 2), round(y - side / 2)), disc.reduce(SUPERSAMPLING))
    return x, y


def _rolling(size: tuple[int, int], chance: random.Random, base: float, swell: float) -> list[Point]:
    """A soft ridge line around `base` that rises and falls by about `swell`."""
    stretch = size[0] / min(size)
    waves = [(stretch * chance.uniform(0.3, 0.6) * 1.9**k, chance.uniform(0, math.tau), 0.5**k) for k in range(4)]
    return [
        (size[0] * x / 128, base + swell * 0.7 * sum(a * math.sin(f * math.tau * x / 128 + p) for f, p, a in waves))
        for x in range(129)
    ]


def _jagged(size: tuple[int, int], chance: random.Random, base: float, summit: float) -> list[Point]:
    """A rocky ridge line by midpoint displacement, whose highest peak stands about `summit` above `base`."""
    peaks = max(2, min(5, round(size[0] / size[1] * 2)))
    heights = [0.1]
    for _ in range(peaks):
        heights += [chance.uniform(0.6, 1.0), chance.uniform(0.05, 0.4)]
    spread = 0.12
    for _ in range(5):
        for index in range(len(heights) - 1, 0, -1):
            heights.insert(index, (heights[index - 1] + heights[index]) / 2 + chance.uniform(-spread, spread))
        spread *= 0.55
    offset = chance.uniform(0, 0.15)
    step = size[0] * 1.2 / (len(heights) - 1)
    return [(index * step - offset * size[0], base - summit * height) for index, height in enumerate(heights)]


def _fill(image: Image.Image, box: tuple[int, int, int, int], colors: Sequence[Color]) -> None:
    """Fill a box with a gradient from top to bottom."""
    left, top, right, bottom = box
    if bottom > top:
        ramp = Image.new("RGB", (1, len(colors)))
        ramp.putdata(list(colors))
        image.paste(ramp.resize((right - left, bottom - top), Image.Resampling.BICUBIC), (left, top))


def _fill_below(image: Image.Image, ridge: Sequence[Point], upper: Color, lower: Color) -> None:
    """Fill everything below a ridge line with a gradient that ends where the ground begins."""
    top = max(0, math.floor(min(y for _, y in ridge)))
    bottom = min(image.height, math.ceil(max(y for _, y in ridge)) + 1)
    if bottom <= top:
        return
    mask = Image.new("L", (image.width * SUPERSAMPLING, (bottom - top) * SUPERSAMPLING))
    line = [(x * SUPERSAMPLING, (y - top) * SUPERSAMPLING) for x, y in ridge]
    ImageDraw.Draw(mask).polygon([(line[0][0], mask.height), *line, (line[-1][0], mask.height)], 255)
    end = max(bottom, min(image.height, math.ceil(image.height * (GROUND + 0.1))))
    body = Image.new("RGB", (image.width, end - top), lower)
    _fill(body, (0, 0, *body.size), (upper, lower))
    image.paste(body.crop((0, 0, image.width, bottom - top)), (0, top), mask.reduce(SUPERSAMPLING))
    image.paste(body.crop((0, bottom - top, *body.size)), (0, bottom))
    image.paste(lower, (0, end, *image.size))


# Reference images


def _is_dark_twin(spec: PictureSpec) -> bool:
    """Whether a prompt asks for its only reference again, at night and in the same shape."""
    words = _words(spec.prompt)
    if len(spec.references) != 1 or not (words & NIGHT_WORDS and words & REDRAW_WORDS):
        return False
    (reference,) = spec.references
    ratio = reference.width * spec.height / (reference.height * spec.width)
    return reference.sketch is not None and abs(ratio - 1) < SAME_SHAPE


def _moonlit(reference: Reference, size: tuple[int, int], chance: random.Random) -> Image.Image:
    """A reference by moonlight, with stars above it."""
    day = _sketch(reference)
    gain = min(0.8, MOONLIT / max(1.0, ImageStat.Stat(day.convert("L")).mean[0]))
    bands = zip(day.split(), MOONLIGHT, strict=True)
    night = Image.merge("RGB", [band.point([round(gain * share * level) for level in range(256)]) for band, share in bands])
    image = night.resize(size, Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image, "RGBA")
    for _ in range(70):
        x, y = size[0] * chance.uniform(0.03, 0.97), size[1] * (0.03 + 0.3 * chance.random() ** 1.5)
        radius = max(0.5, min(size) * chance.choice((0.0008, 0.0012, 0.002)))
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), (255, 250, 230, chance.randint(90, 220)))
    return image


def _sketch(reference: Reference) -> Image.Image:
    """A small copy of a reference; a pattern that stands for it when only its URL is known."""
    if reference.sketch is not None:
        return Image.open(io.BytesIO(reference.sketch)).convert("RGB")
    tones = hashlib.sha256(reference.digest.encode()).digest()
    return Image.frombytes("RGB", (3, 3), tones[:27]).resize((240, 240), Image.Resampling.BICUBIC)


def _pin(image: Image.Image, references: Sequence[Reference], chance: random.Random) -> None:
    """Pin references to the upper part of a picture as small prints, row by row."""
    if not references:
        return
    width, height = image.width * 0.92, image.height * (GROUND - 0.06)
    rows = _rows(len(references), width / height)
    columns = math.ceil(len(references) / rows)
    cell = (width / columns, height / rows)
    area = image.width * image.height * PRINTS_SHARE * (2 if len(references) == 1 else 1.3) / len(references)
    for index, reference in enumerate(references):
        row, column = divmod(index, columns)
        in_row = min(columns, len(references) - row * columns)
        center = (
            image.width / 2 + (column - (in_row - 1) / 2) * cell[0],
            image.height * 0.04 + (row + 0.5) * cell[1],
        )
        _print(image, reference, center, _print_size(reference, area, cell), chance.uniform(-3, 3))


def _rows(count: int, ratio: float) -> int:
    """The number of rows in which cells are closest to a square."""
    return min(range(1, count + 1), key=lambda rows: abs(math.log(ratio * rows / math.ceil(count / rows))))


def _print(image: Image.Image, reference: Reference, center: Point, size: tuple[int, int], angle: float) -> None:
    """Pin one print of `size` pixels, turned by `angle` degrees, with a white border and a shadow."""
    photo = _sketch(reference).resize(size, Image.Resampling.LANCZOS)
    border = max(1, round(min(size) * 0.05))
    card = Image.new("RGBA", (size[0] + 2 * border, size[1] + 2 * border), (250, 249, 246, 255))
    card.paste(photo, (border, border))
    turned = card.rotate(angle, Image.Resampling.BICUBIC, expand=True)
    left, top = round(center[0] - turned.width / 2), round(center[1] - turned.height / 2)
    shadow = turned.getchannel("A").point([round(level * 0.3) for level in range(256)])
    image.paste((10, 10, 20), (left + border // 2, top + border), shadow)
    image.paste(turned, (left, top), turned)


def _print_size(reference: Reference, area: float, room: tuple[float, float]) -> tuple[int, int]:
    """Pixels of a print that covers about `area` and fits into its cell."""
    ratio = min(4.0, max(0.25, reference.width / reference.height))
    width = math.sqrt(area * ratio)
    fit = min(1.0, room[0] * 0.84 / width, room[1] * 0.84 / (width / ratio))
    return max(1, round(width * fit)), max(1, round(width / ratio * fit))


# Type


def _set_type(image: Image.Image, spec: PictureSpec, palette: Palette) -> None:
    """Set the prompt and the label on the ground, flush left."""
    short = min(image.size)
    margin = round(short * MARGIN)
    bottom = image.height - round(margin * 0.85)
    pen = ImageDraw.Draw(image)
    small = max(11, round(min(image.width * 0.026, short * 0.05)))
    label = f"emulated · {spec.label}" if spec.label else "emulated"
    pen.text((margin, bottom), label, mix(palette.ground, palette.ink, 0.7), _font(None, small), "ls")

    top = image.height * (GROUND + 0.055)
    width, height = image.width - 2 * margin, bottom - 1.8 * small - top
    text, path = _typeable(_shortened(spec.prompt))
    sizes = (image.width * 0.042, min(image.width * 0.1, height * 0.42))
    lines, size = _typeset(text, _font(path, 100), (width, height), sizes)
    font = _font(path, size)
    first = top + (height - len(lines) * size * LEADING) / 2 + size
    for number, line in enumerate(lines):
        pen.text((margin, first + number * LEADING * size), line, palette.ink, font, "ls")


def _shortened(prompt: str) -> str:
    """The first paragraph of a prompt on one line, without emoji, cut between words."""
    paragraph = " ".join(prompt.strip().partition("\n\n")[0].split()).translate(DASHES)
    text = "".join(each for each in paragraph if unicodedata.category(each) not in NOT_TYPED).strip()
    if len(text) <= LONGEST_PROMPT:
        return text
    cut = text[:LONGEST_PROMPT]
    return (cut.rpartition(" ")[0] or cut).rstrip(" ,;:.") + ELLIPSIS


def _typeset(
    text: str, font: ImageFont.FreeTypeFont, box: tuple[float, float], sizes: tuple[float, float]
) -> tuple[list[str], int]:
    """Break a text into lines, in the largest type that fits into a box, and cut it if none does.

    `sizes` are the smallest and the largest type; `font` measures. Returns the lines and the size.
    """
    size = sizes[1]
    lines = _wrapped(text, font, box[0] / size)
    while len(lines) * LEADING * size > box[1] and size > sizes[0]:
        size = max(sizes[0], size * 0.93)
        lines = _wrapped(text, font, box[0] / size)
    fitting = max(1, int(box[1] / (LEADING * size)))
    if len(lines) > fitting:
        lines = [*lines[: fitting - 1], lines[fitting - 1].rstrip(" ,;:.…") + ELLIPSIS]
        return lines, max(1, round(size))
    shares = (share / 20 for share in range(10, 21))
    balanced = (_wrapped(text, font, box[0] * share / size) for share in shares)
    return next(found for found in balanced if len(found) <= len(lines)), max(1, round(size))


def _wrapped(text: str, font: ImageFont.FreeTypeFont, ems: float) -> list[str]:
    """Break a text into lines of at most so many ems, inside of words only where a word is longer than a line."""
    limit = ems * font.size
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if font.getlength(longer) <= limit:
            line = longer
            continue
        lines += [line] if line else []
        line = ""
        for character in word:
            if line and font.getlength(line + character) > limit:
                lines.append(line)
                line = ""
            line += character
    return [*lines, line]


def _typeable(text: str) -> tuple[str, str | None]:
    """A text that can be set in type, and the file of the font that has most of its characters.

    Letters that no font has lose their accents; a prompt that is left without most of its letters is described.
    """
    if text.isascii():
        return text, None
    path = min((None, *_system_fonts()), key=lambda path: len(_missing(text, path)))
    plain = "".join(unicodedata.normalize("NFKD", each) if each in _missing(text, path) else each for each in text)
    missing = _missing(plain, path)
    lost = [each for each in plain if each in missing and unicodedata.category(each) != "Mn"]
    if 2 * len(lost) > len(text):
        script = unicodedata.name(lost[0], "another script").split()[0].capitalize()
        return f"{script} prompt of {len(text)} characters", None
    return "".join(each for each in plain if each not in missing), path


def _missing(text: str, path: str | None) -> frozenset[str]:
    """The characters of a text that a font does not have."""
    font = _font(path, 24)
    box = bytes(font.getmask(NO_CHARACTER))
    return frozenset(each for each in set(text) if not each.isspace() and bytes(font.getmask(each)) == box)


def _font(path: str | None, size: int) -> ImageFont.FreeTypeFont:
    """A font file in a size; Pillow's own font without a file."""
    font = ImageFont.load_default(size) if path is None else ImageFont.truetype(path, size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


@lru_cache(maxsize=1)
def _system_fonts() -> tuple[str, ...]:
    """The files of those fonts of `SYSTEM_FONTS` that are installed."""
    found = []
    for name in SYSTEM_FONTS:
        with suppress(OSError):
            found.append(str(ImageFont.truetype(name, 10).path))
    return tuple(found)
