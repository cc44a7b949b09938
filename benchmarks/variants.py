"""Web versions: time, bytes and likeness of what encoders make of four kinds of pictures, and what a second core helps.

Likeness is the structural similarity (SSIM) of a file to the picture in its size, both in grey, where the eye is
sharpest; of several widths the least counts. Needs scikit-image beside the package.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import sites
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from skimage.metrics import structural_similarity

from mkdocs_gptimage.emulator.picture import PictureSpec, draw
from mkdocs_gptimage.publish.encode import AVIF_SPEED, WEBP_METHOD, resize
from mkdocs_gptimage.publish.renditions import derive_renditions
from mkdocs_gptimage.settings import Output
from mkdocs_gptimage.store.entry import Entry
from mkdocs_gptimage.store.record import ImageFacts, Provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SIZE = (2048, 1152)
WIDTHS = (480, 960, 1440)
ALL_WIDTHS = (*WIDTHS, 2048)
GAPS = (None, 2.0, 3.0)
_MADE = Provenance("2026-11-23T21:16:57Z", "emulator", None, 1.0, None)


def smooth() -> Image.Image:
    """Soft light: gradients without an edge."""
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]].astype(float)
    waves = [np.sin(x / 700 + y / 400), np.cos(x / 500 - y / 900), np.sin((x - 900) * (y - 500) / 400_000)]
    return Image.fromarray(np.uint8(np.stack([127 + 90 * wave for wave in waves], axis=-1)))


def textured(grain: float) -> Image.Image:
    """Foliage: noise in octaves, leaf upon leaf, and film grain of so many levels (standard deviation)."""
    chance = np.random.default_rng(7)
    total = np.zeros((SIZE[1], SIZE[0]))
    for octave in range(1, 9):
        noise = Image.fromarray(np.float32(chance.standard_normal((2**octave, 2**octave * 2))))
        total += np.asarray(noise.resize(SIZE, Image.Resampling.BICUBIC)) / 1.6**octave
    light = Image.fromarray(np.uint8(np.clip(110 + 75 * total, 0, 255)))
    picture = Image.merge("RGB", [light.point(lambda level, s=share: level * s) for share in (0.75, 1.0, 0.5)])
    pen = ImageDraw.Draw(picture)
    for _ in range(4000):
        left, top = int(chance.integers(0, SIZE[0])), int(chance.integers(0, SIZE[1]))
        width, height, level = (int(chance.integers(*span)) for span in ((6, 40), (4, 22), (30, 190)))
        pen.ellipse((left, top, left + width, top + height), fill=(level * 2 // 3, level, level // 3))
    soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.8)), dtype=float)
    return Image.fromarray(np.uint8(np.clip(soft + chance.normal(0, grain, (SIZE[1], SIZE[0], 1)), 0, 255)))


def line_art() -> Image.Image:
    """A diagram: boxes, arrows and text on white."""
    picture = Image.new("RGB", SIZE, "white")
    pen = ImageDraw.Draw(picture)
    for row in range(5):
        for column in range(6):
            left, top = 60 + column * 330, 50 + row * 220
            pen.rounded_rectangle((left, top, left + 240, top + 130), 14, "#eef4ff", "#1f4fa3", 3)
            for line in range(3):
                font = ImageFont.load_default(16 + 6 * (column % 3))
                pen.text((left + 14, top + 10 + 38 * line), f"Part {row}.{column} step {line}", "#14213d", font)
            pen.line((left + 240, top + 65, left + 330, top + 65), "#c1121f", 3)
            pen.line((left + 120, top + 130, left + 120 + 40 * (column - 3), top + 220), "#2a9d8f", 2)
    return picture


def emulated(attempt: int) -> Image.Image:
    """A picture of the built-in emulator."""
    return Image.open(io.BytesIO(draw(PictureSpec("A harbour", *SIZE, attempt=attempt)))).convert("RGB")


KINDS: dict[str, Callable[[], Image.Image]] = {
    "smooth": smooth,
    "foliage": functools.partial(textured, 0),
    "foliage, grain 2": functools.partial(textured, 2),
    "foliage, grain 5": functools.partial(textured, 5),
    "line art": line_art,
    "emulated, first": functools.partial(emulated, 0),
    "emulated, second": functools.partial(emulated, 1),
    "emulated, third": functools.partial(emulated, 2),
}
"""The last three are the emulator's, in different scenes."""


@dataclass(frozen=True)
class Prepared:
    """A picture, its PNG and its smaller versions."""

    picture: Image.Image
    png: bytes
    smaller: dict[int, Image.Image]
    grey: dict[int, np.ndarray[Any, Any]]


def prepare(picture: Image.Image) -> Prepared:
    smaller = {width: resize(picture, *_size(width)) for width in ALL_WIDTHS}
    grey = {width: np.asarray(each.convert("L")) for width, each in smaller.items()}
    return Prepared(picture, file_of(picture, "png"), smaller, grey)


def _size(width: int) -> tuple[int, int]:
    return width, round(width * SIZE[1] / SIZE[0])


def file_of(picture: Image.Image, kind: str, **settings: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **settings)
    return file.getvalue()


def likeness(content: bytes, grey: np.ndarray[Any, Any]) -> float:
    with Image.open(io.BytesIO(content)) as picture:
        return float(structural_similarity(np.asarray(picture.convert("L")), grey))


@dataclass(frozen=True)
class Weighed:
    """What an encoder made of a picture, in all widths."""

    seconds: float
    """Of CPU."""
    share: float
    """Bytes, over those of the picture's PNG."""
    least: float
    """Likeness."""
    mean: float


def weigh(prepared: Prepared, kind: str, **settings: Any) -> Weighed:
    started = time.thread_time()
    files = {width: file_of(prepared.smaller[width], kind, **settings) for width in WIDTHS}
    seconds = time.thread_time() - started
    alike = [likeness(files[width], prepared.grey[width]) for width in WIDTHS]
    share = sum(map(len, files.values())) / len(prepared.png)
    return Weighed(seconds, share, min(alike), statistics.mean(alike))


def table(some: dict[str, Prepared], runs: list[tuple[str, dict[str, int]]]) -> None:
    """CPU × bytes × likeness of settings; the runs of one picture follow each other, so that they share its luck."""
    print(f"\n| three widths: CPU s, % of the PNG, least SSIM | {' | '.join(some)} |")
    print("|---" * (len(some) + 1) + "|")
    found = [[weigh(prepared, kind, **settings) for kind, settings in runs] for prepared in some.values()]
    for (kind, settings), row in zip(runs, zip(*found, strict=True), strict=True):
        cells = " | ".join(f"{each.seconds:.2f}, {100 * each.share:.1f} %, {each.least:.3f}" for each in row)
        named = ", ".join(f"{key} {value}" for key, value in settings.items() if key != "max_threads")
        print(f"| {kind}, {named} | {cells} |", flush=True)


def equal_similarity(some: dict[str, Prepared], webp: tuple[int, ...]) -> None:
    """AVIF's quality that is as like the picture, on average over widths, as WebP of a quality, by picture."""
    qualities = range(30, 95, 5)
    print(f"\n| as like as webp | {' | '.join(some)} | median | bytes, over webp's |")
    print("|---" * (len(some) + 3) + "|")
    effort = {"speed": AVIF_SPEED, "max_threads": 1}
    avif = {
        name: [weigh(each, "avif", quality=quality, **effort) for quality in qualities] for name, each in some.items()
    }
    for quality in webp:
        equal, over = [], []
        for name, prepared in some.items():
            wanted = weigh(prepared, "webp", quality=quality, method=WEBP_METHOD)
            equal.append(float(np.interp(wanted.mean, np.maximum.accumulate([e.mean for e in avif[name]]), qualities)))
            over.append(float(np.interp(equal[-1], qualities, [e.share for e in avif[name]])) / wanted.share)
        cells = " | ".join(f"{each:.0f}" for each in equal)
        print(f"| {quality} | {cells} | {statistics.median(equal):.0f} | {statistics.median(over):.2f} |", flush=True)


def resizing(some: dict[str, Prepared], repeats: int) -> None:
    """Ways to the three smaller pictures: CPU, and likeness to LANCZOS over all pixels."""

    def direct(picture: Image.Image, gap: float | None) -> dict[int, Image.Image]:
        return {each: picture.resize(_size(each), Image.Resampling.LANCZOS, reducing_gap=gap) for each in WIDTHS}

    def chain(picture: Image.Image) -> dict[int, Image.Image]:
        found: dict[int, Image.Image] = {}
        for width in reversed(WIDTHS):
            picture = found[width] = resize(picture, *_size(width))
        return found

    ways: dict[str, Callable[[Image.Image], dict[int, Image.Image]]] = {
        f"reducing_gap {gap}": functools.partial(direct, gap=gap) for gap in GAPS
    }
    ways["each from the next larger"] = chain
    spent: dict[str, list[float]] = {name: [] for name in ways}
    alike: dict[str, float] = dict.fromkeys(ways, 1.0)
    for prepared in some.values():
        for _ in range(repeats):
            for name, way in ways.items():
                started = time.thread_time()
                found = way(prepared.picture)
                spent[name].append(1000 * (time.thread_time() - started))
                pairs = [(np.asarray(found[width].convert("L")), prepared.grey[width]) for width in WIDTHS]
                alike[name] = min(alike[name], *(float(structural_similarity(*pair)) for pair in pairs))
    for name, times in spent.items():
        sites.row(f"resize to three widths, {name}", "", f"{sites.summary(times, 'ms', 1)}, SSIM {alike[name]:.4f}")


def stored(folder: Path, some: dict[str, Prepared]) -> dict[str, Entry]:
    """The pictures as a store has them."""
    return {name: _entry(folder, name, each.png, SIZE) for name, each in some.items()}


def _entry(folder: Path, name: str, data: bytes, size: tuple[int, int]) -> Entry:
    digest = hashlib.sha256(name.encode()).hexdigest()
    path = folder / f"{digest}.png"
    path.write_bytes(data)
    return Entry(digest, path, ImageFacts(hashlib.sha256(data).hexdigest(), len(data), *size, format="png"), _MADE)


_DERIVE = """
import json, os, re, sys, tempfile, time
from pathlib import Path
from mkdocs_gptimage.publish import build
from mkdocs_gptimage.publish.renditions import derive_renditions
from mkdocs_gptimage.settings import Output
from mkdocs_gptimage.store.entry import Entry
from mkdocs_gptimage.store.record import ImageFacts, Provenance
job = json.loads(sys.argv[1])
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: job["cores"]])
entries = [
    Entry(digest, Path(path), ImageFacts(**facts), Provenance("2026-11-23T21:16:57Z", "emulator", None, 1.0, None))
    for digest, path, facts in job["entries"]
]
output = Output(formats=tuple(job["formats"]), widths=tuple(job["widths"]))
with tempfile.TemporaryDirectory() as cache:
    started, spent = time.perf_counter(), time.process_time()
    derive_renditions(entries, output, Path(cache))
    found = [time.perf_counter() - started, time.process_time() - spent]
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(*found, int(peak) / 1024)
"""


def derived(entries: Iterable[Entry], formats: tuple[str, ...], widths: tuple[int, ...], cores: int) -> list[float]:
    """Seconds, seconds of CPU and peak MiB of making web versions in a process that may use so many cores."""
    facts = [(each.digest, str(each.path), vars(each.image)) for each in entries]
    job = json.dumps({"cores": cores, "formats": formats, "widths": widths, "entries": facts})
    done = subprocess.run([sys.executable, "-c", _DERIVE, job], check=True, capture_output=True, text=True)
    return [float(word) for word in done.stdout.split()]


def on_cores(entries: dict[str, Entry], pairs: int) -> None:
    """What a second core helps: single pictures, and all of them; one and two cores in turn."""
    jobs = {name: [entry] for name, entry in entries.items()} | {"all of them": list(entries.values())}
    for name, some in jobs.items():
        runs = [[derived(some, ("avif", "webp"), ALL_WIDTHS, cores) for cores in (2, 1)] for _ in range(pairs)]
        two, one = ([run[at][0] for run in runs] for at in (0, 1))
        target = "0.5 s" if len(some) == 1 else ""
        sites.row(f"four widths of webp and avif on 2 cores: {name}", target, sites.summary(two, "s", 2))
        sites.row("  one core takes so many times as long", "1.8", sites.summary(np.divide(one, two).tolist(), "", 2))
        sites.row("  CPU, imports of encoders included", "", sites.summary([run[1][1] for run in runs], "s", 2))
        sites.row("  peak memory", "", sites.summary([run[0][2] for run in runs], "MiB", 0))


def by_default(entries: dict[str, Entry], runs: int) -> None:
    """The default output of all pictures."""
    output = Output()
    found = [derived(entries.values(), output.formats, output.widths, 2) for _ in range(runs)]
    seconds = [each[0] / len(entries) for each in found]
    sites.row(f"the default output of {len(entries)} pictures, for each", "", sites.summary(seconds, "s", 3))


def warm(pictures: int, runs: int) -> None:
    """A build that finds everything made, for a site of many pictures."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder, cache, output = Path(name), Path(name, "cache"), Output(widths=(16, 32, 48, 64))
        small = [file_of(Image.new("RGB", (64, 36), (at % 256, at // 256, 0)), "png") for at in range(pictures)]
        some = [_entry(folder, str(number), data, (64, 36)) for number, data in enumerate(small)]
        derive_renditions(some, output, cache)
        spent = []
        for _ in range(runs):
            started = time.thread_time()
            derive_renditions(some, output, cache)
            spent.append(1e6 * (time.thread_time() - started) / pictures)
        sites.row(f"warm: CPU for each of {pictures} pictures with four files", "", sites.summary(spent, "µs", 1))


def main() -> None:
    options = sites.arguments(
        __doc__,
        ("pairs", int, 5, "pairs of processes on one and two cores"),
        ("tables", int, 1, "0 leaves out the tables of settings"),
    )
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        some = dict(zip(KINDS, pool.map(lambda make: prepare(make()), KINDS.values()), strict=True))
    if options.tables:
        table(some, [("webp", {"quality": q, "method": m}) for q in (74, 82, 86) for m in range(7)])
        speeds = range(4, 11)
        table(some, [("avif", {"quality": q, "speed": s, "max_threads": 1}) for q in (54, 62, 70) for s in speeds])
        equal_similarity(some, (50, 60, 70, 75, 82, 90))
        resizing(some, 3)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        entries = stored(Path(name), some)
        by_default(entries, options.pairs)
        on_cores(entries, options.pairs)
    warm(1000, 7)


if __name__ == "__main__":
    main()
