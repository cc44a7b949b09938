"""Published files of a picture, and the `srcset`, `sizes` and other attributes by which an `<img>` offers them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.figures.figure import attribute

if TYPE_CHECKING:
    from collections.abc import Mapping


PLACEHOLDER_FORMAT = "svg"
MEDIA_TYPES = {
    "avif": "image/avif",
    "webp": "image/webp",
    "png": "image/png",
    "jpg": "image/jpeg",
    "svg": "image/svg+xml",
}
_CARDS = "data-gpt-image-cards"
_REDRAW = "data-gpt-image-redraw"
_DARK_COLOUR = "--gpt-image-dark"
_AUTO = "auto"
# The length after the media condition: a number with a unit, or a function of lengths.
_LAST_LENGTH = re.compile(r"(?:[a-z-]+\((?:[^()]|\([^()]*\))*\)|[^\s()]+)$")


@dataclass(frozen=True)
class PublishedFile:
    """One published file."""

    name: str
    """Relative to the assets folder."""
    width: int
    """Pixels."""
    format: str


@dataclass(frozen=True)
class PublishedImage:
    """The published files of a picture."""

    width: int
    """Pixels of the picture, as the height; they reserve its space while it loads."""
    height: int
    formats: tuple[tuple[PublishedFile, ...], ...]
    """Per format, preferred formats first; within a format, widths rising."""
    colour: str = ""
    """`#rrggbb`, the background while the picture loads."""
    original: str = ""
    """The name of the published original; empty if only renditions are published."""
    card: Mapping[str, Any] | None = None
    """Data for the development server's script about a missing picture; the files are those of its placeholder."""
    redraw: Mapping[str, Any] | None = None
    """As `card`, about a stored picture, which can be drawn anew."""

    @property
    def src(self) -> PublishedFile:
        """The fallback for clients without `srcset`: the widest of the last format."""
        return self.formats[-1][-1]


def srcset(files: tuple[PublishedFile, ...], prefix: str) -> str:
    """The `srcset` of one format; `prefix` is the URL of the assets folder as a page writes it."""
    return ", ".join(f"{prefix}{file.name} {file.width}w" for file in files)


def source_elements(published: PublishedImage, prefix: str, sizes: str, media: str = "") -> str:
    """The `<source>` elements for all formats but the last; with `media`, for all."""
    formats = published.formats if media else published.formats[:-1]
    return "".join(
        "<source"
        + (attribute("media", media) if media else "")
        + attribute("type", MEDIA_TYPES[files[0].format])
        + attribute("srcset", srcset(files, prefix))
        + attribute("sizes", sizes)
        + ">"
        for files in formats
    )


def image_attributes(published: PublishedImage, prefix: str, *, sizes: str, loading: str) -> dict[str, str]:
    """The attributes of an `<img>` that depend on its files and its place on the page.

    `sizes` is the layout width as the HTML attribute gives it; `loading` is `lazy`, or `eager` above the fold.
    """
    files = published.formats[-1]
    found = {"srcset": srcset(files, prefix), "sizes": sizes} if len(files) > 1 else {}
    found |= {"width": str(published.width), "height": str(published.height), "loading": loading}
    if loading == "eager":
        found["fetchpriority"] = "high"
    return found


def style_attribute(
    published: PublishedImage, width: int | None = None, twin: PublishedImage | None = None
) -> dict[str, str]:
    """The `style` of an `<img>`, or nothing.

    `width` is its maximum in CSS pixels; `twin` is the image that it shows with a dark colour scheme.
    """
    rules = [f"max-width:min(100%,{width}px)"] if width else []
    rules += [f"background-color:{published.colour}"] if published.colour else []
    # gptimage.css uses this colour where the browser uses the twin.
    rules += [f"{_DARK_COLOUR}:{twin.colour or 'transparent'}"] if twin is not None else []
    return {"style": ";".join(rules)} if rules else {}


def card_attribute(published: PublishedImage, twin: PublishedImage | None = None) -> dict[str, str]:
    """The attributes for a development server's script: which pictures of an `<img>` are missing, and which stored."""
    found = {_CARDS: [published.card], _REDRAW: [published.redraw]}
    if twin is not None:
        found[_CARDS].append({**twin.card, "dark": True} if twin.card is not None else None)
        found[_REDRAW].append({**twin.redraw, "dark": True} if twin.redraw is not None else None)
    present = {name: [each for each in cards if each is not None] for name, cards in found.items()}
    return {name: json.dumps(cards, ensure_ascii=False) for name, cards in present.items() if cards}


def sizes_for(layout: str, width: int | None) -> str:
    """The `sizes` of a figure: those of the site, limited to the figure's maximum `width` in CSS pixels."""
    if width is None:
        return layout
    return ", ".join(
        size if size == _AUTO else _LAST_LENGTH.sub(rf"min({width}px, \g<0>)", size) for size in _split(layout)
    )


def _split(layout: str) -> list[str]:
    """Split a list of sizes at its commas outside of parentheses."""
    parts, depth = [""], 0
    for character in layout:
        depth += (character == "(") - (character == ")")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def single_file_attributes(attributes: Mapping[str, str]) -> dict[str, str]:
    """Leave out the attributes that name further files or defer loading."""
    left_out = ("srcset", "sizes", "loading", "fetchpriority")
    return {name: value for name, value in attributes.items() if name not in left_out}


def picture_element(image: str, sources: str) -> str:
    """Wrap an `<img>` and the `<source>` elements for it, if any, in a `<picture>`."""
    return f"<picture>{sources}{image}</picture>" if sources else image


def published_name(stem: str, ending: str, width: int | None = None) -> str:
    """The name of a published file; `width` in pixels, None for the original."""
    return f"{stem}-{width}.{ending}" if width else f"{stem}.{ending}"
