"""Leases: whether a run is alive is what the operating system says, not a guess."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from mkdocs_gptimage.journal.lease import hold_lease, is_held, process_of
from mkdocs_gptimage.owned_folder import make_subfolder

HOLDS = """
import pathlib, sys, time
from mkdocs_gptimage.journal.lease import hold_lease
with hold_lease(pathlib.Path(sys.argv[1])) as name:
    print(name, flush=True)
    time.sleep(60)
"""


def holder(folder):
    return subprocess.Popen([sys.executable, "-c", HOLDS, str(folder)], stdout=subprocess.PIPE, text=True)


def test_a_lease_lasts_as_long_as_its_run(tmp_path):
    """A lease is held inside its context, and gone after it, with its file."""
    with hold_lease(tmp_path) as name:
        during = is_held(tmp_path, name)

    assert during
    assert not is_held(tmp_path, name)
    assert list((tmp_path / "runs").iterdir()) == []


def test_runs_of_one_process_are_distinguished(tmp_path):
    """Of two runs in one process, such as the rebuilds of a server, each has its own lease."""
    with hold_lease(tmp_path) as first:
        with hold_lease(tmp_path) as second:
            both = is_held(tmp_path, first), is_held(tmp_path, second)
        later = is_held(tmp_path, first), is_held(tmp_path, second)

    assert both == (True, True)
    assert later == (True, False)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_lease_of_a_killed_process_is_free_at_once(tmp_path, number):
    """However a process ends, its lease ends with it; one that is only stopped keeps it."""
    with holder(tmp_path) as process:
        name = process.stdout.readline().strip()
        process.send_signal(signal.SIGSTOP)
        stopped = is_held(tmp_path, name)
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        process.wait(10)

    assert stopped
    assert process_of(name) == str(process.pid)
    assert not is_held(tmp_path, name)


@pytest.mark.parametrize("name", ["", "1", "../journal/cache", "1-zz", "1-" + "0" * 16, "1-" + "0" * 15 + "/", "\0"])
def test_forged_names_are_no_lease(tmp_path, name):
    """A name from a forged row is neither a path nor a lease."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "1.lock").touch()

    assert not is_held(tmp_path, name)
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["1.lock"]


def test_files_of_the_dead_are_swept(tmp_path):
    """A new run removes old files that no run holds, and only those."""
    make_subfolder(tmp_path, "runs")
    old = tmp_path / "runs" / f"1-{'a' * 16}.lock"
    young = tmp_path / "runs" / f"2-{'b' * 16}.lock"
    for path in (old, young):
        path.touch()
    os.utime(old, (0, 0))
    with holder(tmp_path) as process:
        name = process.stdout.readline().strip()
        os.utime(tmp_path / "runs" / f"{name}.lock", (0, 0))
        with hold_lease(tmp_path):
            alive = is_held(tmp_path, name)
        process.kill()

    assert alive
    assert not old.exists()
    assert young.exists()
