"""The mark of a generated picture: readable by others, without a change to a pixel, never beside other metadata."""

from __future__ import annotations

import io
import json
import re
import shutil
import struct
import subprocess
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from images import COLOURS, VEILED, saved, source_type, with_xmp
from PIL import Image, ImageCms

from mkdocs_gptimage.errors import PictureError
from mkdocs_gptimage.imagefile import xmp
from mkdocs_gptimage.imagefile.containers import BY_FORMAT
from mkdocs_gptimage.imagefile.provenance import mark, packet_for
from mkdocs_gptimage.imagefile.xmp import GENERATED, source

CAPTURE = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
TITLE = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="other"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="uuid:1&amp;2" xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">A cat</rdf:li></rdf:Alt></dc:title></rdf:Description>
</rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>""".encode()


def exif() -> Image.Exif:
    found = Image.Exif()
    found[0x010E] = "described"
    return found


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PICTURES = {
    "png": saved(COLOURS, "PNG"),
    "png of a palette": saved(COLOURS.quantize(16), "PNG"),
    "png with alpha and profile": saved(VEILED, "PNG", icc_profile=PROFILE),
    "jpg": saved(COLOURS, "JPEG"),
    "jpg, progressive": saved(COLOURS, "JPEG", progressive=True),
    "jpg, filled up": saved(COLOURS, "JPEG").replace(b"\xff\xdb", b"\xff\xff\xff\xdb"),
    "jpg with exif and profile": saved(COLOURS, "JPEG", exif=exif(), icc_profile=PROFILE),
    "webp, lossy": saved(COLOURS, "WEBP"),
    "webp, lossless": saved(COLOURS, "WEBP", lossless=True),
    "webp, lossless with alpha": saved(VEILED, "WEBP", lossless=True),
    "webp, lossy with alpha": saved(VEILED, "WEBP"),
    "webp with profile and exif": saved(VEILED, "WEBP", icc_profile=PROFILE, exif=exif()),
    "webp with something behind it": saved(COLOURS, "WEBP") + b"behind",
}
EXIFTOOL = shutil.which("exiftool")
judged = pytest.mark.skipif(not EXIFTOOL, reason="there is no exiftool on this machine")


def kind_of(name: str) -> str:
    return name.split(maxsplit=1)[0].strip(",")


def marked(name: str) -> bytes:
    return mark(PICTURES[name], kind_of(name))


def pixels(data: bytes) -> tuple[str, bytes]:
    with Image.open(io.BytesIO(data)) as image:
        return image.mode, image.tobytes()


def without_metadata(data: bytes, kind: str) -> bytes:
    """All bytes of a file but its metadata, and but a WebP's headers, which say that there is some."""
    container, position, kept = BY_FORMAT[kind], 12 * (kind == "webp"), []
    for chunk in container.chunks(data):
        if container.is_metadata(chunk) or chunk.name == b"VP8X":
            kept.append(data[position : chunk.start])
            position = chunk.end + (chunk.end - chunk.start) % 2 * (kind == "webp")
    return b"".join([*kept, data[position:]])


@pytest.fixture(scope="module")
def judgement(tmp_path_factory):
    """What another program says of each picture, without and with the mark; asked once, since it starts slowly."""
    folder = tmp_path_factory.mktemp("judged")
    names = {}
    for name, data in PICTURES.items():
        for state, content in (("before", data), ("after", marked(name))):
            path = folder / f"{len(names)}"
            path.write_bytes(content)
            names[str(path)] = (name, state)
    asked = ["-DigitalSourceType", "-Warning", "-Error"]
    command = [EXIFTOOL, "-j", "-n", "-a", *asked, *names]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {names[each.pop("SourceFile")]: each for each in said}


@pytest.mark.parametrize("name", PICTURES)
def test_a_marked_picture_tells_its_source(name, tmp_path):
    """The mark is read back by a decoder that knows nothing of how it was placed."""
    path = tmp_path / "picture"
    path.write_bytes(marked(name))

    assert source_type(path) == GENERATED


@judged
@pytest.mark.parametrize("name", PICTURES)
def test_others_read_the_mark_and_find_nothing_wrong(name, judgement):
    """Another program reads the source beside what it read before, and has no new complaint about the file."""
    before, after = judgement[name, "before"], judgement[name, "after"]
    complaint = before.get("Warning", "").replace("APP0", "APP1")  # it names the segment that is before what it skips

    assert after == before | {"DigitalSourceType": GENERATED} | ({"Warning": complaint} if complaint else {})


@pytest.mark.parametrize("name", PICTURES)
def test_pixels_stay_as_they_are(name):
    """Decoded pixels are the same, and so are all bytes of the file that are not XMP, in their order."""
    kind, data = kind_of(name), marked(name)

    assert data != PICTURES[name]
    assert pixels(data) == pixels(PICTURES[name])
    assert without_metadata(data, kind) == without_metadata(PICTURES[name], kind)


@pytest.mark.parametrize("name", PICTURES)
def test_a_marked_picture_is_not_marked_again(name):
    """Marking is done once: a second time changes nothing."""
    assert mark(marked(name), kind_of(name)) == marked(name)


@pytest.mark.parametrize(
    "said",
    [
        xmp.packet(CAPTURE),
        re.search(rb"<rdf:RDF.*</rdf:RDF>", xmp.packet(CAPTURE), re.DOTALL)[0],
        TITLE.replace(
            b"<dc:title>",
            f'<Iptc:DigitalSourceType xmlns:Iptc="{xmp._IPTC}">{CAPTURE}</Iptc:DigitalSourceType><dc:title>'.encode(),
        ),
        TITLE.replace(
            b"<dc:title>",
            f'<Iptc:DigitalSourceType xmlns:Iptc="{xmp._IPTC}" rdf:resource="{CAPTURE}"/><dc:title>'.encode(),
        ),
    ],
    ids=["attribute", "without its wrapper", "element", "resource"],
)
def test_a_web_version_tells_the_source_of_its_original(said):
    """A source that the original tells, in any form of XMP, is what a picture that is made of it tells."""
    assert source(packet_for(said)) == CAPTURE


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"no packet",
        b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>",
        TITLE.replace(b"A cat", b"\xff\xfe"),
        TITLE.decode().encode("utf-16"),
        TITLE.replace(b"<x:xmpmeta", b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]><x:xmpmeta"),
        b"<?xml version='1.0' encoding='unknown'?><x/>",
        b"<RDF></RDF>",
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>',
        TITLE + b"<!-- </rdf:RDF> -->",
        b"<a>" * 10_000,
        b" " * (2 * 1024 * 1024) + TITLE,
    ],
    ids=lambda said: f"{len(said)}-{said[:12]!r}",
)
def test_a_packet_that_cannot_be_read_tells_no_source(said):
    """What is no packet, or could be a trap, is not read, and a web version tells that it is generated."""
    assert source(said) is None
    assert source(packet_for(said)) == GENERATED


def test_the_source_of_a_part_is_not_the_pictures():
    """What a packet says of something that a picture was made of is not what it says of the picture."""
    part = (
        f'<dc:source rdf:parseType="Resource"><rdf:Description xmlns:I="{xmp._IPTC}" I:DigitalSourceType="{CAPTURE}"/>'
    )
    said = TITLE.replace(b"<dc:title>", f"{part}</dc:source><dc:title>".encode())

    assert source(said) is None
    assert source(packet_for(said)) == GENERATED


def png_with(name: bytes, content: bytes) -> bytes:
    data, end = PICTURES["png"], 33  # behind the header
    chunk = struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    return data[:end] + chunk + data[end:]


def jpg_with(manifest: bytes) -> bytes:
    """Split into two segments, as long ones are, in the middle of a word."""
    data, parts = PICTURES["jpg"], []
    half = len(manifest) // 2
    for number, part in enumerate((manifest[:half], manifest[half:]), 1):
        content = b"JP" + struct.pack(">HI", 1, number) + struct.pack(">I", len(manifest) + 8) + b"jumb" + part
        parts.append(b"\xff\xeb" + struct.pack(">H", len(content) + 2) + content)
    return data[:2] + b"".join(parts) + data[2:]


def webp_with(manifest: bytes) -> bytes:
    data = PICTURES["webp with profile and exif"] + b"C2PA" + struct.pack("<I", len(manifest)) + manifest
    data += b"\0" * (len(manifest) % 2)
    return b"RIFF" + struct.pack("<I", len(data) - 8) + data[8:]


MANIFEST = b"jumb c2pa.actions something signature"
WITH_METADATA = {
    "png with xmp": with_xmp("PNG", TITLE),
    "png with compressed xmp": with_xmp("PNG", TITLE, zip=True),
    "png with xmp that inflates to 50 MB": png_with(
        b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"<" + b" " * 50_000_000)
    ),
    "png with c2pa": png_with(b"caBX", MANIFEST),
    "jpg with xmp": with_xmp("JPEG", TITLE),
    "jpg with c2pa": jpg_with(MANIFEST),
    "webp with xmp": with_xmp("WEBP", TITLE),
    "webp with xmp that cannot be read": with_xmp("WEBP", b"no packet"),
    "webp with c2pa": webp_with(MANIFEST),
}


@pytest.mark.parametrize("name", WITH_METADATA)
def test_a_picture_with_metadata_of_its_own_stays_as_it_is(name):
    """What a picture says of itself is not contradicted, and the signature of a C2PA manifest is not broken."""
    assert mark(WITH_METADATA[name], kind_of(name)) == WITH_METADATA[name]


def test_a_picture_without_a_mark_tells_none(tmp_path):
    """Reading marks finds none where none is."""
    path = tmp_path / "picture.png"
    path.write_bytes(PICTURES["png"])

    assert source_type(path) is None


@given(name=st.sampled_from(sorted(PICTURES | WITH_METADATA)), data=st.data())
def test_broken_pictures_raise_nothing_else(name, data):
    """Whatever breaks off or is bent in a file, it is marked or refused as a picture."""
    whole = bytearray((PICTURES | WITH_METADATA)[name])
    at = data.draw(st.integers(4, len(whole) - 1))
    whole[at] = data.draw(st.integers(0, 255))
    broken = bytes(whole[: data.draw(st.integers(8, len(whole)))])
    try:
        found = mark(broken, kind_of(name))
    except PictureError as error:
        found = str(error).encode()

    assert found


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("png", PICTURES["png"][:12]),
        ("jpg", PICTURES["jpg"][:12]),
        ("jpg", PICTURES["jpg"][:2] + b"\xff\xd9"),
        ("webp", PICTURES["webp, lossy"][:12]),
        ("webp", b"RIFF\4\0\0\0WEBP"),
        ("webp", b"RIFF\x0c\0\0\0WEBPVP8X\0\0\0\0"),
        ("webp", b"RIFF\x0c\0\0\0WEBPVP8 \0\0\0\0"),
        ("webp", b"RIFF\x16\0\0\0WEBPVP8 \x0a\0\0\0" + bytes(10)),
        ("webp", b"RIFF\x0c\0\0\0WEBPALPH\0\0\0\0"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)}-{value[-8:]!r}",
)
def test_a_picture_without_its_pieces_is_refused(kind, data):
    """The first bytes of a format alone are no picture."""
    with pytest.raises(PictureError, match="the picture"):
        mark(data, kind)
