"""How the processes that were started meanwhile are found where there is no /proc."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mkdocs_gptimage.hosts import child_processes
from mkdocs_gptimage.hosts.child_processes import ended_at_exit

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.mark.parametrize("proc", ["/proc", "/nowhere"])
def test_what_is_started_meanwhile_ends(monkeypatch, proc):
    """A child of the context ends with it, one of before does not; `ps` tells where there is no /proc."""
    monkeypatch.setattr(child_processes, "_PROC", Path(proc))
    with subprocess.Popen(SLEEP) as before:
        with ended_at_exit("NAME", "value"):
            meanwhile = subprocess.Popen(SLEEP)
        ended = meanwhile.wait(60)
        is_running = before.poll() is None
        before.kill()

    assert ended != 0
    assert is_running


TERMINATED = """
import os, signal, subprocess, sys
from mkdocs_gptimage.hosts.child_processes import ended_at_exit

def handle(*_):
    print(child.wait(60), flush=True)
    os._exit(7)

signal.signal(signal.SIGTERM, handle)
with ended_at_exit("NAME", "value"):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that can be handled")
def test_a_handler_of_before_runs_once_the_children_have_ended():
    """Who handles SIGTERM already, such as a supervisor's library, still does so, and finds no child left."""
    done = subprocess.run([sys.executable, "-c", TERMINATED], capture_output=True, text=True, timeout=90, check=False)

    assert (done.returncode, done.stdout) == (7, "-15\n"), done.stderr


def test_no_way_to_tell_is_no_failure(monkeypatch):
    """Without /proc and without `ps`, nothing is ended."""
    monkeypatch.setattr(child_processes, "_PROC", Path("/nowhere"))
    monkeypatch.setenv("PATH", "/nowhere")
    with subprocess.Popen(SLEEP) as child:
        with ended_at_exit("NAME", "value"):
            pass
        is_running = child.poll() is None
        child.kill()

    assert is_running
