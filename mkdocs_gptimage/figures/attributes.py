"""The attributes and `<source>` elements of a figure's images, once the published files are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mkdocs_gptimage.figures.figure import attribute
from mkdocs_gptimage.figures.srcset import (
    card_attribute,
    image_attributes,
    single_file_attributes,
    sizes_for,
    source_elements,
    style_attribute,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mkdocs_gptimage.catalog.catalog import Use
    from mkdocs_gptimage.figures.srcset import PublishedImage
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.spec.model import ImageSpec


DARK_MEDIA = "(prefers-color-scheme: dark)"


class FigureAttributes:
    """Writes what depends on published files; `prefix` is the URL of the assets folder as the page writes it."""

    def __init__(self, settings: Settings) -> None:
        self.published: Mapping[Digest, PublishedImage] = {}
        self._sizes = settings.output.sizes
        self._has_palette_toggle = settings.has_palette_toggle

    def sources(self, spec: ImageSpec, use: Use, prefix: str) -> str:
        """The `<source>` elements of an image: its further formats, and its dark twin."""
        sizes = sizes_for(self._sizes, use.presentation.width)
        sources = source_elements(self.published[spec.digest], prefix, sizes)
        twin = self._twin(use)
        return source_elements(twin, prefix, sizes, media=DARK_MEDIA) + sources if twin else sources

    def attributes(self, spec: ImageSpec, use: Use, prefix: str, loading: str) -> str:
        """The attributes of an image, as HTML."""
        published, width = self.published[spec.digest], use.presentation.width
        found = image_attributes(published, prefix, sizes=sizes_for(self._sizes, width), loading=loading)
        found |= style_attribute(published, width, self._twin(use)) | card_attribute(published, self._twin(use))
        return _as_html(found)

    def plain_attributes(self, spec: ImageSpec, use: Use) -> str:
        """The attributes of an image that loads its `src` only, as HTML."""
        published, width = self.published[spec.digest], use.presentation.width
        found = single_file_attributes(image_attributes(published, "", sizes="", loading="lazy"))
        return _as_html(found | style_attribute(published, width))

    def _twin(self, use: Use) -> PublishedImage | None:
        """The dark twin that shares the `<img>` of the light picture; None where it has an `<img>` of its own."""
        return None if use.dark is None or self._has_palette_toggle else self.published[use.dark.digest]


def _as_html(attributes: Mapping[str, str]) -> str:
    return "".join(attribute(name, value) for name, value in attributes.items())
