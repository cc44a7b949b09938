"""The mark of a generated picture, in words that machines read: IPTC's digital source type, in XMP.

Web versions are given a packet that says that and nothing else. A stored picture that is published as it is gets the
property added to what it says already, without a change to its pixels. One that says where it came from keeps that,
and one whose signed history (C2PA) says that it is generated is left alone: a byte more would break the signature.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mkdocs_gptimage.imagefile import xmp
from mkdocs_gptimage.imagefile.containers import BY_FORMAT
from mkdocs_gptimage.imagefile.sniff import sniff
from mkdocs_gptimage.imagefile.xmp import source, with_source

if TYPE_CHECKING:
    from pathlib import Path


GENERATED = xmp.GENERATED


def mark(data: bytes, kind: str) -> bytes:
    """Return a picture that tells where it came from; `kind` is `png`, `jpg` or `webp`.

    Raises `PictureError` for bytes that do not have the shape of their format.
    """
    container = BY_FORMAT[kind]
    packet = container.packet(data)
    if GENERATED.encode() in container.manifest(data):
        return data
    if packet is None:
        return container.with_packet(data, xmp.packet())
    if source(packet):
        return data
    return container.with_packet(data, with_source(packet, container.most))


def packet_for(data: bytes, kind: str) -> bytes:
    """Return the packet of a picture that is made of this one: the source that this one tells, and nothing else."""
    packet = BY_FORMAT[kind].packet(data)
    return xmp.packet(source(packet or b"") or GENERATED)


def source_type(path: Path) -> str | None:
    """Return the digital source type that a picture tells, in XMP or else in its signed history."""
    from PIL import Image  # noqa: PLC0415 - slow, and no build reads marks

    with Image.open(path) as picture:
        picture.load()
        found = source(picture.info.get("xmp") or b"")
    if found:
        return found
    data = path.read_bytes()
    container = BY_FORMAT.get(sniff(data[:16]) or "")
    return GENERATED if container and GENERATED.encode() in container.manifest(data) else None
