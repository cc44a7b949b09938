"""Small images that Pillow draws."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image, PngImagePlugin

from mkdocs_gptimage.imagefile.xmp import source

if TYPE_CHECKING:
    from pathlib import Path

COLOURS = Image.merge("RGB", [Image.linear_gradient("L"), Image.radial_gradient("L"), Image.new("L", (256, 256), 90)])
COLOURS = COLOURS.resize((40, 25))
VEILED = COLOURS.convert("RGBA")
"""With a transparency that changes from top to bottom."""
VEILED.putalpha(Image.linear_gradient("L").resize(VEILED.size))


def saved(image: Image.Image, kind: str, **settings) -> bytes:
    """The bytes of a file in a format of Pillow's."""
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def with_xmp(kind: str, packet: bytes, *, zip: bool = False) -> bytes:  # noqa: A002 - Pillow's name
    """The bytes of a file that has an XMP packet."""
    if kind != "PNG":
        return saved(COLOURS, kind, xmp=packet)
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", packet.decode(), zip=zip)
    return saved(COLOURS, kind, pnginfo=texts)


def source_type(path: Path) -> str | None:
    """The digital source type that a file tells, found by Pillow."""
    with Image.open(path) as image:
        image.load()
        return source(image.info.get("xmp") or b"")
