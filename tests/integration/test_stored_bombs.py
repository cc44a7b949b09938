"""Stored pictures that would take gigabytes or minutes to read: named, in bounded memory, and never paid again."""

from __future__ import annotations

import hashlib
import io
import json
import resource
import struct
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from sites import FAST, Finished, Site, block, environment

from mkdocs_gptimage.spec.model import ImageSpec
from mkdocs_gptimage.store.entry import DamageKind
from mkdocs_gptimage.store.record import ImageFacts, Provenance
from mkdocs_gptimage.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

MADE = Provenance("2026-11-23T21:16:57Z", "apimaster.ai", "task_1", 12.5, 0.0085)
MEMORY = 1024**3
"""Bytes of address space for a build: decoding one picture of 13,000 × 13,000 pixels takes more."""
SIDE = 13_000


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *extra: bytes, rows: Iterable[bytes] = ()) -> bytes:
    """A grey PNG with chunks before its end."""
    squeezed = zlib.compressobj(9)
    pixels = b"".join(map(squeezed.compress, rows or (bytes(width + 1) for _ in range(height)))) + squeezed.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", pixels) + b"".join(extra) + chunk(b"IEND", b"")


def jpeg_of_many_scans() -> bytes:
    """A progressive JPEG whose last scan comes three hundred times."""
    file = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + scan * 300 + data[-2:]


def animation() -> bytes:
    file = io.BytesIO()
    frames = [Image.new("RGB", (64, 64), (shade, 0, 0)) for shade in (0, 90, 200)]
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:])
    return file.getvalue()


# What the store has → (its bytes, what its record says of its size, what is told).
BOMBS: dict[str, tuple[Callable[[], bytes], tuple[str, int, int], str]] = {
    "pixels": (lambda: png(SIDE, SIDE), ("png", SIDE, SIDE), "has 13000×13000 pixels, more than is sensible"),
    "hidden pixels": (lambda: png(SIDE, SIDE), ("png", 64, 64), "has 13000×13000 pixels, more than is sensible"),
    "more pixels than said": (
        lambda: png(64, 64, rows=(bytes(1 << 20) for _ in range(200))),
        ("png", 64, 64),
        "holds far more than its 64×64 pixels",
    ),
    "metadata": (
        lambda: png(64, 64, chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 26), 9))),
        ("png", 64, 64),
        "zTXt chunk inflates to more than 1 MiB",
    ),
    "trailing": (lambda: png(64, 64) + bytes(1 << 17), ("png", 64, 64), "131072 bytes follow the end of the picture"),
    "scans": (jpeg_of_many_scans, ("jpg", 64, 64), "more than 100 scans"),
    "scans, cut off": (lambda: jpeg_of_many_scans()[:-2], ("jpg", 64, 64), "more than 100 scans"),
    "animation": (animation, ("webp", 64, 64), "is animated; expected a still one"),
    "bytes": (lambda: png(64, 64) + bytes(41 << 20), ("png", 64, 64), "bytes, expected at most 40 MiB"),
}


def store(site: Site, prompt: str, data: bytes, facts: tuple[str, int, int]) -> None:
    """Put a picture into the store, with the record that its author wants."""
    kind, width, height = facts
    spec, part = ImageSpec(prompt), site.root / "part"
    part.write_bytes(data)
    image = ImageFacts(hashlib.sha256(data).hexdigest(), len(data), width, height, kind)
    Store(site.store).put(spec.canonical, spec.digest, part, image, MADE)


def in_little_memory(site: Site, *arguments: str) -> Finished:
    """Run Python with a bounded address space."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=site.root,
        env={**environment({"APIMASTER_API_KEY": "key"}), "OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def bombed(tmp_path_factory) -> Site:
    """A site with a picture of each kind, at the built-in emulator, with a clean one that is drawn from a bomb."""
    site = Site(tmp_path_factory.mktemp("bombs"))
    site.configure(gptimage={"api": {"base_url": "emulator", **FAST}, "on_missing": "generate"})
    site.write({f"{number}.md": block(prompt=name, id=f"bomb-{number}") for number, name in enumerate(BOMBS)})
    site.write({"index.md": block(prompt="fine")})
    store(site, "fine", png(64, 64), ("png", 64, 64))
    for name, (data, facts, _) in BOMBS.items():
        store(site, name, data(), facts)
    return site


def pictures(site: Site) -> list[Path]:
    """The files of all pictures in the store."""
    return sorted(site.store.glob("[0-9a-f][0-9a-f]/*"))


def told(text: str, expected: str) -> bool:
    return any(expected in line for line in text.splitlines())


def test_a_build_names_every_bomb(bombed):
    """A real build in bounded memory names each picture with its limit, makes none anew and publishes none."""
    before = pictures(bombed)
    built = in_little_memory(bombed, "-m", "mkdocs", "build")

    assert built.code == 1
    assert [name for name, (_, _, expected) in BOMBS.items() if not told(built.err, expected)] == [], built.err
    assert "MemoryError" not in built.err
    assert pictures(bombed) == before


def test_check_names_every_bomb(bombed):
    """`check` gives the damage a kind of its own, in bounded memory."""
    script = "from mkdocs_gptimage.cli import main; main()"
    checked = in_little_memory(bombed, "-c", script, "check", "--json")
    pictures = {each["prompt"]: each for each in json.loads(checked.out)["pictures"]}

    assert checked.code == 1
    assert {pictures[name]["damage"]["kind"] for name in BOMBS} == {DamageKind.OVER_LIMIT.value}
    assert all(expected in pictures[name]["damage"]["reason"] for name, (_, _, expected) in BOMBS.items())
    assert pictures["fine"]["damage"] is None


def test_a_gallery_of_bombs(bombed):
    """The gallery is written in bounded memory, and shows bombs as broken."""
    script = "from mkdocs_gptimage.cli import main; main()"
    done = in_little_memory(bombed, "-c", script, "gallery", "-o", "gallery.html")
    page = (bombed.root / "gallery.html").read_text(encoding="utf-8")

    assert done.code == 0, done.err
    assert page.count('"state":"broken"') == len(BOMBS)
    assert page.count("data:image/webp;base64,") == 1


def test_a_picture_drawn_from_a_bomb(tmp_path):
    """A bomb is not sent as a reference: the picture that is drawn from it fails, unpaid, and names the limit."""
    site = Site(tmp_path)
    site.configure(gptimage={"api": {"base_url": "emulator", **FAST}, "on_missing": "generate"})
    data, facts, expected = BOMBS["hidden pixels"]
    store(site, "bomb", data(), facts)
    site.write(
        {"index.md": block(prompt="bomb", id="bomb") + "\n" + block(prompt="child", image_urls=["gpt-image:bomb"])}
    )
    built = in_little_memory(site, "-m", "mkdocs", "build")

    assert built.code == 1
    assert expected in built.err
    assert len(pictures(site)) == 2
