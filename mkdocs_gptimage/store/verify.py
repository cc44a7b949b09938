"""Compares the bytes of a stored picture with its record, and with the limits that hold for downloads."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import ImageLimitError, PictureError
from mkdocs_gptimage.fs import read_regular_file
from mkdocs_gptimage.imagefile.sniff import sniff
from mkdocs_gptimage.imagefile.verify import DECODING_BYTES, MAX_BYTES, check_limits, check_size
from mkdocs_gptimage.resources import raise_if_lacking
from mkdocs_gptimage.store.entry import Damage, DamageKind, damage_of
from mkdocs_gptimage.store.record import FORMATS

if TYPE_CHECKING:
    from mkdocs_gptimage.store.entry import Entry
    from mkdocs_gptimage.store.record import ImageFacts


_LONGEST_MARK = 16
_PILLOW = ("PNG", "JPEG", "WEBP")


def read_verified(entry: Entry) -> bytes | Damage:
    """Return the bytes of a stored picture if they are those of its record and safe to decode; else the damage."""
    try:
        require_limits(entry.image)
        data = read_regular_file(entry.path, entry.image.bytes)
        reason = _difference(data, entry)
    except OSError as error:
        return damage_of(entry.digest, entry.path, error)
    except PictureError as error:
        return damage_of_bytes(entry, error)
    return Damage(entry.digest, reason, DamageKind.MISMATCH, entry.path) if reason else data


def require_limits(image: ImageFacts) -> None:
    """Raise `ImageLimitError` for a picture whose record alone exceeds the limits."""
    check_size(image.width, image.height)
    if image.bytes > MAX_BYTES:
        raise ImageLimitError(f"the picture has {image.bytes} bytes, expected at most {MAX_BYTES // 1024 // 1024} MiB")


def damage_of_bytes(entry: Entry, error: PictureError) -> Damage:
    """Return the damage for a picture that is beyond the limits, or cannot be decoded."""
    kind = DamageKind.OVER_LIMIT if isinstance(error, ImageLimitError) else DamageKind.UNREADABLE
    return Damage(entry.digest, f"{entry.path.name}: {error}", kind, entry.path)


def _difference(data: bytes, entry: Entry) -> str:
    """How bytes differ from the record; empty when they agree. Raises `PictureError` for bytes not to decode."""
    image, name = entry.image, entry.path.name
    if hashlib.sha256(data).hexdigest() != image.sha256:
        return f"the bytes of {name} are not those of its record"
    found = _measure(data)
    if found != (image.format, image.width, image.height):
        described = "no picture" if found is None else f"a {found[0]} of {found[1]}×{found[2]} pixels"
        return f"{name} is {described}, its record says a {image.format} of {image.width}×{image.height}"
    return ""


def _measure(data: bytes) -> tuple[str, int, int] | None:
    """Return (format, width, height) of an image file; None for another kind; raise `PictureError` as above."""
    from PIL import Image  # noqa: PLC0415 - slow, and a warm build compares nothing

    kind = sniff(data[:_LONGEST_MARK])
    if kind is None:
        return None
    cut_off = None
    try:
        if kind in FORMATS:
            check_limits(kind, data)
    except ImageLimitError:
        raise
    except PictureError as error:
        cut_off = error
    try:
        with Image.open(io.BytesIO(data), formats=_PILLOW) as picture:
            size = picture.size
    except Exception as error:  # noqa: BLE001 - decoders raise anything for malformed files
        raise_if_lacking(error, "a stored picture cannot be opened", memory=DECODING_BYTES)
        return None
    check_size(*size)
    if cut_off is not None:
        raise cut_off
    return (kind, *size)
