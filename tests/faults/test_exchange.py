"""A picture that is exchanged for its candidate: both stay in the store, wherever the process is killed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import harness
import pytest
import scripted_service
from factories import put
from sites import environment

from mkdocs_gptimage.errors import MissingPicturesError
from mkdocs_gptimage.journal.journal import open_journal
from mkdocs_gptimage.journal.submission import Stage, Submission
from mkdocs_gptimage.maintenance.exchange import exchange_candidate
from mkdocs_gptimage.plan.orphans import Orphan, candidate_variant, find_orphans
from mkdocs_gptimage.spec.model import ImageSpec
from mkdocs_gptimage.store.entry import Entry
from mkdocs_gptimage.store.store import Store

CAT = ImageSpec("A cat")
OLD = scripted_service.picture(size=(32, 18))
NEW = scripted_service.picture(size=(32, 18)) + b"new"
TRIALS = """
import itertools, os, shutil, sys
from pathlib import Path
import crash
from crash_moves import FUNCTIONS
from test_exchange import exchange
root = Path(sys.argv[1])
shutil.copytree(root / "start", root / "whole")
exchange(root / "whole")  # imports what the forks need
for function in FUNCTIONS:
    for number in itertools.count(1):
        killed = 0
        for side in ("before", "after"):
            folder = root / f"{function} {number} {side}".replace(":", "_")
            shutil.copytree(root / "start", folder)
            child = os.fork()
            if not child:
                crash.arm(f"{function} {number} {side}")
                exchange(folder)
                os._exit(0)
            killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])
        if not killed:
            break
"""


def candidate(number: int) -> ImageSpec:
    return replace(CAT, variant=candidate_variant(number, CAT.digest))


def start(root: Path) -> None:
    root.mkdir(exist_ok=True)
    put(Store(root / "gptimage"), CAT, OLD)
    put(Store(root / "gptimage"), candidate(1), NEW)


def waiting(root: Path) -> list[Orphan]:
    return [orphan for orphan in find_orphans(Store(root / "gptimage"), ()) if orphan.candidate_of == CAT.digest]


def exchange(root: Path, data: bytes = NEW):
    """Take the candidate with these bytes."""
    found = next(each for each in waiting(root) if each.entry.image.sha256 == hashlib.sha256(data).hexdigest())
    return exchange_candidate(found, Store(root / "gptimage"), harness.settings(root, "http://127.0.0.1:1"))


def shown(root: Path) -> bytes:
    found = Store(root / "gptimage").verify(CAT.digest)
    assert isinstance(found, Entry)
    return found.path.read_bytes()


def test_what_was_replaced_can_be_taken_back(tmp_path):
    """The picture and its candidate change places, as often as one likes, and with their records."""
    start(tmp_path)
    made = Store(tmp_path / "gptimage").entry(CAT.digest).made
    for taken, other in ((NEW, OLD), (OLD, NEW), (NEW, OLD)):
        done = exchange(tmp_path, taken)

        (kept,) = waiting(tmp_path)
        assert shown(tmp_path) == taken
        assert kept.entry.path.read_bytes() == other
        assert (kept.digest, kept.entry.made) == (done.replaced, made)


def test_a_number_that_another_run_has_claimed_is_left_to_it(tmp_path):
    """What is replaced gets a number that no candidate in flight has: that one will be stored under its own."""
    start(tmp_path)
    claimed = candidate(2)
    with open_journal(harness.settings(tmp_path, "").journal) as journal:
        journal.claim(Submission(claimed.digest, Stage.INTENT, "http://a", "k", 1.0, request=claimed.canonical))

    assert exchange(tmp_path).replaced == candidate(3).digest


def test_a_damaged_picture_is_not_replaced(tmp_path):
    """A picture whose bytes nobody has elsewhere is left as it is, and named with what to do."""
    start(tmp_path)
    Store(tmp_path / "gptimage").entry(CAT.digest).path.write_bytes(b"what an editor has saved here")

    with pytest.raises(MissingPicturesError, match=r"in the store is damaged: .* Restore its files"):
        exchange(tmp_path)
    assert len(waiting(tmp_path)) == 1


def test_wherever_the_process_is_killed_both_pictures_are_there(tmp_path):
    """Before and after each call that changes a file: both pictures are in the store, and a repetition completes it."""
    start(tmp_path / "start")
    here = Path(__file__).parent
    paths = [here, here.parent, here.parent / "support"]
    trials = subprocess.run(
        [sys.executable, "-c", TRIALS, tmp_path],
        env={**environment(None), "PYTHONPATH": ":".join(map(str, paths))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert trials.returncode == 0, trials.stderr
    folders = sorted(path for path in tmp_path.iterdir() if path.name != "start")
    assert len(folders) > 40
    for root in folders:
        files = [path.read_bytes() for path in (root / "gptimage").glob("??/*.png")]
        assert OLD in files, root.name
        assert NEW in files, root.name
        if any(each.entry.path.read_bytes() == NEW for each in waiting(root)):
            exchange(root)
        assert shown(root) == NEW, root.name
        assert OLD in [each.entry.path.read_bytes() for each in waiting(root)], root.name
