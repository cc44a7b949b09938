"""What the journal costs: single operations, a run of 1,000 pictures, and the disk below it.

python benchmarks/journal.py [--folder .]
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs_gptimage.journal.journal import open_journal
from mkdocs_gptimage.journal.lease import is_held
from mkdocs_gptimage.journal.submission import Stage, Submission
from mkdocs_gptimage.spec.model import ImageSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PICTURES = 1000
ROUNDS = 5


def submissions() -> list[Submission]:
    """Intents as a run writes them."""
    request = ImageSpec("A quiet harbour at sunset, sailing boats and gulls, watercolor on rough paper").canonical
    return [
        Submission(
            hashlib.sha256(str(number).encode()).hexdigest(),
            Stage.INTENT,
            "https://images.example/v1",
            "k" * 36,
            time.time(),
            where="docs/guide/harbour.md:14",
            run="1234-0123456789abcdef",
            request=request,
        )
        for number in range(PICTURES)
    ]


def seconds(work: Callable[[Submission], object], items: Sequence[Submission]) -> float:
    start = time.perf_counter()
    for item in items:
        work(item)
    return time.perf_counter() - start


def syncs(folder: Path) -> float:
    """Seconds that the disk takes for as many appended pages, each waited for."""
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        start = time.perf_counter()
        for _ in range(PICTURES):
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
        return time.perf_counter() - start


def measure(folder: Path) -> dict[str, float]:
    """Seconds for 1,000 of each."""
    intents = submissions()
    accepted = [dataclasses.replace(each, stage=Stage.ACCEPTED, task_id="task_01KPQ7J7DWB7QZ3W") for each in intents]
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        cache = Path(temporary)
        start = time.perf_counter()
        with open_journal(cache) as opened:
            found = {"opening, once": time.perf_counter() - start, "claim": seconds(opened.claim, intents)}
            found["write"] = seconds(opened.write, accepted)
            found["note"] = seconds(opened.note, accepted)
            start = time.perf_counter()
            opened.submissions()
            found["reading all, once"] = time.perf_counter() - start
            found["look at a lease"] = seconds(lambda _: is_held(cache, opened.run), intents)
            found["forget"] = seconds(opened.forget, accepted)
    found["the disk: fsync of a page"] = syncs(folder)
    found["a run of 1,000: claim, write, forget"] = found["claim"] + found["write"] + found["forget"]
    found["1,000 claims and 10,000 writes, 2 of 10 waiting for the disk"] = (
        found["claim"] + 2 * found["write"] + 8 * found["note"]
    )
    found["1,000 claims and 10,000 writes, all waiting for the disk"] = found["claim"] + 10 * found["write"]
    return found


def main() -> None:
    """Print the median of several rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="on the disk that is measured")
    folder = parser.parse_args().folder
    rounds = [measure(folder) for _ in range(ROUNDS)]
    for name in rounds[0]:
        values = sorted(each[name] for each in rounds)
        print(f"{statistics.median(values):8.3f} s  ({values[0]:.3f} to {values[-1]:.3f})  {name}")


if __name__ == "__main__":
    main()
