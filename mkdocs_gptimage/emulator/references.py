"""Reference images of a request: validated and reduced to small copies. URLs are never fetched."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
from dataclasses import dataclass
from urllib.parse import urlsplit

from PIL import Image

from mkdocs_gptimage.emulator.errors import invalid

MOST_REFERENCES = 16
MOST_BYTES = 20 * 1024 * 1024
MOST_BYTES_TOGETHER = 256 * 1024 * 1024
MOST_PIXELS = 64_000_000
"""Larger images are refused before they are decoded: a few kilobytes can hold billions of pixels."""

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
SKETCH_SIDE = 1024
URL_SIDE = 1024


@dataclass(frozen=True)
class Reference:
    """A valid reference image, as a small copy."""

    digest: str
    """SHA-256 of the file, or of its URL."""
    width: int
    """Pixels of the original; those of a square for a URL."""
    height: int
    sketch: bytes | None
    """The small copy as JPEG; None for a URL."""


def read_references(entries: list[str]) -> tuple[Reference, ...]:
    """Validate and decode the entries of `image_urls`. Raises ApiError (400) that names the index of the wrong one."""
    if len(entries) > MOST_REFERENCES:
        raise invalid("image_urls", f"at most {MOST_REFERENCES} images, found {len(entries)}")
    references = []
    together = 0
    for index, entry in enumerate(entries):
        param = f"image_urls[{index}]"
        if entry[:5].lower() != "data:":
            references.append(_linked(param, entry))
            continue
        content = _content(param, entry)
        together += len(content)
        if together > MOST_BYTES_TOGETHER:
            raise invalid("image_urls", "the images are larger than 256 MB together")
        references.append(_embedded(param, content))
    return tuple(references)


def _linked(param: str, url: str) -> Reference:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme.lower() not in {"http", "https"} or not parts.hostname:
        raise invalid(param, "expected an http(s) URL or a data URI with an image")
    return Reference(hashlib.sha256(url.encode()).hexdigest(), URL_SIDE, URL_SIDE, None)


def _content(param: str, uri: str) -> bytes:
    head, comma, payload = uri.partition(",")
    kind = head[5:].lower()
    if not comma or not kind.startswith("image/") or not kind.endswith(";base64"):
        raise invalid(param, "expected data:image/...;base64,...")
    if len(payload) // 4 * 3 > MOST_BYTES + 2:
        raise invalid(param, "the image is larger than 20 MB", "image_too_large")
    try:
        content = base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        raise invalid(param, "the base64 of the data URI is broken") from None
    if len(content) > MOST_BYTES:
        raise invalid(param, "the image is larger than 20 MB", "image_too_large")
    return content


def _embedded(param: str, content: bytes) -> Reference:
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise invalid(param, f"{width}x{height} are more pixels than the service reads", "image_too_large")
            sketch = _sketch(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise invalid(param, "the image cannot be decoded", "invalid_image") from None
    return Reference(hashlib.sha256(content).hexdigest(), width, height, sketch)


def _sketch(image: Image.Image) -> bytes:
    image.draft("RGB", (SKETCH_SIDE, SKETCH_SIDE))
    image.thumbnail((SKETCH_SIDE, SKETCH_SIDE))
    opaque = image.convert("RGBA")
    paper = Image.new("RGB", opaque.size, (255, 255, 255))
    paper.paste(opaque, mask=opaque.getchannel("A"))
    out = io.BytesIO()
    paper.save(out, "JPEG", quality=92)
    return out.getvalue()
