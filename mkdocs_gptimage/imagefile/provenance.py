"""Marks images as generated media, with an IPTC digital source type in XMP.

A published original is given the mark without a change to its pixels, unless it has XMP or a C2PA manifest: those are
the generator's own statement, and any added byte would break a manifest's signature. A web version is given a packet
with the digital source type of its original.
"""

from __future__ import annotations

from mkdocs_gptimage.imagefile import xmp
from mkdocs_gptimage.imagefile.containers import BY_FORMAT


def mark(data: bytes, kind: str) -> bytes:
    """Return an image file with metadata on its source; `kind` is `png`, `jpg` or `webp`.

    Raises `PictureError` for a file that is not of that format.
    """
    container = BY_FORMAT[kind]
    chunks = list(container.chunks(data))
    if any(map(container.is_metadata, chunks)):
        return data
    return container.insert(data, chunks, xmp.packet())


def packet_for(original: bytes) -> bytes:
    """Return the XMP packet for a web version, from the packet of its original (empty if it has none)."""
    return xmp.packet(xmp.source(original) or xmp.GENERATED)
