"""Images that show a picture by id, `![alt](gpt-image:ID)`, with the published files of that picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mkdocs_gptimage.figures.markers import complete_image, fill_mentions
from mkdocs_gptimage.figures.srcset import (
    PublishedImage,
    card_attribute,
    image_attributes,
    picture_element,
    single_file_attributes,
    source_elements,
    style_attribute,
)

if TYPE_CHECKING:
    from mkdocs_gptimage.settings import Settings


Find = Callable[[str], tuple[PublishedImage, str] | None]
"""Id → the published image and its text alternative; None for an id that means none."""


class InlineImages:
    """Fills in images; `prefix` is the URL of the assets folder as the page writes it."""

    def __init__(self, settings: Settings) -> None:
        self._sizes = settings.output.sizes

    def complete(self, attributes: dict[str, str], prefix: str, published: PublishedImage, alt: str) -> None:
        """Fill in an `<img>` of the Markdown tree; attributes that the author has set stay."""
        found = self._attributes(published, prefix)
        attributes.update({key: value for key, value in found.items() if key == "src" or key not in attributes})
        attributes["alt"] = attributes.get("alt") or alt

    def finish(self, content: str, prefix: str, find: Find, *, plain: bool) -> str:
        """Return a page's HTML with its images filled in, but for unknown ids; `plain` names files in `src` only."""

        def image(name: str, element: str) -> str | None:
            found = find(name)
            return None if found is None else self._image(element, prefix, *found, plain=plain)

        def url(name: str) -> str | None:
            found = find(name)
            return None if found is None else f"{prefix}{found[0].src.name}"

        return fill_mentions(content, image, url)

    def _image(self, image: str, prefix: str, published: PublishedImage, alt: str, *, plain: bool) -> str:
        attributes = {**self._attributes(published, prefix), "alt": alt}
        if plain:
            return complete_image(image, single_file_attributes(attributes))
        sources = source_elements(published, prefix, self._sizes)
        return picture_element(complete_image(image, attributes), sources)

    def _attributes(self, published: PublishedImage, prefix: str) -> dict[str, str]:
        found = image_attributes(published, prefix, sizes=self._sizes, loading="lazy")
        found |= style_attribute(published) | card_attribute(published)
        return {"src": f"{prefix}{published.src.name}", **found, "decoding": "async"}
