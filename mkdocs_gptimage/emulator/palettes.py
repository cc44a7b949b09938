"""Curated colours, and the words in a prompt that call for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from mkdocs_gptimage.emulator.canvas import Color


@dataclass(frozen=True)
class Palette:
    """Colours that go together."""

    sky: tuple[Color, ...]
    """From the zenith to the horizon."""
    light: Color
    """Sun, moon, lamps."""
    far: Color
    """What stands at the horizon."""
    near: Color
    """What stands in front."""
    paper: Color
    accents: tuple[Color, ...]
    dark: bool = False
    """Stars can be seen."""


def _rgb(text: str) -> Color:
    return int(text[0:2], 16), int(text[2:4], 16), int(text[4:6], 16)


def _many(text: str) -> tuple[Color, ...]:
    return tuple(_rgb(part) for part in text.split())


def _palette(sky: str, single: str, accents: str, *, dark: bool = False) -> Palette:
    light, far, near, paper = _many(single)
    return Palette(_many(sky), light, far, near, paper, _many(accents), dark)


PALETTES = {
    "dusk": _palette(
        "2b2a57 6a3f7e c8627e f6a57a ffd9a0",
        "fff1cf d98a86 1f1a38 f7e8d6",
        "f2545b f3a712 e4572e 5b4b8a 29335c a8c686",
    ),
    "dawn": _palette(
        "5f86b3 9db8d2 e3cdd2 fbd9c3 ffeed6",
        "fffaf0 b9b6cf 34435e fbf3e7",
        "ef8a7a f4b886 7d9bc1 4c6a92 e9d8a6 a3b9a0",
    ),
    "night": _palette(
        "0a1128 131f47 22386b 3f5a8c 7d8fb3",
        "f7f3dc 4a6391 070c1d dfe6f0",
        "f4d35e ee964b 3d5a98 2a9d8f 8d99ae 6d597a",
        dark=True,
    ),
    "noon": _palette(
        "2f80c3 5ba7dc 93cbea c9e7f2 eff8f3",
        "fffdf0 a3cbd6 1d4e52 fbf7ec",
        "f4a259 f4e285 5b8e7d 8cb369 bc4b51 2f6690",
    ),
    "autumn": _palette(
        "6d8a96 a5b3a7 d9cdab f2dcae fbeccb",
        "fff6da c99a66 3b2317 f8ecd9",
        "bc4749 e07a2f f2b134 6a994e 386641 7f4f24",
    ),
    "winter": _palette(
        "7f9bb8 a9bfd3 cfdbe6 e8edf2 f8f4ef",
        "ffffff b7c7d8 2c4058 f4f7fa",
        "5f85a8 89a9c4 c7d6e3 d98c7a 34506b e8c9b5",
    ),
    "forest": _palette(
        "5d8a86 8fb3a3 c3d3b4 e6e6c8 f7f2da",
        "fffbe0 9dba9f 12302b f3f1e1",
        "2d6a4f 74a57f d9ae61 b5543c 1b4332 a7c957",
    ),
    "desert": _palette(
        "3f6f8f 86a9ad e2c59f f5b97f ffdfae",
        "fff8dc e0a477 4f2219 fbeedb",
        "c8553d f28f3b ffd5a3 588b8b 2d3047 93b7be",
    ),
    "lagoon": _palette(
        "12406b 1f7a9c 54b5b8 a9dccb f5efcf",
        "fffbe6 6fb3b8 08263f f2f6ee",
        "ff7f51 ffbf69 2ec4b6 0e7c7b 17405c f4d6cc",
    ),
    "plum": _palette(
        "241734 4b2550 8a3b6c d0667b f7b19c",
        "ffe9d6 a9557a 160d22 f6e6e4",
        "e56b6f eaac8b b56576 6d597a 355070 f2d0a9",
        dark=True,
    ),
}

PALETTE_WORDS = {
    "night": "night midnight moon moonlight moonlit stars starry dark nocturnal galaxy space planet",
    "dusk": "sunset dusk evening twilight orange warm campfire",
    "dawn": "dawn sunrise morning fog foggy mist misty pastel pink",
    "noon": "day noon sunny summer blue bright sky spring",
    "autumn": "autumn fall november october golden harvest leaves brown",
    "winter": "winter snow snowy ice frost cold arctic glacier white",
    "forest": "forest wood woods green jungle garden leaf pine trees tree moss",
    "desert": "desert sand dune dunes canyon mesa savanna terracotta",
    "lagoon": "tropical lagoon beach island reef turquoise teal underwater",
    "plum": "purple violet magenta neon cyberpunk lavender",
}


def choose_palette(words: frozenset[str], chance: random.Random) -> Palette:
    """The palette that most words of the prompt call for, else one by chance."""
    scores = {name: len(words & set(called.split())) for name, called in PALETTE_WORDS.items()}
    drawn = chance.choice(sorted(PALETTES))
    best = max(scores, key=lambda name: scores[name])
    return PALETTES[best if scores[best] else drawn]
