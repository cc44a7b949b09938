"""Placeholder pictures: a seeded landscape or mosaic with the prompt set in type below it.

A picture says what it is: the prompt, "emulated" and the requested size stand on it, and reference images are pinned to
it as small prints. Lengths and positions are in pixels, y grows downwards.
"""

from __future__ import annotations

import hashlib
import io
import math
import random
import re
import textwrap
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import Image, ImageColor, ImageDraw, ImageFont, ImageOps, ImageStat

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mkdocs_gptimage.emulator.references import Reference

    Color = tuple[int, int, int]
    Point = tuple[float, float]
    Scene = Callable[[Image.Image, "Palette", random.Random], None]

WORKING_PIXELS = 2_200_000
"""Larger backdrops are painted at about this many pixels and enlarged, which bounds time and memory."""
SUPERSAMPLING = 3
GROUND, GROUND_OF_WIDE = 0.6, 0.5
"""Share of the height at which the ground begins, on which the prompt is set; of pictures wider than 2:1."""
MARGIN = 0.07
"""Of the type, as a share of the shorter side."""
SMALLEST_WITH_TYPE = 96
"""Shorter sides below this leave no room for type."""
PRINTS_SHARE = 0.1
"""Of the picture's area that all prints cover together, roughly."""
LONGEST_PROMPT = 140
"""Characters of a prompt that are set in type."""
LEADING = 1.22  # distance of baselines as a multiple of the font size
LONGEST_WORD = 24
"""Characters of a word that is not broken; scripts without spaces have longer ones."""
NOT_TYPED = frozenset({"Cc", "Cf", "Cn", "Co", "So", "Sk"})
"""Unicode categories that no text font sets: emoji, controls, unassigned characters."""
NIGHT_WORDS = frozenset({"night", "dark", "moonlight", "midnight"})
REDRAW_WORDS = frozenset({"redraw", "same"})
SAME_SHAPE = 0.02
"""Largest relative difference between the aspect ratios of two pictures of the same shape."""
MOONLIGHT = (0.62, 0.7, 1.0)
MOONLIT = 64
"""Highest mean lightness of a picture at night, of 255."""
SYSTEM_FONTS = ["DejaVuSans.ttf", "NotoSansCJK-Regular.ttc", "arial.ttf", "msyh.ttc", "malgun.ttf"]
"""For prompts that Pillow's own font, which knows little more than ASCII, cannot set."""


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
    """Also of the type on the ground."""
    far: Color
    """What stands at the horizon."""
    ground: Color
    accents: tuple[Color, ...]


def _palettes(rows: str) -> tuple[Palette, ...]:
    """Read a palette from each row of colours."""
    colors = [[ImageColor.getrgb(f"#{each}")[:3] for each in row.split()] for row in rows.strip().splitlines()]
    return tuple(Palette((row[0], row[1], row[2]), row[3], row[4], row[5], tuple(row[6:])) for row in colors)


DAYS = _palettes("""
4a3a73 c8627e ffcf9a fff1cf d98a86 1f1a38 f2545b f3a712 5b4b8a a8c686
5f86b3 d9c9d6 ffeed6 fffaf0 b9b6cf 2c3a57 ef8a7a f4b886 7d9bc1 a3b9a0
2f80c3 93cbea eff8f3 fffdf0 a3cbd6 163f43 f4a259 f4e285 5b8e7d bc4b51
6d8a96 d9cdab fbeccb fff6da c99a66 3b2317 bc4749 e07a2f f2b134 6a994e
7f9bb8 cfdbe6 f8f4ef ffffff b7c7d8 24384f d98c7a 89a9c4 e8c9b5 5f85a8
4f807b b5ccae f7f2da fffbe0 9dba9f 12302b d9ae61 74a57f b5543c a7c957
3f6f8f e2c59f ffdfae fff8dc e0a477 4f2219 c8553d f28f3b 588b8b ffd5a3
12406b 54b5b8 f5efcf fffbe6 6fb3b8 08263f ff7f51 ffbf69 2ec4b6 f4d6cc
4b2550 c05f7b f9c3aa ffe9d6 a9557a 1f1130 e56b6f eaac8b 6d597a f2d0a9
""")
NIGHTS = _palettes("""
0a1128 1b2a58 3f5a8c f7f3dc 2f4577 070c1d f4d35e 3d5a98 2a9d8f 8d99ae
120e24 33204a 6b3d68 ffe9d6 472a55 0d0a1a e56b6f b56576 6d597a eaac8b
071a20 123c45 2f6f70 f0f7e4 1f5157 04120f 2ec4b6 84a98c e9c46a 52796f
""")


def draw(spec: PictureSpec) -> bytes:
    """Draw a PNG of exactly `spec.width` by `spec.height` pixels."""
    references = "\n".join(reference.digest for reference in spec.references)
    chance = random.Random(f"{spec.seed}\n{spec.attempt}\n{references}\n{spec.prompt}")  # noqa: S311 - repeatable
    palette, scene = _look(spec)
    size = (spec.width, spec.height)
    if _is_dark_twin(spec):
        image = _moonlit(spec.references[0], size, chance)
    else:
        image = _backdrop(size, palette, scene, chance)
        _pin(image, spec.references, chance)
    ridge = _ridge(size, chance, _ground(size) + spec.height * 0.02, spec.height * 0.015)
    _fill_below(image, ridge, palette, 1)
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


def _ground(size: tuple[int, int]) -> float:
    """Where the ground begins, give or take its ridge."""
    return size[1] * (GROUND_OF_WIDE if size[0] > 2 * size[1] else GROUND)


def _backdrop_ends(size: tuple[int, int]) -> int:
    """Where the ground covers the whole width."""
    return round(_ground(size) * 1.16)


def _backdrop(size: tuple[int, int], palette: Palette, scene: Scene, chance: random.Random) -> Image.Image:
    scale = min(1.0, math.sqrt(WORKING_PIXELS / (size[0] * size[1])))
    image = Image.new("RGB", (max(1, round(size[0] * scale)), max(1, round(size[1] * scale))))
    _fill(image, 0, palette.sky)
    scene(image, palette, chance)
    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)


def _hills(image: Image.Image, palette: Palette, chance: random.Random) -> None:
    """Hills behind hills under a sun."""
    horizon = image.height * chance.uniform(0.3, 0.36)
    _sun(image, palette, chance, horizon)
    layers = chance.randint(4, 6)
    for depth in (layer / layers for layer in range(layers)):
        base = horizon + (_ground(image.size) - horizon) * depth
        ridge = _ridge(image.size, chance, base, min(image.size) * (0.02 + 0.035 * depth))
        _fill_below(image, ridge, palette, 0.85 * depth)


def _peaks(image: Image.Image, palette: Palette, chance: random.Random) -> None:
    """Mountain ranges that fade into the haze."""
    foot = _ground(image.size)
    _sun(image, palette, chance, foot * 0.6)
    for depth in (0.0, 0.35, 0.7):
        height = foot * (0.2 - 0.15 * depth) * min(1.0, 0.35 + 0.4 * image.width / image.height)
        ridge = _ridge(image.size, chance, foot - 1.6 * height, height, pointed=True)
        _fill_below(image, ridge, palette, depth)


def _sea(image: Image.Image, palette: Palette, chance: random.Random) -> None:
    """A sun over water, with its light on the waves."""
    short, horizon = min(image.size), image.height * chance.uniform(0.36, 0.42)
    center = _sun(image, palette, chance, horizon)
    coast = _ridge(image.size, chance, horizon - short * 0.01, short * 0.014)
    _fill_below(image, coast, palette, 0)
    water = (mix(palette.sky[2], palette.far, 0.5), mix(palette.sky[0], palette.ground, 0.35))
    _fill(image, round(horizon), water)
    light = ImageDraw.Draw(image, "RGBA")
    for _ in range(90):
        depth = chance.random() ** 1.4
        x = center[0] + chance.gauss(0, 1) * short * (0.05 + 0.2 * depth)
        y = horizon + 2 + (_ground(image.size) - horizon) * depth
        width, height = short * chance.uniform(0.02, 0.09) * (0.5 + depth), max(1.0, short * 0.004 * (0.6 + depth))
        box = (x - width, y - height / 2, x + width, y + height / 2)
        light.rounded_rectangle(box, height / 2, (*palette.sun, round(150 * (1 - 0.6 * depth))))


def _mosaic(image: Image.Image, palette: Palette, chance: random.Random) -> None:
    """Tiles of quarter circles, half circles and triangles."""
    side = math.ceil(image.width / max(4, round(image.width / (_ground(image.size) / 3.5))))
    tile = 2 * side
    colors = (*palette.accents, palette.sky[1], palette.sky[2], palette.far, palette.sun)
    sheet = Image.new("RGB", (tile, tile))
    pen = ImageDraw.Draw(sheet)
    for top in range(0, _backdrop_ends(image.size), side):
        for left in range(0, image.width, side):
            back, front = chance.sample(colors, 2)
            pen.rectangle((0, 0, tile, tile), back)
            _ornament(pen, tile, front, chance)
            image.paste(sheet.reduce(2), (left, top))


def _ornament(pen: ImageDraw.ImageDraw, tile: int, color: Color, chance: random.Random) -> None:
    x, y = chance.choice((0, tile)), chance.choice((0, tile))
    middle = tile / 2
    circles = (((x, y), tile), ((middle, y), middle), ((middle, middle), tile * 0.28))
    if chance.random() < 0.25:
        pen.polygon([(x, y), (tile - x, y), (x, tile - y)], color)
        return
    center, radius = chance.choice(circles)
    pen.circle(center, radius, color)


SCENES: tuple[Scene, ...] = (_hills, _mosaic, _sea, _peaks)


def _sun(image: Image.Image, palette: Palette, chance: random.Random, horizon: float) -> Point:
    """Paint a sun with its glow; returns its centre."""
    short = min(image.size)
    radius = short * chance.uniform(0.05, 0.085)
    x, y = image.width * chance.uniform(0.2, 0.8), horizon - radius * chance.uniform(-0.2, 1.8)
    glow = Image.radial_gradient("L").point([round(150 * max(0.0, 1 - level / 180) ** 2) for level in range(256)])
    mask = glow.resize((round(short * 0.9), round(short * 0.9)), Image.Resampling.BICUBIC)
    image.paste(palette.sun, (round(x - mask.width / 2), round(y - mask.height / 2)), mask)
    side = max(1, round(2 * radius))
    disc = Image.new("L", (side * SUPERSAMPLING, side * SUPERSAMPLING))
    ImageDraw.Draw(disc).ellipse((0, 0, disc.width - 1, disc.height - 1), 255)
    image.paste(palette.sun, (round(x - side / 2), round(y - side / 2)), disc.reduce(SUPERSAMPLING))
    return x, y


def _ridge(
    size: tuple[int, int], chance: random.Random, base: float, swell: float, *, pointed: bool = False
) -> list[Point]:
    """A ridge line around `base` that rises and falls by about `swell`: soft, or with peaks."""
    stretch, steps, octaves = size[0] / min(size), 320, 7 if pointed else 4
    phases = [(stretch * chance.uniform(0.3, 0.6) * 1.9**k, chance.uniform(0, math.tau)) for k in range(octaves)]

    def height(x: float) -> float:
        waves = (math.sin(frequency * math.tau * x + phase) for frequency, phase in phases)
        return sum((1 - 2 * abs(wave) if pointed else wave) * 0.5**k for k, wave in enumerate(waves))

    return [(size[0] * step / steps, base - swell * height(step / steps)) for step in range(steps + 1)]


def _fill(image: Image.Image, top: int, colors: Sequence[Color]) -> None:
    """Fill a backdrop from `top` downwards with a gradient."""
    height = _backdrop_ends(image.size) - top
    if height > 0:
        ramp = Image.new("RGB", (1, len(colors)))
        ramp.putdata(list(colors))
        image.paste(ramp.resize((image.width, height), Image.Resampling.BICUBIC), (0, top))


def _fill_below(image: Image.Image, ridge: Sequence[Point], palette: Palette, depth: float) -> None:
    """Fill everything below a ridge line, with the haze of its distance: `depth` is 0 at the horizon, 1 in front."""
    upper = mix(mix(palette.far, palette.sky[2], 0.25 * (1 - depth)), palette.ground, depth)
    lower = mix(upper, palette.sky[2], 0.4 * (1 - depth))
    top = max(0, math.floor(min(y for _, y in ridge)))
    bottom = min(image.height, math.ceil(max(y for _, y in ridge)) + 1)
    if bottom <= top:
        return
    mask = Image.new("L", (image.width * SUPERSAMPLING, (bottom - top) * SUPERSAMPLING))
    line = [(x * SUPERSAMPLING, (y - top) * SUPERSAMPLING) for x, y in ridge]
    ImageDraw.Draw(mask).polygon([(line[0][0], mask.height), *line, (line[-1][0], mask.height)], 255)
    body = Image.new("RGB", image.size, lower)
    _fill(body, top, (upper, lower))
    image.paste(body.crop((0, top, image.width, bottom)), (0, top), mask.reduce(SUPERSAMPLING))
    image.paste(body.crop((0, bottom, *image.size)), (0, bottom))


def _is_dark_twin(spec: PictureSpec) -> bool:
    """Whether a prompt asks for its only reference again, at night and in the same shape."""
    words = _words(spec.prompt)
    if len(spec.references) != 1 or words.isdisjoint(NIGHT_WORDS) or words.isdisjoint(REDRAW_WORDS):
        return False
    (day,) = spec.references
    return day.sketch is not None and abs(day.width * spec.height / (day.height * spec.width) - 1) < SAME_SHAPE


def _moonlit(reference: Reference, size: tuple[int, int], chance: random.Random) -> Image.Image:
    """A reference by moonlight, with stars above it."""
    day = _sketch(reference)
    dim = day.point([round(255 * (level / 255) ** 1.6) for level in range(256)] * 3)
    gain = min(0.9, MOONLIT / max(1.0, ImageStat.Stat(dim.convert("L")).mean[0]))
    tinted = [round(gain * share * level) for share in MOONLIGHT for level in range(256)]
    image = dim.point(tinted).resize(size, Image.Resampling.BICUBIC)
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
    count = max(1, len(references))
    width, height = image.width * 0.92, _ground(image.size) - image.height * 0.06
    columns = math.ceil(count / max(1, round(math.sqrt(count * height / width))))
    across, down = width / columns, height / math.ceil(count / columns)
    side = math.sqrt(image.width * image.height * PRINTS_SHARE / count) * (1.7 if count == 1 else 1.4)
    room = (max(1, int(min(across * 0.84, side))), max(1, int(min(down * 0.84, side))))
    for index, reference in enumerate(references):
        row, column = divmod(index, columns)
        in_row = min(columns, count - row * columns)
        x = image.width / 2 + (column - (in_row - 1) / 2) * across
        _print(image, _sketch(reference), (x, image.height * 0.04 + (row + 0.5) * down), room, chance.uniform(-3, 3))


def _print(image: Image.Image, photo: Image.Image, center: Point, room: tuple[int, int], angle: float) -> None:
    """Pin one print, turned by `angle` degrees, with a white border and a shadow."""
    scale = min(room[0] / photo.width, room[1] / photo.height)
    photo = photo.resize((math.ceil(photo.width * scale), math.ceil(photo.height * scale)), Image.Resampling.LANCZOS)
    border = max(1, round(min(photo.size) * 0.05))
    card = ImageOps.expand(photo, border, (250, 249, 246)).convert("RGBA")
    turned = card.rotate(angle, Image.Resampling.BICUBIC, expand=True)
    left, top = round(center[0] - turned.width / 2), round(center[1] - turned.height / 2)
    shadow = turned.getchannel("A").point([round(level * 0.3) for level in range(256)])
    image.paste((10, 10, 20), (left + border // 2, top + border), shadow)
    image.paste(turned, (left, top), turned)


def _set_type(image: Image.Image, spec: PictureSpec, palette: Palette) -> None:
    """Set the prompt and the label on the ground, flush left."""
    margin = round(min(image.size) * MARGIN)
    bottom = image.height - round(margin * 0.85)
    pen = ImageDraw.Draw(image)
    small = max(11, round(min(image.width * 0.026, min(image.size) * 0.05)))
    label = f"emulated · {spec.label}" if spec.label else "emulated"
    pen.text((margin, bottom), label, mix(palette.ground, palette.sun, 0.7), _font(None, small), "ls")

    top = _ground(image.size) + image.height * 0.055
    width, height = image.width - 2 * margin, bottom - 1.8 * small - top
    text, path = _typeable(_plain(spec.prompt))
    largest = min(image.width * 0.13, height * 0.45)
    lines, size = _typeset(text, _font(path, 100), (width, height), (image.width * 0.038, largest))
    font = _font(path, size)
    first = top + (height - len(lines) * size * LEADING) / 2 + size
    for number, line in enumerate(lines):
        pen.text((margin, first + number * LEADING * size), line, palette.sun, font, "ls")


def _plain(prompt: str) -> str:
    """The first paragraph of a prompt on one line, without emoji, shortened."""
    paragraph = prompt.strip().partition("\n\n")[0].replace("\u2013", "-").replace("\u2014", "-")
    kept = (each for each in paragraph if each.isspace() or unicodedata.category(each) not in NOT_TYPED)
    text = " ".join("".join(kept).split())
    return text if len(text) <= LONGEST_PROMPT else _cut(text, LONGEST_PROMPT)


def _cut(text: str, length: int) -> str:
    start = text[:length]
    return (start.rpartition(" ")[0] or start).rstrip(" ,;:.-…") + "…"


def _typeset(
    text: str, font: ImageFont.FreeTypeFont, box: tuple[float, float], sizes: tuple[float, float]
) -> tuple[list[str], int]:
    """Break a text into lines so that its type is as large as a box allows, and shorten it where that is too small.

    `sizes` are the smallest and the largest type; `font` measures. Returns the lines and the size.
    """

    def size_of(lines: list[str]) -> float:
        widest = max(map(font.getlength, lines)) / font.size
        return min(sizes[1], box[0] / max(0.1, widest), box[1] / (LEADING * len(lines)))

    longest_word = max((len(word) for word in text.split() if len(word) <= LONGEST_WORD), default=4)
    step = 1 + len(text) // 40
    widths = range(longest_word, max(longest_word, len(text)) + step, step)
    # Of the largest type the fewest lines, and of these the most even ones.
    breaks = (textwrap.wrap(text, width) or [""] for width in widths)
    best = max(breaks, key=lambda lines: (size_of(lines), -len(lines), -max(map(len, lines))))
    size = size_of(best)
    if size < sizes[0] and len(text) > 2 * LONGEST_WORD:
        return _typeset(_cut(text, round(len(text) * 0.85)), font, box, sizes)
    return best, max(1, int(size))


def _typeable(text: str) -> tuple[str, str | None]:
    """A text that can be set in type, and the file of the font that has most of its characters.

    Letters that no font has lose their accents; a prompt that is left without most of its letters is described.
    """
    if not _missing(text, None):
        return text, None
    path = min((None, *_system_fonts()), key=lambda path: len(_missing(text, path)))
    missing = _missing(text, path)
    plain = "".join(unicodedata.normalize("NFKD", each) if each in missing else each for each in text)
    missing = _missing(plain, path)
    lost = [each for each in plain if each in missing and unicodedata.category(each) != "Mn"]
    if 2 * len(lost) > len(text):
        script = unicodedata.name(lost[0], "unknown").split()[0]
        return f"A prompt of {len(text)} characters ({script}) for which no font was found", None
    return "".join(each for each in plain if each not in missing), path


def _missing(text: str, path: str | None) -> frozenset[str]:
    """The characters of a text that a font does not have."""
    font = _font(path, 24)
    placeholder = bytes(font.getmask("\U0010ffff"))
    return frozenset(each for each in set(text) if not each.isspace() and bytes(font.getmask(each)) == placeholder)


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
