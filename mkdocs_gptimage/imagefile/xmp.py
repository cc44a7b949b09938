"""XMP packets, as text: what they say of where a picture came from, and how to say it in one that says other things.

The property is IPTC's *Digital Source Type* (https://iptc.org/std/photometadata/specification/), which search engines
and image tools read as the mark of a generated picture.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterator


GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""Made by a model that was trained, without a picture of the real world."""
_MAX_BYTES = 1024 * 1024
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_PROPERTY = f"{{{_IPTC}}}DigitalSourceType"
_HEAD = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_TAIL = '\n<?xpacket end="w"?>'
_END_OF_RDF = re.compile(r"</(?:[\w.-]+:)?RDF\s*>")
_PADDING = re.compile(r"\s+(?=<\?xpacket end)")


def packet(source: str = GENERATED) -> bytes:
    """Return a packet that says nothing else."""
    text = (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/">\n<rdf:RDF xmlns:rdf="{_RDF}">\n'
        f"{_description(source)}\n</rdf:RDF>\n</x:xmpmeta>"
    )
    return f"{_HEAD}{text}{_TAIL}".encode()


def source(xmp: bytes) -> str | None:
    """Return the digital source type that a packet tells; None without one, and for what is no packet."""
    root = _parse(_decode(xmp))
    return next(filter(None, _values(root)), None) if root is not None else None


def with_source(xmp: bytes, most: int) -> bytes:
    """Return a packet that says what this one says, and that the picture is generated, unless it says another source.

    One that cannot be read, or would have more than `most` bytes, is replaced.
    """
    if source(xmp):
        return xmp
    text = _decode(xmp)
    root, ends = _parse(text), list(_END_OF_RDF.finditer(text))
    if root is None or not ends:
        return packet()
    place = ends[-1].start()
    spliced = f"{text[:place]}{_description(GENERATED, _about(root))}\n{text[place:]}".encode()
    if len(spliced) > most:
        spliced = _PADDING.sub("\n", spliced.decode()).encode()
    return spliced if len(spliced) <= most and source(spliced) else packet()


def _description(source: str, about: str = "") -> str:
    return (
        f'<rdf:Description xmlns:rdf="{_RDF}" rdf:about="{html.escape(about)}" '
        f'xmlns:Iptc4xmpExt="{_IPTC}" Iptc4xmpExt:DigitalSourceType="{html.escape(source)}"/>'
    )


def _about(root: ET.Element) -> str:
    """What the packet calls its picture: all of its descriptions must call it the same."""
    return next((each.get(f"{{{_RDF}}}about", "") for each in _descriptions(root)), "")


def _descriptions(root: ET.Element) -> Iterator[ET.Element]:
    """The descriptions of the picture itself, and not those of something that it is made of."""
    for rdf in root.iter(f"{{{_RDF}}}RDF"):
        yield from rdf.findall(f"{{{_RDF}}}Description")


def _values(root: ET.Element) -> Iterator[str]:
    for each in _descriptions(root):
        yield each.get(_PROPERTY, "").strip()
        for element in each.findall(_PROPERTY):
            yield (element.text or "").strip() or element.get(f"{{{_RDF}}}resource", "").strip()


def _decode(xmp: bytes) -> str:
    """The text of a packet; empty for one in another encoding than files may have it in."""
    try:
        return xmp[: _MAX_BYTES + 1].decode().strip("\0\ufeff \t\r\n")
    except UnicodeDecodeError:
        return ""


def _parse(text: str) -> ET.Element | None:
    # Without a document type there are no entities, so nothing expands and nothing else is read.
    if len(text) > _MAX_BYTES or "<!DOCTYPE" in text:
        return None
    try:
        return ET.fromstring(text)  # noqa: S314 - as above
    except (ET.ParseError, ValueError):
        return None
