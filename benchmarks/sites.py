"""Sites, pictures and numbers that the benchmarks share."""

from __future__ import annotations

import argparse
import functools
import hashlib
import os
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs_gptimage.spec.model import SiteDefaults
from mkdocs_gptimage.spec.parse import parse_block
from mkdocs_gptimage.store.record import ImageFacts, Provenance
from mkdocs_gptimage.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mkdocs_gptimage.spec.model import Reference

PAGE_BYTES = 3_000
PLUGIN = "gptimage"
# Bytes of a PNG's data chunks, as encoders write them.
_CHUNK = 64 * 1024

_PARAGRAPH = """The `settings` of part {n} live in **one file**, which is read once. See the [index](index.md), and
note that values are checked *before* anything is done: an unknown key is an error, with the nearest one as advice.

- first, the file is read and its values are resolved
- then every value is checked, and all problems are reported together

"""
_BLOCK = """```gpt-image
prompt: A lighthouse on a rocky coast at dusk, number {n}, gouache
alt: A lighthouse above the sea, picture {n}
size: 16:9
resolution: 1k
```

"""
_CAPTION_LINE = "caption: The *old* lighthouse, seen from the `pier`\n```\n"


@dataclass(frozen=True)
class Run:
    """One finished process."""

    seconds: float
    user: float
    """Seconds of CPU in user mode."""
    peak: int
    """Bytes of memory at most."""
    output: str


def block(number: int, *, captions: bool = False) -> str:
    """One fenced block; every number is another picture."""
    text = _BLOCK.format(n=number)
    return text.replace("```\n", _CAPTION_LINE, 1) if captions else text


def page(number: int, *, blocks: bool, captions: bool = False) -> str:
    """Markdown of about 3 KB, with a block in its middle or without one."""
    text = f"# Part {number}\n\n"
    while len(text) < PAGE_BYTES:
        if blocks and "```" not in text and len(text) > PAGE_BYTES // 2:
            text += block(number, captions=captions)
        text += f"## Section {len(text)}\n\n{_PARAGRAPH.format(n=number)}"
    return text


def write_site(folder: Path, pages: int, *, blocks: bool, captions: bool = False) -> None:
    """Write the pages; the configuration is that of `configure`."""
    docs = folder / "docs"
    docs.mkdir(parents=True)
    for number in range(pages):
        name = "index.md" if number == 0 else f"part-{number}.md"
        (docs / name).write_text(page(number, blocks=blocks, captions=captions), encoding="utf-8")


def configure(folder: Path, name: str, plugins: str, *, theme: str = "mkdocs") -> Path:
    """Write a configuration with a site folder of its own; `plugins` is YAML in flow style."""
    path = folder / f"{name}.yml"
    # A short navigation: with 1,000 entries on every page, the theme's menu would be most of the build.
    path.write_text(
        f"site_name: Benchmark\nsite_url: https://example.org/\nsite_dir: site-{name}\ntheme: {theme}\n"
        f"plugins: {plugins}\nnav: [index.md]\nmarkdown_extensions: [admonition, attr_list]\n"
        "validation: {nav: {omitted_files: ignore}}\n",
        encoding="utf-8",
    )
    return path


def fill_store(folder: Path, pages: int, *, captions: bool = False) -> None:
    """Store a picture of 20 to 100 KB for the block of every page."""
    store = Store(folder / "gptimage")
    part = folder / "part"
    for number in range(pages):
        body = "\n".join(block(number, captions=captions).splitlines()[1:-2])
        picture = parse_block(body, SiteDefaults(), _no_reference).spec
        assert picture is not None
        width, height = 256, 80 + 300 * number // pages
        content = noise_png(width, height, number)
        part.write_bytes(content)
        facts = ImageFacts(hashlib.sha256(content).hexdigest(), len(content), width, height, "png")
        store.put(
            picture.canonical, picture.digest, part, facts, Provenance("2026-01-01T00:00:00Z", "host", None, 9.0, None)
        )


def _no_reference(entry: str) -> Reference:
    raise AssertionError(entry)


def noise_png(width: int, height: int, seed: int) -> bytes:
    """A greyscale PNG that does not compress: about width × height bytes."""
    noise = random.Random(seed)
    rows = b"".join(b"\0" + noise.randbytes(width) for _ in range(height))
    pixels = zlib.compress(rows, 1)
    chunks = [(b"IHDR", struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0))]
    chunks += [(b"IDAT", pixels[start : start + _CHUNK]) for start in range(0, len(pixels), _CHUNK)]
    chunks += [(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


@functools.cache
def environment() -> dict[str, str]:
    """The environment of processes; as in an installation, modules are compiled once."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir(), "benchmark-bytecode"))}


def run(*command: str, **variables: str) -> Run:
    """Run a Python process, with more environment variables, to its end and take its measure; raise when it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, env={**environment(), **variables}, text=True
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(time.perf_counter() - started, usage.ru_utime, usage.ru_maxrss * unit, output)


def build(config: Path) -> Run:
    """Run `mkdocs build` as a process of its own."""
    return run("-m", "mkdocs", "build", "--quiet", "--config-file", str(config))


def summary(values: Sequence[float], unit: str, digits: int = 3) -> str:
    """Median and spread of some measurements, as the tables show them."""
    median, least, most = (f"{value:.{digits}f}" for value in (statistics.median(values), min(values), max(values)))
    return f"{median}{unit and ' '}{unit} (of {len(values)}: {least} to {most})"


def row(name: str, target: str, measured: str) -> None:
    print(f"{name:<58} {target:<14} {measured}", flush=True)


def arguments(
    description: str | None, *options: tuple[str, Callable[[str], object], object, str]
) -> argparse.Namespace:
    """Parse the command line; an option is (name, type, default, help)."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    for name, kind, default, text in options:
        parser.add_argument(f"--{name}", type=kind, default=default, help=f"{text} (default: %(default)s)")
    return parser.parse_args()
