"""XMP packets that state an image's IPTC digital source type.

Search engines and image tools read that property (https://iptc.org/std/photometadata/specification/) as the mark of
generated media.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterator


GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""Made by a trained model, not captured from the real world."""
_MAX_BYTES = 1024 * 1024
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_PROPERTY = f"{{{_IPTC}}}DigitalSourceType"
_PACKET = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="{_RDF}">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="{_IPTC}" Iptc4xmpExt:DigitalSourceType="%s"/>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""


def packet(source: str = GENERATED) -> bytes:
    """Return a packet with this digital source type and no other property."""
    return (_PACKET % html.escape(source)).encode()


def source(xmp: bytes) -> str | None:
    """Return the digital source type in a packet; None for a packet without one, or that cannot be read."""
    # Without a document type there are no entities, so nothing expands and no other file is read.
    if len(xmp) > _MAX_BYTES or b"<!DOCTYPE" in xmp:
        return None
    try:
        root = ET.fromstring(xmp.decode().strip("\0\ufeff \t\r\n"))  # noqa: S314 - as above
    except (ET.ParseError, ValueError):
        return None
    return next(filter(None, _values(root)), None)


def _values(root: ET.Element) -> Iterator[str]:
    """The property as an attribute, text or a reference, of the image itself and not of its ingredients."""
    descriptions = (each for rdf in root.iter(f"{{{_RDF}}}RDF") for each in rdf.iterfind(f"{{{_RDF}}}Description"))
    for description in descriptions:
        yield description.get(_PROPERTY, "").strip()
        for element in description.findall(_PROPERTY):
            yield (element.text or "").strip() or element.get(f"{{{_RDF}}}resource", "").strip()
