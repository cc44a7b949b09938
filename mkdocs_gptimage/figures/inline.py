"""The images of pages that show pictures by their ids: what they take when the pictures are known."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from mkdocs_gptimage.figures.markers import MENTION_IMAGE, MENTION_LINK
from mkdocs_gptimage.figures.srcset import (
    card_attribute,
    complete_image,
    image_attributes,
    picture_element,
    source_elements,
    style_attribute,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mkdocs_gptimage.figures.srcset import PublishedImage
    from mkdocs_gptimage.settings import Settings


_EMPTY_ALT = re.compile(r'\salt=""')
Find = "Callable[[str], tuple[Shown, str] | None]"
"""Id → what the site shows for it, and its alternative text."""


class InlineImages:
    """Writes images; each method takes the URL of the assets folder as the page writes it, and what ids stand for."""

    def __init__(self, settings: Settings) -> None:
        self._sizes = settings.output.sizes

    def complete(self, attributes: dict[str, str], prefix: str, known: PublishedImage, alt: str) -> None:
        """Give an `<img>` of the Markdown tree what it takes; what the author has set stays."""
        found = self._attributes(known, prefix)
        attributes.update({key: value for key, value in found.items() if key == "src" or key not in attributes})
        attributes["alt"] = attributes.get("alt") or alt

    def finish(
        self, content: str, prefix: str, find: Callable[[str], tuple[PublishedImage, str] | None], *, plain: bool
    ) -> str:
        """Return a page's content with all of its images finished; those that nothing is known of stay as they are.

        A `plain` one names no file but in `src`.
        """

        def show(match: re.Match[str]) -> str:
            found = find(html.unescape(match["id"]))
            return match[0] if found is None else self._show(match[0], prefix, *found, plain=plain)

        def link(match: re.Match[str]) -> str:
            found = find(html.unescape(match["id"]))
            return match[0] if found is None else f"{prefix}{found[0].src.name}"

        return MENTION_LINK.sub(link, MENTION_IMAGE.sub(show, content))

    def _show(self, image: str, prefix: str, known: PublishedImage, alt: str, *, plain: bool) -> str:
        found = {**self._attributes(known, prefix), "alt": alt}
        completed = complete_image(_EMPTY_ALT.sub("", image), without_files(found) if plain else found)
        return completed if plain else picture_element(completed, source_elements(known, prefix, self._sizes))

    def _attributes(self, known: PublishedImage, prefix: str) -> dict[str, str]:
        found = image_attributes(known, prefix, sizes=self._sizes, loading="lazy")
        found |= style_attribute(known) | card_attribute(known)
        return {"src": f"{prefix}{known.src.name}", **found, "decoding": "async"}


def without_files(attributes: Mapping[str, str]) -> dict[str, str]:
    """Without what names further files, and without what waits to be scrolled to."""
    left_out = ("srcset", "sizes", "loading", "fetchpriority")
    return {name: value for name, value in attributes.items() if name not in left_out}
