"""Figure HTML. Every attribute is escaped; `>` too, because other plugins match tags with regular expressions."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mkdocs_gptimage.spec.model import ImageSpec, Presentation


_NONCHARACTERS = "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
# Characters that HTML forbids, and those that change the direction of the text around them.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069"
    f"\ufdd0-\ufdef{_NONCHARACTERS}]"
)
_IMAGE_CLASSES = ("off-glb", "on-glb")


@dataclass(frozen=True)
class FigureImage:
    """One `<img>` of a figure: the picture, or its dark twin."""

    src: str
    """The URL of the file, relative to the page."""
    attributes: str
    """HTML of the attributes that depend on the published files, or a marker in their place."""
    full_size: str | None = None
    """The URL to link to, if any."""
    sources: str = ""
    """HTML of the `<source>` elements before it."""


def render_figure(
    spec: ImageSpec, presentation: Presentation, images: Sequence[FigureImage], *, caption: str = "", label: str = ""
) -> str:
    """Return the figure of one use of a picture.

    `caption` is HTML; `label` is plain text that discloses to readers how the picture was made.
    """
    alt = alt_text(spec, presentation, caption)
    # A lightbox expects these classes on the image, not on the figure.
    image_classes = [name for name in (presentation.css_class or "").split() if name in _IMAGE_CLASSES]
    elements = "".join(_image(each, alt, " ".join(["gpt-image__img", *image_classes])) for each in images)
    classes = " ".join(filter(None, ("gpt-image", presentation.css_class)))
    identity = attribute("id", presentation.id) if presentation.id else ""
    note = f'<small class="gpt-image__label">{html.escape(label)}</small>' if label else ""
    figcaption = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f"<figure{attribute('class', classes)}{identity}>{elements}{note}{figcaption}</figure>"


def _image(image: FigureImage, alt: str, classes: str) -> str:
    element = (
        f"<img{attribute('class', classes)}{attribute('src', image.src)} {image.attributes.lstrip()}"
        f'{attribute("alt", alt)} decoding="async">'
    )
    if image.sources:
        element = f"<picture>{image.sources}{element}</picture>"
    if image.full_size is None:
        return element
    return f"<a{attribute('class', 'gpt-image__link')}{attribute('href', image.full_size)}>{element}</a>"


def alt_text(spec: ImageSpec, presentation: Presentation, caption: str) -> str:
    """The text alternative: `alt` when given (`""`: decorative), else the caption without markup, else the prompt.

    The prompt is the one that the author wrote: the words of a style say nothing about the content.
    """
    if presentation.alt is not None:
        return presentation.alt
    plain = fold(html.unescape(re.sub(r"<[^>]*>", "", caption)))
    return plain or presentation.prompt or spec.prompt


def attribute(name: str, value: str) -> str:
    """One attribute with a leading space; white space is collapsed, characters that HTML forbids are removed."""
    return f' {name}="{html.escape(fold(value))}"'


def fold(text: str) -> str:
    """Put a text on one line and remove the characters that HTML forbids."""
    # None of these is printable, and most texts are: this is quicker.
    allowed = text if text.isprintable() else _FORBIDDEN.sub("", text)
    return " ".join(allowed.split())
