"""Bytes that claim to be a picture → what they are, by decoding them."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from .errors import PictureError
from .imagetype import sniff

if TYPE_CHECKING:
    from pathlib import Path

MAX_PIXELS = 64_000_000
"""Width × height; the service's largest picture has 8.3 million."""

_INFLATED = 64 * 1024
_FORMATS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}


@dataclass(frozen=True)
class Decoded:
    """A picture that decodes."""

    format: str
    """`png`, `jpg` or `webp`."""
    width: int
    height: int


def decode(path: Path) -> Decoded:
    """Check that a file is a whole PNG, JPEG or WebP picture of sensible size; raise `PictureError`."""
    with path.open("rb") as file:
        kind = sniff(file.read(16))
    if kind not in _FORMATS:
        raise PictureError("what was downloaded is not a PNG, JPEG or WebP picture")
    try:
        with Image.open(path, formats=(_FORMATS[kind],)) as image:
            width, height = image.size
            _decode(image, kind, path)
    except PictureError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureError("the picture has more pixels than is sensible") from None
    except Exception as error:  # noqa: BLE001 - decoders raise anything for bytes made to break them
        raise PictureError(f"the picture is damaged ({error})") from None
    return Decoded(kind, width, height)


def _decode(image: Image.Image, kind: str, path: Path) -> None:
    """Decode as much as it takes to know that every byte arrived.

    Inflating all of a PNG costs more than the rest of a download. Its chunks carry checksums up to the end mark, so
    those are verified, and only the beginning of the pixels is inflated. The data of JPEG and WebP carry none: they
    are read to the end, JPEG at an eighth of its size.
    """
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise PictureError(f"the picture has {width}×{height} pixels, more than is sensible")
    if kind == "png":
        image.verify()
        _inflate_beginning(path)
        return
    if kind == "jpg":
        image.draft("L", (1, 1))
    image.load()


def _inflate_beginning(path: Path) -> None:
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, name = struct.unpack(">I4s", head)
            if name == b"IDAT":
                zlib.decompressobj().decompress(file.read(min(length, _INFLATED)), _INFLATED)
                return
            file.seek(length + 4, 1)
    raise PictureError("the picture has no pixels")
