"""Bytes that claim to be a picture → what they are, by looking at all of them in little memory."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import PictureError
from mkdocs_gptimage.imagefile import jpeg, png, webp
from mkdocs_gptimage.imagefile.sniff import sniff

if TYPE_CHECKING:
    from pathlib import Path


MAX_PIXELS = 4096 * 2160
"""Width × height: a little more than the 3840×2160 of the service's largest. WebP takes 16 bytes a pixel to decode."""
MAX_TRAILING = 64 * 1024
"""Bytes behind the end of a picture that are forgiven; with more it is something else as well."""
_DECODERS = {"jpg": "JPEG", "webp": "WEBP"}
_OTHERS = {b"<": "HTML, SVG or another text", b"{": "JSON", b"PK": "a ZIP archive", b"GIF8": "a GIF", b"%PDF": "a PDF"}


@dataclass(frozen=True)
class ImageInfo:
    """A picture that decodes."""

    format: str
    """`png`, `jpg` or `webp`."""
    width: int
    height: int


def verify_image(path: Path) -> ImageInfo:
    """Check that a file is a whole PNG, JPEG or WebP picture of sensible size; raise `PictureError`.

    Takes up to 16 bytes of memory for a pixel, and the file: so call it for one picture at a time.
    """
    with path.open("rb") as file:
        head = file.read(16)
        kind = sniff(head)
        if kind not in ("png", "jpg", "webp"):
            raise PictureError(f"what was downloaded is not a PNG, JPEG or WebP picture{_but(head)}")
        # Bytes that are read would stay with each thread that has once read them.
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            width, height = _measure(kind, data)
    if kind != "png":
        width, height = _decode(kind, path)
    return ImageInfo(kind, width, height)


def _but(head: bytes) -> str:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return next((f" but {what}" for start, what in _OTHERS.items() if text.startswith(start)), "")


def _measure(kind: str, data: mmap.mmap) -> tuple[int, int]:
    """Check a picture as far as that goes without decoding it; its size, or (0, 0) for a JPEG."""
    width = height = 0
    if kind == "png":
        header = png.header(data)
        width, height = header.width, header.height
        _check_size(width, height)
        end = png.check(data, header)
    elif kind == "webp":
        width, height = webp.size(data)
        _check_size(width, height)
        end = webp.end(data)
    else:
        end = jpeg.check(data)
    if len(data) - end > MAX_TRAILING:
        raise PictureError(f"{len(data) - end} bytes follow the end of the picture: it is something else as well")
    return width, height


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise PictureError(f"the picture has {width}×{height} pixels, more than is sensible")


def _decode(kind: str, path: Path) -> tuple[int, int]:
    """Decode a JPEG, at an eighth of its size, or a WebP: their data carry no checksums."""
    from PIL import Image  # noqa: PLC0415 - slow to import, and most pictures are PNG

    try:
        with Image.open(path, formats=(_DECODERS[kind],)) as image:
            width, height = image.size
            _check_size(width, height)
            if kind == "jpg":
                image.draft("L", (1, 1))
            image.load()
    except PictureError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureError("the picture has more pixels than is sensible") from None
    except Exception as error:  # noqa: BLE001 - decoders raise anything for bytes made to break them
        raise PictureError(f"the picture is damaged ({error})") from None
    return width, height
