"""Figure HTML. Every attribute is escaped; `>` too, because neighbours match tags with regular expressions."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mkdocs_gptimage.spec.model import ImageSpec, Presentation


_NONCHARACTERS = "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
# Characters that HTML forbids, and those that turn the direction of the text around them.
_UNFIT = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069"
    f"\ufdd0-\ufdef{_NONCHARACTERS}]"
)
_FOR_THE_IMAGE = ("off-glb", "on-glb")


@dataclass(frozen=True)
class FigureImage:
    """One `<img>` of a figure: the picture, or its twin for dark pages."""

    src: str
    """The URL of the file, relative to the page."""
    rest: str
    """The attributes that depend on the picture's bytes, or a marker in their place until they are known."""
    full: str | None = None
    """The URL of the full size to link to."""
    offered: str = ""
    """The `<source>` elements that stand before it, if any."""


def render_figure(
    spec: ImageSpec, presentation: Presentation, parts: Sequence[FigureImage], *, caption: str = "", label: str = ""
) -> str:
    """Return the figure of one use of a picture.

    `caption` is finished HTML; `label` the text that says to readers that the picture was generated.
    """
    alt = alt_text(spec, presentation, caption)
    # A lightbox asks the image, not the figure, whether it is wanted.
    wishes = [name for name in (presentation.css_class or "").split() if name in _FOR_THE_IMAGE]
    images = "".join(_image(part, alt, " ".join(["gpt-image__img", *wishes])) for part in parts)
    classes = " ".join(filter(None, ("gpt-image", presentation.css_class)))
    identity = attribute("id", presentation.id) if presentation.id else ""
    note = f'<small class="gpt-image__label">{html.escape(label)}</small>' if label else ""
    figcaption = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f"<figure{attribute('class', classes)}{identity}>{images}{note}{figcaption}</figure>"


def _image(part: FigureImage, alt: str, classes: str) -> str:
    image = (
        f"<img{attribute('class', classes)}{attribute('src', part.src)} {part.rest.lstrip()}"
        f'{attribute("alt", alt)} decoding="async">'
    )
    if part.offered:
        image = f"<picture>{part.offered}{image}</picture>"
    if part.full is None:
        return image
    return f"<a{attribute('class', 'gpt-image__link')}{attribute('href', part.full)}>{image}</a>"


def alt_text(spec: ImageSpec, presentation: Presentation, caption: str) -> str:
    """The text alternative: `alt` when given (`""`: decorative), else the caption without markup, else the prompt.

    The prompt is the author's own: the words of a style describe no picture.
    """
    if presentation.alt is not None:
        return presentation.alt
    plain = fold(html.unescape(re.sub(r"<[^>]*>", "", caption)))
    return plain or presentation.prompt or spec.prompt


def attribute(name: str, value: str) -> str:
    """One attribute with a leading space; white space is folded, what HTML forbids is left out."""
    return f' {name}="{html.escape(fold(value))}"'


def fold(text: str) -> str:
    """A text on one line, without what HTML forbids."""
    # Nothing unfit is printable, and most texts are: this is quicker.
    fit = text if text.isprintable() else _UNFIT.sub("", text)
    return " ".join(fit.split())
