"""Figure HTML. Every attribute is escaped; `>` too, because neighbours match tags with regular expressions."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .spec import ImageSpec, Presentation

_NONCHARACTERS = "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
# Characters that HTML forbids, and those that turn the direction of the text around them.
_UNFIT = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069"
    f"\ufdd0-\ufdef{_NONCHARACTERS}]"
)


def figure(  # noqa: PLR0913 - the parts of a figure
    spec: ImageSpec,
    presentation: Presentation,
    *,
    src: str,
    size: str,
    caption: str = "",
    full: str | None = None,
) -> str:
    """Return the figure of one use of a picture.

    `src` is the URL of the file, relative to the page; `size` the attributes `width="…" height="…"`, or a marker that
    stands in for them until they are known; `caption` finished HTML; `full` the URL of the full size to link to.
    """
    image = "<img" + "".join(
        part
        for part in (
            attribute("class", "gpt-image__img"),
            attribute("src", src),
            f" {size}",
            attribute("alt", alt_text(spec, presentation, caption)),
            attribute("loading", presentation.loading),
            ' decoding="async"',
            attribute("style", f"max-width:min(100%,{presentation.width}px)") if presentation.width else "",
        )
    )
    image += ">"
    if full is not None:
        image = f"<a{attribute('class', 'gpt-image__link')}{attribute('href', full)}>{image}</a>"
    classes = " ".join(filter(None, ("gpt-image", presentation.css_class)))
    identity = attribute("id", presentation.id) if presentation.id else ""
    figcaption = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f"<figure{attribute('class', classes)}{identity}>{image}{figcaption}</figure>"


def alt_text(spec: ImageSpec, presentation: Presentation, caption: str) -> str:
    """The text alternative: `alt` when given (`""`: decorative), else the caption without markup, else the prompt."""
    if presentation.alt is not None:
        return presentation.alt
    plain = fold(html.unescape(re.sub(r"<[^>]*>", "", caption)))
    return plain or spec.prompt


def dimensions(width: int, height: int) -> str:
    """The attributes that keep the picture's place while it loads; pixels of the file."""
    return f'width="{width}" height="{height}"'


def attribute(name: str, value: str) -> str:
    """One attribute with a leading space; white space is folded, what HTML forbids is left out."""
    return f' {name}="{html.escape(fold(value))}"'


def fold(text: str) -> str:
    """A text on one line, without what HTML forbids."""
    # Nothing unfit is printable, and most texts are: this is quicker.
    fit = text if text.isprintable() else _UNFIT.sub("", text)
    return " ".join(fit.split())
