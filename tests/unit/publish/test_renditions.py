"""Web versions of stored pictures: right in size and colour, made once, and only of the record's bytes."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import re
import stat
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from images import COLOURS, VEILED, saved, source_type, with_xmp
from PIL import Image, ImageCms, ImageOps, features

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.imagefile import xmp
from mkdocs_gptimage.imagefile.xmp import GENERATED
from mkdocs_gptimage.publish import build as derivation
from mkdocs_gptimage.publish import manifest as manifests
from mkdocs_gptimage.publish import seal
from mkdocs_gptimage.publish.encode import encode, open_upright
from mkdocs_gptimage.publish.manifest import manifest_path
from mkdocs_gptimage.publish.renditions import RenditionSet, derive_renditions
from mkdocs_gptimage.settings import Output
from mkdocs_gptimage.store.entry import Damage, DamageKind, Entry
from mkdocs_gptimage.store.record import ImageFacts, Provenance

MADE = Provenance("2026-11-23T21:16:57Z", "apimaster.ai", "task_1", 12.5, 0.0085)
ENDINGS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}
RED, BLUE = (200, 30, 40), (40, 60, 190)
BOTH = Output(formats=("avif", "webp"), widths=(16, 32))
FINE = Output(formats=("avif", "webp"), widths=(64,), quality={"webp": 95, "avif": 90})


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def store(tmp_path):
    """A function that stores a picture, an image or the bytes of a file, and returns its entry."""

    def stored(picture=COLOURS, kind: str = "PNG", **settings) -> Entry:
        data = picture if isinstance(picture, bytes) else saved(picture, kind, **settings)
        with Image.open(io.BytesIO(data)) as image:
            ending, size = ENDINGS[image.format], image.size
        sha256 = hashlib.sha256(data).hexdigest()
        path = tmp_path / f"{sha256}.{ending}"
        path.write_bytes(data)
        return Entry(sha256, path, ImageFacts(sha256, len(data), *size, format=ending), MADE)

    return stored


def derive(entry, cache, output=BOTH, *, original: bool = False):
    """What became of one picture."""
    return derive_renditions([entry], output, cache, originals={entry.digest} if original else ())[entry.digest]


def shape(derived) -> list[tuple[str, int, int]]:
    return [(each.format, each.width, each.height) for each in derived.renditions]


def opened(rendition) -> Image.Image:
    with Image.open(rendition.path) as image:
        image.load()
    return image


def halves(image: Image.Image) -> list[tuple[int, ...]]:
    """The colours in the middle of the left and of the right half."""
    return [image.convert("RGBA").getpixel((image.width * at // 4, image.height // 2)) for at in (1, 3)]


def near(found, expected, most: int = 12) -> bool:
    return all(abs(one - other) <= most for one, other in zip(found, expected, strict=True))


def split(left, right, mode: str = "RGB", size=(40, 24)) -> Image.Image:
    """A picture of two halves."""
    image = Image.new(mode, size, left)
    image.paste(right, (size[0] // 2, 0, *size))
    return image


def files(cache) -> dict[str, tuple[int, int]]:
    """What is in the cache: inode and time of change by name."""
    return {
        str(path.relative_to(cache)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in cache.rglob("*")
        if path.is_file()
    }


def pictures(cache) -> dict[str, tuple[int, int]]:
    return {name: found for name, found in files(cache).items() if not name.endswith(".json")}


@pytest.mark.parametrize(
    ("width", "wanted", "expected"),
    [
        (40, (10, 20, 30), [10, 20, 30]),
        (40, (10, 50), [10, 40]),
        (40, (37, 50), [37]),
        (40, (35, 50), [35, 40]),
        (40, (40,), [40]),
        (8, (10, 20), [8]),
        (40, (30, 10), [10, 30]),
    ],
)
def test_widths(store, cache, width, wanted, expected):
    """No version is wider than the picture, and its own width is there unless another is wider or nearly as wide."""
    entry = store(COLOURS.resize((width, 25)))
    found = derive(entry, cache, Output(formats=("webp",), widths=wanted)).renditions

    assert [each.width for each in found] == expected
    assert [opened(each).size for each in found] == [(each.width, each.height) for each in found]


def test_formats_come_in_the_sites_order_and_widths_rise(store, cache):
    """The files are grouped by format as the site lists them; the stored pixels have their own format and size."""
    derived = derive(store(kind="JPEG"), cache, Output(formats=("avif", "original", "webp"), widths=(32, 16)))

    assert shape(derived) == [
        ("avif", 16, 10),
        ("avif", 32, 20),
        ("jpg", 40, 25),
        ("webp", 16, 10),
        ("webp", 32, 20),
    ]
    assert [each.is_original for each in derived.renditions] == [False, False, True, False, False]
    assert [opened(each).format for each in derived.renditions] == ["AVIF", "AVIF", "JPEG", "WEBP", "WEBP"]
    assert all(Path(each.path).is_relative_to(cache) for each in derived.renditions)


@pytest.mark.parametrize("formats", [("webp",), ("original", "webp")])
def test_an_original_is_there_once_when_it_is_wanted(store, cache, formats):
    """A link to the full size adds the original where the formats do not have it."""
    derived = derive(store(), cache, Output(formats=formats, widths=(16, 32)), original=True)

    assert len(derived.renditions) == 3
    assert [each.format for each in derived.renditions if each.is_original] == ["png"]


def test_a_flat_picture_keeps_a_pixel_of_height(store, cache):
    """A height is never rounded to nothing."""
    assert shape(derive(store(Image.new("RGB", (400, 2))), cache, Output(widths=(16,)))) == [("webp", 16, 1)]


@pytest.mark.parametrize("kind", ENDINGS)
def test_files_tell_the_source_that_the_original_tells(store, cache, kind):
    """An original with XMP is published to the byte, and its web versions tell the same source."""
    captured = GENERATED.replace("trainedAlgorithmicMedia", "digitalCapture")
    entry = store(with_xmp(kind, xmp.packet(captured)))
    derived = derive(entry, cache, Output(formats=("avif", "webp", "original"), widths=(16,)))

    assert [source_type(each.path) for each in derived.renditions] == [captured] * 3
    assert Path(derived.renditions[-1].path).read_bytes() == entry.path.read_bytes()


@pytest.mark.parametrize("kind", ENDINGS)
def test_all_files_are_marked_and_say_nothing_else(store, cache, kind):
    """Each file tells its source; web versions carry neither Exif, nor a profile, nor another property."""
    exif = Image.Exif()
    exif[0x010E] = "described"
    exif.get_ifd(0x8825)[1] = "N"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    entry = store(kind=kind, exif=exif, icc_profile=profile)
    derived = derive(entry, cache, Output(formats=("avif", "webp", "original"), widths=(16,)))
    *web, original = derived.renditions

    assert [source_type(each.path) for each in derived.renditions] == [GENERATED] * 3
    assert [set(opened(each).info) & {"exif", "icc_profile"} for each in web] == [set(), set()]
    assert b"described" in entry.path.read_bytes()
    assert all(b"described" not in Path(each.path).read_bytes() for each in web)
    assert opened(original).tobytes() == opened(dataclasses.replace(original, path=entry.path)).tobytes()


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# A profile whose primaries are not those of sRGB: red and green change places.
SWAPPED = SRGB.replace(b"rXYZ", b"tmp_", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"tmp_", b"gXYZ", 1)
PURE = split((255, 0, 0), BLUE)


def turned(kind: str, turn: int = 3, **settings) -> dict[str, object]:
    """Settings of a picture whose Exif says how it lies; 3 is upside down."""
    exif = Image.Exif()
    exif[0x0112] = turn
    return {"kind": kind, "exif": exif, **settings}


COLOUR_CASES = {
    "RGB": (split(RED, BLUE), {}, (RED, BLUE)),
    "RGB in JPEG": (split(RED, BLUE), {"kind": "JPEG", "quality": 95, "subsampling": 0}, (RED, BLUE)),
    "RGB in WebP": (split(RED, BLUE), {"kind": "WEBP", "lossless": True}, (RED, BLUE)),
    "palette": (split(RED, BLUE).quantize(4), {}, (RED, BLUE)),
    "grey": (split(200, 30, "L"), {}, ((200,) * 3, (30,) * 3)),
    "grey in JPEG": (split(200, 30, "L"), {"kind": "JPEG"}, ((200,) * 3, (30,) * 3)),
    "grey of 16 bits": (split(200 * 257, 30 * 257, "I;16"), {}, ((200,) * 3, (30,) * 3)),
    "black and white": (split(1, 0, "1"), {}, ((255,) * 3, (0,) * 3)),
    "CMYK": (
        split((0, 255, 255, 0), (255, 255, 0, 0), "CMYK"),
        {"kind": "JPEG", "quality": 95},
        ((255, 0, 0), (0, 0, 255)),
    ),
    "upside down in PNG": (split(RED, BLUE), turned("PNG"), (BLUE, RED)),
    "upside down in JPEG": (split(RED, BLUE), turned("JPEG", quality=95), (BLUE, RED)),
    "upside down in WebP": (split(RED, BLUE), turned("WEBP"), (BLUE, RED)),
    "Exif that is broken": (split(RED, BLUE), {"exif": b"Exif\0\0II*\0\xff\xff"}, (RED, BLUE)),
    "profile of sRGB": (split(RED, BLUE), {"icc_profile": SRGB}, (RED, BLUE)),
    "profile that is broken": (split(RED, BLUE), {"icc_profile": SRGB[:200]}, (RED, BLUE)),
    "profile that is none": (split(RED, BLUE), {"icc_profile": b"no profile"}, (RED, BLUE)),
    "profile for other colours": (split(200, 30, "L"), {"icc_profile": SRGB}, ((200,) * 3, (30,) * 3)),
    "profile of swapped primaries": (PURE, {"icc_profile": SWAPPED}, ((0, 255, 0), None)),
    "palette, profile of swapped primaries": (PURE.quantize(4), {"icc_profile": SWAPPED}, ((0, 255, 0), None)),
}


@pytest.mark.parametrize("name", COLOUR_CASES)
def test_colours_and_orientation_are_right(store, cache, name):
    """However colours are written down, what is shown are the colours that were meant, the right way up."""
    image, settings, expected = COLOUR_CASES[name]
    derived = derive(store(image, **settings), cache, FINE)

    for each in derived.renditions:
        for found, colour in zip(halves(opened(each)), expected, strict=True):
            assert colour is None or near(found, (*colour, 255)), (each.format, found, colour)


@pytest.mark.parametrize(("turn", "expected"), [(3, (40, 25)), (6, (25, 40)), (8, (25, 40))])
def test_sizes_are_those_of_the_upright_picture(store, cache, turn, expected):
    """A picture that lies on its side is measured as it is shown, its original as well."""
    entry = store(**turned("JPEG", turn))
    derived = derive(entry, cache, Output(formats=("webp", "original"), widths=(64,)))

    assert shape(derived) == [("webp", *expected), ("jpg", *expected)]
    assert opened(derived.renditions[0]).size == (derived.width, derived.height) == expected


GHOST = split((255, 0, 0, 0), (255, 0, 0, 128), "RGBA")
ALPHA_CASES = {
    "RGBA": (GHOST, {}, (255, 0, 0, 128)),
    "RGBA in WebP": (GHOST, {"kind": "WEBP", "lossless": True, "exact": True}, (255, 0, 0, 128)),
    "grey with alpha": (split((90, 0), (90, 128), "LA"), {}, (90, 90, 90, 128)),
    "palette with alpha": (GHOST.quantize(4), {}, (255, 0, 0, 128)),
    "RGBA, profile of swapped primaries": (GHOST, {"icc_profile": SWAPPED}, (0, 255, 0, 128)),
    "a colour that stands for nothing": (split(RED, (255, 0, 0)), {"transparency": RED}, (255, 0, 0, 255)),
    "a level that stands for nothing": (split(40, 90, "L"), {"transparency": 40}, (90, 90, 90, 255)),
}


@pytest.mark.parametrize("name", ALPHA_CASES)
def test_what_shines_through_still_does(store, cache, name):
    """Transparency of each kind is kept, and such a picture has no colour to stand behind it."""
    image, settings, expected = ALPHA_CASES[name]
    derived = derive(store(image, **settings), cache, FINE)

    assert derived.colour == ""
    for each in derived.renditions:
        left, right = halves(opened(each))
        assert left[3] <= 4
        assert near(right, expected, 24), (each.format, right)


def test_a_picture_that_hides_nothing_needs_no_alpha(store, cache):
    """Opaque alpha is dropped, so the picture has a colour as any other."""
    derived = derive(store(split((*RED, 255), (*RED, 255), "RGBA")), cache)

    assert derived.colour == "#c81e28"
    assert [opened(each).mode for each in derived.renditions] == ["RGB"] * 4


def test_the_colour_is_that_of_most_of_the_picture(store, cache):
    """What stands behind a picture while it loads is a colour that it has, not a mixture."""
    image = Image.new("RGB", (100, 50), RED)
    image.paste(BLUE, (70, 0, 100, 50))

    assert derive(store(image), cache).colour == "#c81e28"


_WARM = """
import json, sys
from pathlib import Path
from mkdocs_gptimage.publish.renditions import derive_renditions
from mkdocs_gptimage.settings import Output
from mkdocs_gptimage.store.entry import Entry
from mkdocs_gptimage.store.record import ImageFacts, Provenance
job = json.loads(sys.argv[1])
entries = [
    Entry(digest, Path(path), ImageFacts(**facts), Provenance("2026-11-23T21:16:57Z", "host", None, 1.0, None))
    for digest, path, facts in job["entries"]
]
opened = []
sys.addaudithook(lambda event, found: opened.append(str(found[0])) if event == "open" else None)
sys.stdin.readline()
derived = derive_renditions(entries, Output(formats=("avif", "webp"), widths=(16, 32)), Path(job["cache"]))
below = [path for path in opened if path.startswith(job["folder"])]
files = {digest: [str(each.path) for each in made.renditions] for digest, made in derived.items()}
print(json.dumps([files, below, "PIL" in sys.modules]))
"""


def start(entries, cache) -> subprocess.Popen[str]:
    """A process that derives on request."""
    found = [(each.digest, str(each.path), vars(each.image)) for each in entries]
    job = json.dumps({"entries": found, "cache": str(cache), "folder": str(cache.parent)})
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", _WARM, job], stdin=pipe, stdout=pipe, text=True)


def finish(*processes: subprocess.Popen[str]) -> list[list]:
    """Tell processes to derive; return what each gave, what it opened of ours, and whether it loaded Pillow."""
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    return [json.loads(process.communicate(timeout=60)[0]) for process in processes]


def test_a_warm_call_opens_no_picture(store, cache):
    """A build that finds everything made reads one manifest a picture, loads no Pillow and writes nothing."""
    entries = [store(), store(VEILED)]
    derived = derive_renditions(entries, BOTH, cache)
    before = files(cache)
    ((made, read, has_pillow),) = finish(start(entries, cache))

    assert made == {digest: [str(each.path) for each in found.renditions] for digest, found in derived.items()}
    assert read == [str(manifest_path(cache, entry.digest)) for entry in entries]
    assert not has_pillow
    assert files(cache) == before


def test_two_processes_over_one_cache_agree(store, cache):
    """Builds that derive the same pictures at the same time get the same files, and leave nothing to make anew."""
    entries = [store(COLOURS.rotate(turn), kind) for turn in (0, 90, 180) for kind in ENDINGS]
    first, second = finish(start(entries, cache), start(entries, cache))
    before = pictures(cache)
    derive_renditions(entries, BOTH, cache)
    after = pictures(cache)
    ((_, read, has_pillow),) = finish(start(entries, cache))

    assert first[0] == second[0]
    assert before == after
    assert not [name for name in after if name.startswith("parts")]
    assert len(read) == len(entries)
    assert not has_pillow


def test_equal_pictures_share_their_files(store, cache):
    """Two requests that were answered with the same bytes have one set of files, which later builds believe."""
    entries = [store(), dataclasses.replace(store(), digest="0" * 64)]
    first, second = derive_renditions(entries, BOTH, cache).values()
    before = pictures(cache)
    derive_renditions(entries, BOTH, cache)
    ((_, read, has_pillow),) = finish(start(entries, cache))

    assert first == second
    assert pictures(cache) == before
    assert len(read) == len(entries)
    assert not has_pillow


def test_only_what_is_missing_is_made(store, cache):
    """More widths and formats add files, and fewer take none away that an earlier site is linked to."""
    entry = store()
    derive(entry, cache, Output(widths=(16,)))
    before = pictures(cache)
    derive(entry, cache, BOTH, original=True)
    after = pictures(cache)
    derive(entry, cache, Output(widths=(16,)))

    assert before.items() <= after.items()
    assert len(after) == len(before) + 4
    assert pictures(cache) == after


@pytest.mark.parametrize("quality", [{"webp": 82, "avif": 30}, {"webp": 30, "avif": 62}])
def test_another_quality_is_another_file(store, cache, quality):
    """Files of one quality are never taken for those of another."""
    entry = store(COLOURS.resize((256, 160)))
    first = derive(entry, cache)
    second = derive(entry, cache, dataclasses.replace(BOTH, quality=quality))
    sizes = [[Path(each.path).stat().st_size for each in derived.renditions] for derived in (first, second)]

    assert sizes[0] != sizes[1]
    assert len({each.path for derived in (first, second) for each in derived.renditions}) == 6


def edit(path: Path) -> None:
    """As a neighbour would that optimises what it finds, in place and to the same size."""
    with path.open("r+b") as file:
        file.seek(30)
        file.write(bytes(10))


def link_away(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


@pytest.mark.parametrize(
    "harm",
    [Path.unlink, lambda path: os.truncate(path, 20), lambda path: os.truncate(path, 0), edit, link_away],
    ids=["deleted", "cut off", "emptied", "edited", "replaced by a link"],
)
@pytest.mark.parametrize("which", [0, 3, 4], ids=["avif", "webp", "original"])
def test_a_file_that_is_not_what_was_made_is_made_again(store, cache, tmp_path, harm, which):
    """Whatever becomes of a file in the cache, the next build has it whole, and others stay as they are."""
    entry = store()
    before = derive(entry, cache, original=True)
    path = Path(before.renditions[which].path)
    contents = [Path(each.path).read_bytes() for each in before.renditions]
    others = {each.path: Path(each.path).stat().st_ino for each in before.renditions if each.path != str(path)}
    (tmp_path / "site").hardlink_to(path)
    harm(path)
    after = derive(entry, cache, original=True)

    assert after == before
    assert [Path(each.path).read_bytes() for each in after.renditions] == contents
    assert not path.is_symlink()
    assert path.stat().st_ino != (tmp_path / "site").stat().st_ino
    assert {name: Path(name).stat().st_ino for name in others} == others


def test_a_copied_cache_is_believed_again(store, cache):
    """Files with other times and the same bytes are read once, and not made again."""
    entry = store()
    derived = derive(entry, cache)
    for each in derived.renditions:
        os.utime(each.path, (1, 1))
    before = pictures(cache)
    again = derive(entry, cache)
    ((_, read, has_pillow),) = finish(start([entry], cache))

    assert again == derived
    assert pictures(cache) == before
    assert read == [str(manifest_path(cache, entry.digest))]
    assert not has_pillow


def test_a_stored_file_that_was_touched_is_compared_and_not_derived_again(store, cache, monkeypatch):
    """A checkout that writes the same bytes anew costs one comparison."""
    entry = store()
    derived = derive(entry, cache)
    entry.path.write_bytes(entry.path.read_bytes())
    os.utime(entry.path, (1, 1))
    monkeypatch.setattr(derivation, "open_upright", None)

    assert derive(entry, cache) == derived


def rewrite(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    os.utime(path, (1, 1))


@pytest.mark.parametrize("is_warm", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda path: rewrite(path, bytes(path.stat().st_size)), "the bytes of {} are not those of its record"),
        (lambda path: rewrite(path, path.read_bytes() + b"more"), "the bytes of {} are not those of its record"),
        (Path.unlink, "{} cannot be read"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "{} is a named pipe"),
        (link_away, "{} is a symbolic link"),
    ],
    ids=["rotten", "grown", "gone", "pipe", "link"],
)
def test_only_the_bytes_of_the_record_are_derived(store, cache, is_warm, harm, reason):
    """A stored picture that is not what its record says is damage, also when there are files of what it was."""
    entry = store()
    if is_warm:
        derive(entry, cache)
    harm(entry.path)
    found = derive(entry, cache, original=True)

    assert isinstance(found, Damage)
    assert found.reason.startswith(reason.format(entry.path.name))
    assert found.path == entry.path


@pytest.mark.parametrize("change", [{"width": 41}, {"height": 1}, {"sha256": "0" * 64}, {"format": "jpg"}])
def test_a_record_that_changes_is_compared_anew(store, cache, change):
    """Files of another record say nothing of this one."""
    entry = store()
    derive(entry, cache)
    changed = dataclasses.replace(entry, image=dataclasses.replace(entry.image, **change))

    assert isinstance(derive(changed, cache), Damage)


NOISE = saved(Image.effect_noise((64, 64), 90).convert("RGB"), "PNG")


@pytest.mark.parametrize(
    ("data", "output", "reason"),
    [
        (NOISE[: len(NOISE) // 2], BOTH, "the picture breaks off"),
        (NOISE[: len(NOISE) // 2], Output(formats=("original",)), "the picture breaks off"),
        (saved(Image.new("L", (16400, 1)), "PNG"), Output(widths=(16400,)), "no webp of 16400 pixels can be made of"),
    ],
    ids=["breaks off", "breaks off, original", "too wide for WebP"],
)
def test_what_cannot_be_made_is_damage(store, cache, data, output, reason):
    """A picture that decoders or encoders refuse is reported in one line, and the others are made."""
    bad, good = store(data), store()
    found = derive_renditions([bad, good], output, cache)

    assert isinstance(found[bad.digest], Damage)
    assert found[bad.digest].kind is DamageKind.UNREADABLE
    assert found[bad.digest].reason.startswith(f"{bad.path.name}: {reason}")
    assert "\n" not in found[bad.digest].reason
    assert isinstance(found[good.digest], RenditionSet)


def planted(**changes):
    """A change of a manifest."""
    return lambda text: json.dumps(json.loads(text) | changes)


MANIFESTS = {
    "empty": lambda _: "",
    "no mapping": lambda _: "[]",
    "deep": lambda _: "[" * 100_000,
    "broken off": lambda text: text[:-20],
    "leads elsewhere": lambda text: re.sub(r'"name":"[^"]*"', '"name":"../../secret.png"', text),
    "no files": planted(files=[]),
    "a file that is none": planted(files={"webp-16-82": None}),
    "no colour": planted(colour=None),
    "a word for a number": planted(width="40"),
    "a truth for a number": planted(width=True),
    "no picture": planted(image=None),
    "of another Pillow": planted(maker="another"),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_an_invalid_manifest_is_written_again(store, cache, tmp_path, name):
    """An invalid manifest is not followed: it is made anew from the picture."""
    entry = store()
    derived = derive(entry, cache, original=True)
    (tmp_path / "secret.png").write_bytes(b"secret")
    manifest = manifest_path(cache, entry.digest)
    good = json.loads(manifest.read_text())
    manifest.write_text(MANIFESTS[name](manifest.read_text()))

    assert derive(entry, cache, original=True) == derived
    assert json.loads(manifest.read_text()).keys() == good.keys()
    assert json.loads(manifest.read_text())["colour"] == good["colour"]


def another_user(monkeypatch, folder) -> None:
    """Build from now on as a user who has made nothing in this cache."""
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "other-state"))


def refuse(*_, **__):
    raise AssertionError("nothing is to be made")


def test_a_cache_from_elsewhere_is_inspected_once(cache, store, tmp_path, monkeypatch):
    """A restored cache stays valid: its files are decoded by the first build, and are as good as its own after that."""
    entry = store(COLOURS.resize((400, 250)))
    output = Output(formats=("avif", "webp"), widths=(200, 400))
    made = derive(entry, cache, output, original=True)
    before = pictures(cache)
    another_user(monkeypatch, tmp_path)
    monkeypatch.setattr(derivation, "encode", refuse)
    entry.path.touch()
    found = derive(entry, cache, output, original=True)
    monkeypatch.setattr(derivation, "open_upright", refuse)
    again = derive(entry, cache, output, original=True)

    assert found == again == made
    assert pictures(cache) == before


SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


def plant(cache, entry, key: str, data: bytes) -> Path:
    """Put a file in place of a web version, with a manifest that fits it in all respects but its seal."""
    path = manifest_path(cache, entry.digest)
    manifest = json.loads(path.read_text())
    listed = manifest["files"][key]
    target = cache / "web" / listed["name"]
    target.unlink()
    target.write_bytes(data)
    listed |= {
        "bytes": len(data),
        "changed": target.stat().st_mtime_ns,
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    path.write_text(json.dumps(manifest, sort_keys=True, separators=(",", ":")))
    return target


def planted_files(entry) -> dict[str, bytes]:
    """Files that are not what their names say; the last has the right pixels, and more."""
    inverted = ImageOps.invert(open_upright(entry.path.read_bytes())).resize((200, 125))
    packet = derivation.packet_for(b"")
    right = open_upright(entry.path.read_bytes()).resize((200, 125))
    frames = [right, inverted]
    return {
        "SVG": SVG,
        "HTML": b"<html><script>alert(1)</script>",
        "another picture": encode(inverted, "webp", 82, packet),
        "another size": encode(right.resize((400, 250)), "webp", 82, packet),
        "another format": encode(right, "avif", 62, packet),
        "animated": saved(right, "WEBP", save_all=True, append_images=frames, xmp=packet),
        "other metadata": encode(right, "webp", 82, b"<script>alert(1)</script>"),
        "a bomb": saved(Image.new("RGB", (4000, 4000)), "WEBP", xmp=packet, method=0),
    }


@pytest.mark.parametrize("is_known", [True, False], ids=["a user with a secret", "a new user"])
@pytest.mark.parametrize(
    "name", ["SVG", "HTML", "another picture", "another size", "another format", "animated", "other metadata", "a bomb"]
)
def test_a_planted_file_is_made_anew(cache, store, tmp_path, monkeypatch, name, is_known):  # noqa: PLR0913 - a row
    """What is in the cache under a right name, with a manifest that fits, is published only if it is that picture."""
    entry = store(COLOURS.resize((400, 250)))
    output = Output(widths=(200, 400))
    made = derive(entry, cache, output)
    content = Path(made.renditions[0].path).read_bytes()
    target = plant(cache, entry, "webp-200-82", planted_files(entry)[name])
    if not is_known:
        another_user(monkeypatch, tmp_path)
        entry.path.touch()
    found = derive(entry, cache, output)

    assert found == made
    assert target.read_bytes() == content


def test_a_planted_original_is_made_anew(cache, store):
    """A published original is the stored one to the byte, but for the mark of its origin."""
    entry = store(COLOURS.resize((400, 250)))
    made = derive(entry, cache, original=True)
    content = Path(made.renditions[-1].path).read_bytes()
    target = plant(cache, entry, "original-0-0", content + b"<script>")

    assert derive(entry, cache, original=True) == made
    assert target.read_bytes() == content


def test_a_planted_colour_is_measured_anew(cache, store):
    """The colour of a picture comes from its pixels, not from a manifest of others."""
    entry = store()
    made = derive(entry, cache)
    path = manifest_path(cache, entry.digest)
    path.write_text(planted(colour="url(//evil.example)")(path.read_text()))

    assert derive(entry, cache) == made


def test_a_user_who_can_keep_no_secret_trusts_the_time(cache, store, monkeypatch, tmp_path):
    """Without a folder for the secret, a build is warm as long as the stored picture has the ctime that it had."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file" / "below"))
    entry = store()
    made = derive(entry, cache)
    ((found, _, has_pillow),) = finish(start([entry], cache))

    assert found == {entry.digest: [str(each.path) for each in made.renditions]}
    assert not has_pillow


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_the_secret_is_the_users_own(cache, store, monkeypatch, tmp_path):
    """The secret can be read by its user alone; one that others can read is replaced."""
    another_user(monkeypatch, tmp_path)
    derive(store(), cache)
    (secret,) = (path for path in (tmp_path / "other-state").rglob("*") if path.is_file())
    mode, first = stat.S_IMODE(secret.stat().st_mode), secret.read_bytes()
    secret.chmod(0o644)
    seal._known.cache_clear()
    derive(store(COLOURS.rotate(90)), cache)

    assert mode == stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert secret.read_bytes() != first


def test_a_pipe_in_place_of_a_manifest_does_not_block(store, cache):
    """A named pipe is replaced, without waiting for a writer."""
    entry = store()
    derived = derive(entry, cache)
    manifest = manifest_path(cache, entry.digest)
    manifest.unlink()
    os.mkfifo(manifest)

    assert derive(entry, cache) == derived
    assert manifest.is_file()


def test_other_encoders_make_other_files(store, cache, monkeypatch):
    """With another Pillow all files are made anew, under other names; with another encoder, when any is missing."""
    entry = store()
    first = derive(entry, cache)
    monkeypatch.setattr(manifests, "maker", lambda: "1/99.0")
    second = derive(entry, cache)
    monkeypatch.setattr(derivation, "encoder_version", lambda kind: f"{kind} 99")
    third = derive(entry, cache, dataclasses.replace(BOTH, widths=(16, 32, 36)))

    assert len({each.path for derived in (first, second, third) for each in derived.renditions}) == 4 + 4 + 6


def test_a_format_that_cannot_be_written_is_reported(store, cache, monkeypatch):
    """A Pillow that was built without an encoder is a matter of configuration, in one line."""
    monkeypatch.setattr(features, "check", lambda kind: kind != "avif")

    with pytest.raises(
        ConfigurationError, match=r"^output\.formats: the installed Pillow cannot write 'avif'; [^\n]*$"
    ):
        derive(store(), cache)


def test_a_cache_that_cannot_be_written_is_an_error_of_the_system(store, cache):
    """A full disk is not reported as damage of a picture."""
    cache.write_text("a file")

    with pytest.raises(OSError, match="exists"):
        derive(store(), cache)


def test_a_failed_write_leaves_no_parts(store, cache, monkeypatch):
    """A file that could not be moved to its place is not left behind, and the error is the system's."""
    derive(store(VEILED), cache)
    entry = store()
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))

    with pytest.raises(OSError, match="No space left"):
        derive(entry, cache)
    assert not list((cache / "parts").iterdir())


def test_files_made_at_the_same_time_do_not_mix_their_settings():
    """Encoders that run at the same time over the same pixels keep their own settings."""
    picture = open_upright(saved(COLOURS, "PNG"))
    settings = [("webp", 90), ("avif", 20), ("webp", 10), ("avif", 80)] * 60
    alone = {each: encode(picture, *each, b"packet") for each in set(settings)}
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda each: encode(picture, *each, b"packet"), settings))

    assert together == [alone[each] for each in settings]


def test_one_picture_keeps_two_cores_busy(store, cache, monkeypatch):
    """Files of one picture are made at the same time: each encoder waits until another one runs beside it."""
    meeting, encoded = threading.Barrier(2, timeout=60), encode
    monkeypatch.setattr(derivation, "_cores", lambda: 2)
    monkeypatch.setattr(derivation, "encode", lambda *arguments: (meeting.wait(), encoded(*arguments))[1])

    assert isinstance(derive(store(), cache), RenditionSet)


def test_no_more_pictures_are_decoded_than_there_are_cores(store, cache, monkeypatch):
    """Many pictures at a time take the memory of two, on two cores."""
    alive, most, lock, decode = set(), [], threading.Lock(), open_upright

    def watched(data: bytes) -> Image.Image:
        picture = decode(data)
        with lock:
            alive.add(id(picture))
            most.append(len(alive))
        weakref.finalize(picture, alive.discard, id(picture))
        return picture

    monkeypatch.setattr(derivation, "_cores", lambda: 2)
    monkeypatch.setattr(derivation, "open_upright", watched)
    entries = [store(COLOURS.rotate(turn)) for turn in range(0, 360, 30)]
    found = derive_renditions(entries, BOTH, cache)

    assert list(found) == [entry.digest for entry in entries]
    assert len(most) == len(entries)
    assert max(most) <= 2
    assert not alive
