"""Compares the bytes of an image file with the record that describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mkdocs_gptimage.imagefile.sniff import sniff
from mkdocs_gptimage.resources import raise_if_lacking

if TYPE_CHECKING:
    from pathlib import Path

    from mkdocs_gptimage.store.record import ImageFacts


_LONGEST_MARK = 16


def compare_bytes(image: ImageFacts, name: str, sha256: str, path: Path) -> str:
    """Return how the bytes in `path`, whose hash is `sha256`, differ from the record; empty when they agree.

    `name` is the stored file, as messages show it.
    """
    if sha256 != image.sha256:
        return f"the bytes of {name} are not those of its record"
    found = measure(path)
    if found != (image.format, image.width, image.height):
        described = "no picture" if found is None else f"a {found[0]} of {found[1]}×{found[2]} pixels"
        return f"{name} is {described}, its record says a {image.format} of {image.width}×{image.height}"
    return ""


def measure(path: Path) -> tuple[str, int, int] | None:
    """Return (format, width, height) of an image file; None if it is not a valid PNG, JPEG or WebP."""
    # Slow to import, and a warm build compares nothing.
    from PIL import Image  # noqa: PLC0415

    from mkdocs_gptimage.imagefile.verify import DECODING_BYTES  # noqa: PLC0415

    with path.open("rb") as file:
        kind = sniff(file.read(_LONGEST_MARK))
        if kind is None:
            return None
        file.seek(0)
        try:
            with Image.open(file, formats=("PNG", "JPEG", "WEBP")) as picture:
                return (kind, *picture.size)
        except Exception as error:  # noqa: BLE001 - decoders raise anything for malformed files
            raise_if_lacking(error, f"{path.name} cannot be opened", memory=DECODING_BYTES)
            return None
