"""Builds killed at every point of their lives: prints what was accepted, and what became of it.

The points and the trials are those of the tests; names given as arguments choose some of them. With `--moves`, the
commands that move files of the store are killed at every call that changes one; names choose some of the commands.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import crash_moves
import crash_points
import crash_trials
from forkserver import start_forkserver

COLUMNS = ("accepted", "stored", "in flight", "unknown", "missing", "paid twice", "lost", "seconds")


def main() -> int:
    if "--moves" in sys.argv:
        return move_files(tuple(name for name in sys.argv[1:] if name != "--moves") or tuple(crash_moves.MOVES))
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


def move_files(moves: tuple[str, ...]) -> int:
    """Kill commands at every call that changes a file of the store."""
    began, count, problems = time.monotonic(), 0, 0
    print("| point | damaged | submits |\n|---|---:|---:|")
    with tempfile.TemporaryDirectory() as folder, start_forkserver() as commands:
        for count, found in enumerate(crash_moves.trials(Path(folder), commands, moves), 1):  # noqa: B007 - shown below
            print(f"| {found.point} | {found.damaged or ''} | {found.submits or ''} |", flush=True)
            for problem in found.problems:
                print(f"  {problem}")
            problems += len(found.problems)
    print(f"{count} points, {problems} problems, {time.monotonic() - began:.0f} s")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
