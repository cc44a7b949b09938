"""Builds killed at every point of their lives: prints what was accepted, and what became of it.

The points and the trials are those of the tests; names given as arguments choose some of them.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import crash_points
import crash_trials

COLUMNS = ("accepted", "stored", "in flight", "unknown", "missing", "paid twice", "lost", "seconds")


def main() -> int:
    chosen = [point for point in crash_points.ALL if point.name in sys.argv[1:] or not sys.argv[1:]]
    began, sums, problems = time.monotonic(), dict.fromkeys(COLUMNS, 0.0), 0
    print(f"| point | {' | '.join(COLUMNS)} |\n|---{'|---:' * len(COLUMNS)}|")
    with tempfile.TemporaryDirectory() as folder, crash_trials.trial_runner(Path(folder)) as runner:
        for trial in [runner.start(point) for point in chosen]:
            found = trial.result()
            values = [getattr(found, column.replace(" ", "_")) for column in COLUMNS]
            shown = ["" if value is None else f"{value:.3g}" for value in values]
            print(f"| {found.point} | {' | '.join(shown)} |", flush=True)
            for column, value in zip(COLUMNS, values, strict=True):
                sums[column] += value or 0
            for problem in found.problems:
                print(f"  {problem}")
            problems += len(found.problems)
    del sums["seconds"]
    print(f"| {len(chosen)} points | {' | '.join(f'{value:.0f}' for value in sums.values())} | |")
    print(f"{problems} problems, {time.monotonic() - began:.0f} s")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
