"""What the site shows for a picture: its files by name, and the attributes of the `<img>` that chooses among them."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.figures.figure import attribute
from mkdocs_gptimage.settings import rendition_widths

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mkdocs_gptimage.settings import Output
    from mkdocs_gptimage.spec.model import ImageSpec


PLACEHOLDER_FORMAT = "svg"
MEDIA_TYPES = {
    "avif": "image/avif",
    "webp": "image/webp",
    "png": "image/png",
    "jpg": "image/jpeg",
    "svg": "image/svg+xml",
}
_CARDS = "data-gpt-image-cards"
_DARK_COLOUR = "--gpt-image-dark"
_AUTO = "auto"
# The length behind the media condition: a number with a unit, or a function of lengths.
_LAST_LENGTH = re.compile(r"(?:[a-z-]+\((?:[^()]|\([^()]*\))*\)|[^\s()]+)$")
_SRC = re.compile(r'\s+src="(?P<src>[^"]*)"')
_ATTRIBUTE = re.compile(r"\s([A-Za-z-]+)=")


@dataclass(frozen=True)
class PublishedFile:
    """One published file."""

    name: str
    """In the assets folder."""
    width: int
    """Pixels."""
    format: str


@dataclass(frozen=True)
class PublishedImage:
    """The files of a picture."""

    width: int
    """Pixels of the picture, as the height; the browser keeps its place by them."""
    height: int
    formats: tuple[tuple[PublishedFile, ...], ...]
    """Per format, the one that browsers should prefer first; widths rising."""
    colour: str = ""
    """`#rrggbb`, behind the picture while it loads."""
    original: str = ""
    """The name of the published original, where one is."""
    card: Mapping[str, Any] | None = None
    """Of a picture that is not there, what a development server's page says of it; what is shown stands in for it."""

    @property
    def src(self) -> PublishedFile:
        """The file for whoever knows nothing of `srcset`: the widest of the last format."""
        return self.formats[-1][-1]


def srcset(files: tuple[PublishedFile, ...], prefix: str) -> str:
    """The candidates of one format; `prefix` is the URL of the assets folder as a page writes it."""
    return ", ".join(f"{prefix}{file.name} {file.width}w" for file in files)


def source_elements(shown: PublishedImage, prefix: str, sizes: str, media: str = "") -> str:
    """The `<source>` elements for all formats but the last; with `media`, for the last as well."""
    offered = shown.formats if media else shown.formats[:-1]
    return "".join(
        "<source"
        + (attribute("media", media) if media else "")
        + attribute("type", MEDIA_TYPES[files[0].format])
        + attribute("srcset", srcset(files, prefix))
        + attribute("sizes", sizes)
        + ">"
        for files in offered
    )


def image_attributes(shown: PublishedImage, prefix: str, *, sizes: str, loading: str) -> dict[str, str]:
    """The attributes of an `<img>` that depend on the picture's bytes and on the place of the figure.

    `sizes` is how wide the figure is; `loading` is `lazy`, or `eager` for what readers see first.
    """
    files = shown.formats[-1]
    found = {"srcset": srcset(files, prefix), "sizes": sizes} if len(files) > 1 else {}
    found |= {"width": str(shown.width), "height": str(shown.height), "loading": loading}
    if loading == "eager":
        found["fetchpriority"] = "high"
    return found


def style_attribute(
    shown: PublishedImage, width: int | None = None, twin: PublishedImage | None = None
) -> dict[str, str]:
    """The `style` of an `<img>`, if it needs one.

    `width` is what it is wide at most, in CSS pixels; `twin` what the same `<img>` shows on dark screens.
    """
    rules = [f"max-width:min(100%,{width}px)"] if width else []
    rules += [f"background-color:{shown.colour}"] if shown.colour else []
    # The style sheet takes this one where the browser takes the twin.
    rules += [f"{_DARK_COLOUR}:{twin.colour or 'transparent'}"] if twin is not None else []
    return {"style": ";".join(rules)} if rules else {}


def card_attribute(shown: PublishedImage, twin: PublishedImage | None = None) -> dict[str, str]:
    """The attribute by which a development server's script knows what is missing of an `<img>`; none elsewhere."""
    found = [shown.card] if shown.card is not None else []
    if twin is not None and twin.card is not None:
        found.append({**twin.card, "dark": True})
    return {_CARDS: json.dumps(found, ensure_ascii=False)} if found else {}


def sizes_for(layout: str, width: int | None) -> str:
    """The `sizes` of a figure: the site's, none of them wider than the figure's own width in CSS pixels."""
    if width is None:
        return layout
    return ", ".join(
        size if size == _AUTO else _LAST_LENGTH.sub(rf"min({width}px, \g<0>)", size) for size in _split(layout)
    )


def _split(layout: str) -> list[str]:
    """The sizes of a list, at the commas that stand in no parentheses."""
    parts, depth = [""], 0
    for character in layout:
        depth += (character == "(") - (character == ")")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def complete_image(image: str, found: Mapping[str, str]) -> str:
    """An `<img>` of the author's with another `src` and what it lacks; what the author has set stays."""
    given = {name.lower() for name in _ATTRIBUTE.findall(image)} - {"src"}
    missing = "".join(attribute(name, value) for name, value in found.items() if name not in given)
    return _SRC.sub(lambda _: missing, image, count=1)


def src_of(image: str) -> str:
    """The `src` of an `<img>`; empty without one."""
    found = _SRC.search(image)
    return html.unescape(found["src"]) if found else ""


def picture_element(image: str, offered: str) -> str:
    """An `<img>` with the other formats that are offered for it, if any."""
    return f"<picture>{offered}{image}</picture>" if offered else image


def published_name(stem: str, ending: str, width: int | None = None) -> str:
    """The name of a published file; `width` in pixels, None for the picture as it was stored."""
    return f"{stem}-{width}.{ending}" if width else f"{stem}.{ending}"


def expected_names(spec: ImageSpec, ending: str, output: Output, stem: str = "") -> tuple[str, str]:
    """The names of the file to show and of the original, for a picture that is stored or expected as `ending`.

    `stem` takes the place of the picture's own, where that is not known yet.
    """
    stem = stem or spec.stem
    original = published_name(stem, ending)
    last = output.formats[-1]
    if ending == "svg" or last == "original":
        return original, original
    return published_name(stem, last, rendition_widths(spec.pixels[0], output.widths)[-1]), original
