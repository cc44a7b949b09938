"""Small images that Pillow draws."""

from __future__ import annotations

import io

from PIL import Image

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
