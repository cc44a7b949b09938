"""How fast a store is verified, beside what `sha256sum` takes for the same files.

python benchmarks/check.py [--pictures 1000] [--megabytes 2] [--folder .]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from mkdocs_gptimage.spec.model import ImageSpec
from mkdocs_gptimage.store.record import ImageFacts, Provenance
from mkdocs_gptimage.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

ROUNDS = 5
CHECK = "from mkdocs_gptimage.cli import main; main()"


def fill(store: Store, pictures: int, size: int) -> None:
    """Store pictures of so many bytes: a small one, and behind its end what makes it large and different."""
    file = BytesIO()
    Image.radial_gradient("L").resize((1536, 1024)).save(file, "PNG")
    start = file.getvalue()
    for number in range(pictures):
        spec = ImageSpec(f"Picture {number}")
        data = start + os.urandom(size - len(start))
        part = store.root.parent / "part"
        part.write_bytes(data)
        facts = ImageFacts(hashlib.sha256(data).hexdigest(), size, 1536, 1024, "png")
        store.put(
            spec.canonical, spec.digest, part, facts, Provenance("2026-11-25T00:00:00Z", "emulator", None, 1.0, None)
        )


def seconds(command: Sequence[str], folder: Path) -> float:
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--megabytes", type=float, default=2)
    parser.add_argument("--folder", type=Path, default=Path())
    arguments = parser.parse_args()
    size = int(arguments.megabytes * 1_000_000)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        (folder / "docs").mkdir()
        (folder / "mkdocs.yml").write_text("site_name: x\nplugins: [gptimage]\n", encoding="utf-8")
        store = Store(folder / "gptimage")
        fill(store, arguments.pictures, size)
        files = sorted(str(path) for path in store.root.glob("*/*.png"))
        commands = {
            "sha256sum": ["sha256sum", *files],
            "gptimage check --store-only": [sys.executable, "-c", CHECK, "check", "--store-only"],
            "one core: sha256sum": ["taskset", "-c", "0", "sha256sum", *files],
            "one core: gptimage check --store-only": [
                *("taskset", "-c", "0"),
                *(sys.executable, "-c", CHECK, "check", "--store-only"),
            ],
        }
        taken: dict[str, list[float]] = {label: [] for label in commands}
        for _ in range(ROUNDS):
            for label, command in commands.items():
                taken[label].append(seconds(command, folder))
    for label, times in taken.items():
        middle = statistics.median(times)
        rate = arguments.pictures * size / middle / 1e6
        print(f"{label:40} {middle:6.2f} s ({min(times):.2f} to {max(times):.2f})  {rate:6.0f} MB/s")


if __name__ == "__main__":
    main()
