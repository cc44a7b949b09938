"""The mark of a generated picture: readable by others, beside what was said before, without a change to a pixel."""

from __future__ import annotations

import io
import json
import shutil
import struct
import subprocess
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from images import COLOURS, VEILED, saved
from PIL import Image, ImageCms, PngImagePlugin

from mkdocs_gptimage.errors import PictureError
from mkdocs_gptimage.imagefile import xmp
from mkdocs_gptimage.imagefile.containers import BY_FORMAT, JPEG, PNG, WEBP
from mkdocs_gptimage.imagefile.provenance import GENERATED, mark, packet_for, source_type
from mkdocs_gptimage.imagefile.xmp import source, with_source

CAPTURE = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
TITLE = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="other"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="uuid:1&amp;2" xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">A cat</rdf:li></rdf:Alt></dc:title></rdf:Description>
</rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>""".encode()


def with_text(packet: bytes, *, zip: bool = False) -> bytes:  # noqa: A002 - Pillow's name
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", packet.decode(), zip=zip)
    return saved(COLOURS, "PNG", pnginfo=texts)


def exif() -> Image.Exif:
    found = Image.Exif()
    found[0x010E] = "described"
    return found


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PICTURES = {
    "png": saved(COLOURS, "PNG"),
    "png of a palette": saved(COLOURS.quantize(16), "PNG"),
    "png with alpha and profile": saved(VEILED, "PNG", icc_profile=PROFILE),
    "png with xmp": with_text(TITLE),
    "png with compressed xmp": with_text(TITLE, zip=True),
    "jpg": saved(COLOURS, "JPEG"),
    "jpg, progressive": saved(COLOURS, "JPEG", progressive=True),
    "jpg, filled up": saved(COLOURS, "JPEG").replace(b"\xff\xdb", b"\xff\xff\xff\xdb"),
    "jpg with exif and profile": saved(COLOURS, "JPEG", exif=exif(), icc_profile=PROFILE),
    "jpg with xmp": saved(COLOURS, "JPEG", xmp=TITLE),
    "webp, lossy": saved(COLOURS, "WEBP"),
    "webp, lossless": saved(COLOURS, "WEBP", lossless=True),
    "webp, lossless with alpha": saved(VEILED, "WEBP", lossless=True),
    "webp, lossy with alpha": saved(VEILED, "WEBP"),
    "webp with profile and exif": saved(VEILED, "WEBP", icc_profile=PROFILE, exif=exif()),
    "webp with xmp": saved(COLOURS, "WEBP", xmp=TITLE),
    "webp with something behind it": saved(COLOURS, "WEBP") + b"behind",
}
TITLED = sorted(name for name in PICTURES if name.endswith("xmp"))
EXIFTOOL = shutil.which("exiftool")
judged = pytest.mark.skipif(not EXIFTOOL, reason="there is no exiftool on this machine")


def kind_of(name: str) -> str:
    return name.split(maxsplit=1)[0].strip(",")


def marked(name: str) -> bytes:
    return mark(PICTURES[name], kind_of(name))


def pixels(data: bytes) -> tuple[str, bytes]:
    with Image.open(io.BytesIO(data)) as image:
        return image.mode, image.tobytes()


def pieces(data: bytes, kind: str) -> list[bytes]:
    """All of a file but what is said in XMP, and the head that says that there is some."""
    container = BY_FORMAT[kind]
    found = [(piece.name, data[piece.start : piece.end]) for piece in container.pieces(data)]
    last = container.pieces(data)[-1].end
    kept = [content for name, content in found if name not in (b"VP8X", b"XMP ") and b"adobe" not in content[:40]]
    return [content + b"\0" * (kind == "webp" and len(content) % 2) for content in kept] + [data[last:]]


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
    asked = ["-DigitalSourceType", "-XMP-dc:Title", "-Warning", "-Error"]
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
    if name in TITLED:
        before = {"Title": "A cat"} | before
    complaint = before.get("Warning", "").replace("APP0", "APP1")  # it names the segment that is before what it skips

    assert after == before | {"DigitalSourceType": GENERATED} | ({"Warning": complaint} if complaint else {})


@pytest.mark.parametrize("name", PICTURES)
def test_pixels_stay_as_they_are(name):
    """Decoded pixels are the same, and so are all pieces of the file that are not XMP, in their order."""
    kind, data = kind_of(name), marked(name)

    assert data != PICTURES[name]
    assert pixels(data) == pixels(PICTURES[name])
    assert pieces(data, kind) == pieces(PICTURES[name], kind)


@pytest.mark.parametrize("name", PICTURES)
def test_a_marked_picture_is_not_marked_again(name):
    """Marking is done once: a second time changes nothing."""
    assert mark(marked(name), kind_of(name)) == marked(name)


@pytest.mark.parametrize("name", TITLED)
def test_what_a_picture_says_of_itself_stays(name):
    """Other properties, the name of the picture and the shape of the packet are kept."""
    with Image.open(io.BytesIO(marked(name))) as image:
        image.load()
        packet = image.info["xmp"]
    before, after = TITLE.split(b"</rdf:RDF>")

    assert packet.startswith(before)
    assert packet.endswith(after)
    assert packet.count(b'rdf:about="uuid:1&amp;2"') == 2


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(
    "said",
    [
        xmp.packet(CAPTURE),
        TITLE.replace(
            b"<dc:title>",
            f'<Iptc:DigitalSourceType xmlns:Iptc="{xmp._IPTC}">{CAPTURE}</Iptc:DigitalSourceType><dc:title>'.encode(),
        ),
        TITLE.replace(
            b"<dc:title>",
            f'<Iptc:DigitalSourceType xmlns:Iptc="{xmp._IPTC}" rdf:resource="{CAPTURE}"/><dc:title>'.encode(),
        ),
    ],
    ids=["attribute", "element", "resource"],
)
def test_a_source_of_its_own_stays(kind, said):
    """A picture that says where it came from is not contradicted, and what is made of it says the same."""
    data = with_text(said) if kind == "PNG" else saved(COLOURS, kind, xmp=said)
    ending = {"JPEG": "jpg"}.get(kind, kind.lower())

    assert mark(data, ending) == data
    assert source(packet_for(data, ending)) == CAPTURE


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
def test_a_packet_that_cannot_be_read_is_replaced(said):
    """What is no packet, or could be a trap, makes room for one that says the source."""
    data = saved(COLOURS, "WEBP", xmp=said or b" ")

    assert source(said) is None
    assert source(WEBP.packet(mark(data, "webp"))) == GENERATED


def test_the_source_of_a_part_is_not_the_pictures():
    """What a packet says of something that a picture was made of is not what it says of the picture."""
    part = (
        f'<dc:source rdf:parseType="Resource"><rdf:Description xmlns:I="{xmp._IPTC}" I:DigitalSourceType="{CAPTURE}"/>'
    )
    said = TITLE.replace(b"<dc:title>", f"{part}</dc:source><dc:title>".encode())

    assert source(said) is None
    assert source(with_source(said, len(said) * 2)) == GENERATED


@pytest.mark.parametrize(("padding", "is_kept"), [(b" ", True), (b"x", False)], ids=["white space", "words"])
def test_a_packet_that_fills_a_segment_makes_room(padding, is_kept):
    """In a JPEG, the white space that packets are padded with goes first, and what is said only without it."""
    most = JPEG.most
    place = b"</x:xmpmeta>" if padding == b" " else b"A cat"
    said = TITLE.replace(place, place + padding * (most - len(TITLE)))
    data = mark(saved(COLOURS, "JPEG", xmp=said), "jpg")
    packet = JPEG.packet(data)

    assert len(said) == most
    assert source(packet) == GENERATED
    assert (b"A cat" in packet) is is_kept
    assert pixels(data) == pixels(PICTURES["jpg"])


def png_with(name: bytes, content: bytes) -> bytes:
    data, end = PICTURES["png"], PNG.pieces(PICTURES["png"])[0].end
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
    data = PICTURES["webp with xmp"] + b"C2PA" + struct.pack("<I", len(manifest)) + manifest
    data += b"\0" * (len(manifest) % 2)
    return b"RIFF" + struct.pack("<I", len(data) - 8) + data[8:]


SIGNED = {"png": lambda manifest: png_with(b"caBX", manifest), "jpg": jpg_with, "webp": webp_with}


@pytest.mark.parametrize("kind", SIGNED)
def test_a_signed_history_that_tells_the_source_is_left_alone(kind, tmp_path):
    """A picture whose manifest says that it is generated is marked already; a change would break the signature."""
    data = SIGNED[kind](b"jumb c2pa.actions digitalSourceType " + GENERATED.encode() + b" signature")
    path = tmp_path / "picture"
    path.write_bytes(data)

    assert mark(data, kind) == data
    assert source_type(path) == GENERATED


@pytest.mark.parametrize("kind", SIGNED)
def test_a_signed_history_that_tells_no_source_stays_as_it_is(kind):
    """A manifest that says nothing of the source is kept to the byte beside the mark."""
    data = SIGNED[kind](b"jumb c2pa.actions something else")
    container = BY_FORMAT[kind]
    after = mark(data, kind)

    assert source(container.packet(after)) == GENERATED
    assert container.manifest(after) == container.manifest(data) != b""
    assert pieces(after, kind) == pieces(data, kind)


def test_a_bomb_in_a_compressed_packet_is_replaced():
    """A text that inflates to more than any packet has is not inflated."""
    text = zlib.compress(b"<" + b" " * 50_000_000)
    data = png_with(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + text)

    assert PNG.packet(data) == b""
    assert source(PNG.packet(mark(data, "png"))) == GENERATED


def test_a_picture_without_a_mark_tells_none(tmp_path):
    """Reading marks finds none where none is."""
    path = tmp_path / "picture.png"
    path.write_bytes(PICTURES["png"])

    assert source_type(path) is None


@given(name=st.sampled_from(sorted(PICTURES)), data=st.data())
def test_broken_pictures_raise_nothing_else(name, data):
    """Whatever breaks off or is bent in a file, it is marked or refused as a picture."""
    whole = bytearray(PICTURES[name])
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
