"""The progress shown while pictures are made, in a pipe and in a terminal."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import harness
import pytest

from mkdocs_gptimage.generate import progress
from mkdocs_gptimage.generate.job import Event, Outcome
from mkdocs_gptimage.generate.step import Step
from mkdocs_gptimage.journal.snapshot import JournalSnapshot
from mkdocs_gptimage.journal.submission import Stage, Submission
from mkdocs_gptimage.plan.plan import decide
from mkdocs_gptimage.store.entry import Entry
from mkdocs_gptimage.store.record import ImageFacts, Provenance
from mkdocs_gptimage.store.snapshot import StoreSnapshot

EVENTS = [
    Event(Step.SUBMITTED, "docs/a.md:1", "a", "1:1 1k task_1"),
    Event(Step.RESUMED, "docs/b.md:2", "b", "task_2"),
    Event(Step.RUNNING, "docs/a.md:1", "a"),
    Event(Step.STORED, "docs/a.md:1", "a", "32×18, 0.1 MB, 4 s, $0.0085"),
    Event(Step.FAILED, "docs/b.md:2", "b", "100% [refused] by moderation"),
]
LINES = [
    "docs/a.md:1: submitted 1:1 1k task_1",
    "docs/b.md:2: in flight since an earlier run task_2",
    "docs/a.md:1: running",
    "docs/a.md:1: stored: 32×18, 0.1 MB, 4 s, $0.0085",
    "docs/b.md:2: failed: 100% [refused] by moderation",
]

SCRIPT = """
import logging, sys, time
sys.path += {paths!r}
from test_progress import EVENTS
from mkdocs_gptimage.generate import progress
handler = logging.StreamHandler()
handler.setFormatter(logging.Formatter("INFO - %(message)s"))
log = logging.getLogger("mkdocs.plugins.gptimage")
logging.getLogger("mkdocs").addHandler(handler)
log.setLevel(logging.INFO)
with progress.reporting(log, 2) as report:
    for event in EVENTS:
        report(event)
        time.sleep(0.15)
log.info("afterwards")
"""


def run(stderr):
    script = SCRIPT.format(paths=[str(Path(module).parent) for module in (__file__, harness.__file__)])
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "PYTHONUTF8": "1"}
    return subprocess.run([sys.executable, "-c", script], stderr=stderr, check=True, env=environment, timeout=30)


def test_a_line_per_change_of_state():
    """In a pipe, every change of state is one line and nothing else is written."""
    said = run(subprocess.PIPE).stderr.decode()

    assert said.splitlines() == [f"INFO - {line}" for line in [*LINES, "afterwards"]]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pty")
def test_a_terminal_shows_counts_and_keeps_the_lines():
    """In a terminal, a display counts what is submitted, running, ready and failed, and every line is kept."""
    import pty

    leader, follower = pty.openpty()
    run(follower)
    os.close(follower)
    chunks = []
    try:
        while chunk := os.read(leader, 65536):
            chunks.append(chunk)
    except OSError:
        pass  # how Linux says that the other end is closed
    finally:
        os.close(leader)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", b"".join(chunks).decode())

    assert [shown.count(line) for line in [*LINES, "afterwards"]] == [1] * 6
    assert "1 submitted · 0 running · 0 ready · 0 failed of 2" in shown
    assert "1 submitted · 1 running · 0 ready · 0 failed of 2" in shown
    assert "0 submitted · 0 running · 1 ready · 1 failed of 2" in shown


def test_the_log_is_put_back():
    """When the display is gone, handlers write where they wrote before, also after an error."""
    import io

    log = logging.getLogger("mkdocs.plugins.gptimage")
    handler = logging.StreamHandler(sys.stderr)
    log.addHandler(handler)
    before = handler.stream
    during = []

    def fail():
        during.append(handler.stream)
        raise LookupError

    elsewhere = io.StringIO()
    with pytest.raises(LookupError), progress._redirected(elsewhere):
        fail()
    log.removeHandler(handler)

    assert handler.stream is before
    assert during == [elsewhere]


@pytest.mark.parametrize(("event", "line"), [*zip(EVENTS, LINES, strict=True)])
def test_line(event, line):
    """A change of state reads as where, what and more."""
    assert progress.line(event) == line


def outcome(prompt, step=Step.STORED, cost=None):
    picture = next(iter(harness.catalog(prompt).pictures.values()))
    if step is not Step.STORED:
        return Outcome(step, picture.spec.digest, picture.where, problem="no")
    made = Provenance("", "api.example", "t", 1.0, cost)
    return Outcome(
        step,
        picture.spec.digest,
        picture.where,
        Entry(picture.spec.digest, Path("x"), ImageFacts("", 1, 1, 1, "png"), made),
    )


@pytest.mark.parametrize(
    ("outcomes", "text"),
    [
        ([outcome("a", cost=0.01), outcome("b", cost=0.02)], "0 cached, 2 generated, 0 failed, $0.03"),
        ([outcome("a", cost=0.01), outcome("b")], "0 cached, 2 generated, 0 failed, $0.01 for 1 of them"),
        ([outcome("a"), outcome("b")], "0 cached, 2 generated, 0 failed, cost not reported by the service"),
        ([outcome("a", Step.FAILED), outcome("b", Step.WAITING)], "0 cached, 0 generated, 1 failed, 1 still in flight"),
    ],
)
def test_summary(outcomes, text):
    """The last line counts what was cached, generated and failed, and what it cost as far as that is known."""
    pictures = harness.catalog("a", "b")
    plan = decide(pictures, StoreSnapshot(None, dict.fromkeys(pictures.pictures)))

    assert progress.summary(plan, outcomes) == f"2 pictures: {text}"


def test_summary_of_what_was_not_touched():
    """Pictures that a run leaves alone because they may be paid for are counted too."""
    pictures = harness.catalog("a")
    digest = next(iter(pictures.pictures))
    journal = JournalSnapshot({digest: Submission(digest, Stage.UNKNOWN, "", "k", 0)})
    plan = decide(pictures, StoreSnapshot(None, {digest: None}), journal)

    assert progress.summary(plan, []) == "1 picture: 0 cached, 0 generated, 0 failed, 1 not touched"


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (Step.WAITING, "build again to collect it"),
        (Step.STORED, "is in the store"),
        (Step.SKIPPED, "1 picture is left"),
        (Step.FAILED, ""),
    ],
)
def test_advice(step, text):
    """After a run that did not make everything, it is said what becomes of the rest."""
    advice = progress.advice([outcome("a", step)])

    assert text in advice
    assert bool(text) == bool(advice)
