"""One crash trial: build a site, kill the build, build again, and account for every payment."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import scripted_service
from paying_service import PayingService
from sites import block, environment

from mkdocs_gptimage.journal.journal import read_submissions
from mkdocs_gptimage.store.entry import Entry
from mkdocs_gptimage.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from crash_points import Kill, Point
    from forkserver import Forkserver
    from scripted_service import ScriptedService
    from sites import Finished, Site

_COMMAND = Path(__file__).parents[1] / "faults" / "crash.py"
MAX_REQUESTS = 3
ADDED_LATER = "a picture that is added later"
KEY = {"APIMASTER_API_KEY": scripted_service.KEY}
_PATIENCE = 60
_AT_ONCE = 15
"""Seconds in which a build ends that takes over from a dead one; a wait for its timeout would last 600."""
_TWO_DAYS = 2 * 24 * 3600
_NAMED = r":.*submitted \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
_PAIR = re.compile(r"[0-9a-f]{64}\.(png|json)")
_KNOWN = {"cached", "in flight", "unknown"}


@dataclasses.dataclass
class TrialResult:
    """Counts and problems of one trial."""

    point: str
    accepted: int = 0
    """Pictures paid for when the last process was killed; the next four say what the plan made of all."""
    stored: int = 0
    in_flight: int = 0
    unknown: int = 0
    missing: int = 0
    paid_twice: int = 0
    """Payments beyond the first that were not requested by `--retry-unknown`."""
    lost: int = 0
    """Pictures paid for and known to neither the store nor the journal."""
    seconds: float | None = None
    """How long the other build went on after the death of the one beside it."""
    problems: list[str] = dataclasses.field(default_factory=list)


class Trial:
    """One point: a site is built and killed, looked at, built again, and brought to its end."""

    def __init__(
        self, point: Point, made: Site, service: ScriptedService, commands: Forkserver, seconds: float
    ) -> None:
        self._point = point
        self._site = made
        self._paying_service = PayingService(service, honours_keys=point.honours_keys)
        self._commands = commands
        self._seconds = seconds
        self._result = TrialResult(point.name)
        self._asked_anew: Counter[str] = Counter()
        self._digests: dict[str, str] = {}

    def run(self, after_kill: Callable[[Path], None]) -> TrialResult:
        for kill in self._point.kills:
            if kill.retries:
                self._note_retry(self._rows())
            if self._point.in_company:
                self._kill_in_company(kill)
            else:
                self._kill(kill)
        after_kill(self._site.root)
        rows = self._states()
        self._build_again(rows)
        self._finish(rows)
        return self._result

    def _claim(self, is_so: bool, problem: str) -> None:
        if not is_so:
            self._result.problems.append(problem)

    def _start(self, kill: Kill | None, *arguments: str, watched: bool = False) -> subprocess.Popen[str]:
        inside = {"GPTIMAGE_CRASH": kill.inside} if kill is not None and kill.inside else {}
        company = {"GPTIMAGE_CRASH_COMPANY": str(self._leases)} if watched else {}
        return subprocess.Popen(
            [sys.executable, str(_COMMAND), *arguments],
            cwd=self._site.root,
            env=environment({**KEY, **inside, **company}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _run(self, *arguments: str) -> Finished:
        return self._commands.run(self._site.root, *arguments, env=KEY)

    @property
    def _cache(self) -> Path:
        return self._site.root / ".cache" / "gptimage"

    @property
    def _leases(self) -> Path:
        return self._journal / "runs"

    @property
    def _journal(self) -> Path:
        return self._site.store / ".journal"

    def _kill(self, kill: Kill) -> None:
        command = ("gptimage", "generate", "--retry-unknown") if kill.retries else ("mkdocs", "build")
        with self._start(kill, *command) as process:
            self._paying_service.watch(kill.at_request, process.kill)
            self._await_death(process, kill)

    def _await_death(self, process: subprocess.Popen[str], kill: Kill) -> None:
        is_late, said = _ended(process, _PATIENCE if kill.share is None else kill.share * self._seconds)
        # A machine that was busy for a moment when the time was measured makes a share of it more than the whole.
        is_over = kill.share is not None and not is_late
        is_stuck = kill.share is None and is_late
        is_dead = process.returncode == (0 if is_over else -signal.SIGKILL) and not is_stuck
        self._claim(is_dead, f"the build was not killed: it ended with {process.returncode}: {said}")
        self._paying_service.watch(None, lambda: None)
        self._paying_service.settle()
        self._result.accepted = len(self._paying_service.paid())

    def _kill_in_company(self, kill: Kill) -> None:
        def hold() -> None:
            _until(lambda: len(list(self._leases.glob("*.lock"))) >= 2)

        with self._start(kill, "mkdocs", "build", watched=True) as process:
            self._paying_service.watch(kill.at_request, process.kill, hold)
            _until(lambda: self._paying_service.asked or kill.share is not None)
            with self._start(None, "mkdocs", "build", "--site-dir", "beside") as other:
                self._await_death(process, kill)
                began = time.monotonic()
                _, said = _ended(other, _PATIENCE)
                self._result.seconds = time.monotonic() - began
        self._claim(self._result.seconds < _AT_ONCE, f"the other build took {self._result.seconds:.0f} s more: {said}")
        self._check_build(self._rows(), other.returncode, said, "the other build")

    def _states(self) -> list[dict]:
        """What was accepted is known; the pictures as the plan sees them."""
        rows = self._rows()
        paid, result = self._paying_service.paid(), self._result
        states = Counter(row["state"] for row in rows)
        result.stored, result.in_flight = states["cached"], states["in flight"]
        result.unknown, result.missing = states["unknown"], states["missing"]
        forgotten = [row["prompt"] for row in rows if row["prompt"] in paid and row["state"] not in _KNOWN]
        self._claim(not forgotten, f"the plan takes for not submitted: {forgotten}")
        in_the_air = MAX_REQUESTS * len(self._point.kills)
        self._claim(result.unknown <= in_the_air, f"{result.unknown} are unknown, more than can have been in the air")
        self._audit("after the kill")
        return rows

    def _build_again(self, rows: list[dict]) -> None:
        done = self._run("mkdocs", "build")
        self._check_build(rows, done.code, done.err, "the second build")
        self._audit("after the second build")

    def _finish(self, rows: list[dict]) -> None:
        """With leave to submit again, and two days later, nothing is left of the crash."""
        self._age()
        self._site.write({"later.md": block(prompt=ADDED_LATER)})
        self._note_retry(rows)
        retried = self._run("gptimage", "generate", "--retry-unknown")
        built, checked = self._run("mkdocs", "build"), self._run("gptimage", "check")
        for name, done in {"generate --retry-unknown": retried, "the third build": built, "check": checked}.items():
            self._claim(done.code == 0, f"{name} ended with {done.code}: {done.err}")
        self._audit("at the end")
        self._check_pictures()
        left = [*read_submissions(self._journal), *self._leftovers()]
        self._claim(not left, f"left behind: {left}")
        shown = {path.name for path in (self._site.root / "site" / "assets" / "gptimage").glob("*.webp")}
        self._claim(len(shown) == len(self._digests) + 1, f"the site shows {sorted(shown)}")

    def _note_retry(self, rows: list[dict]) -> None:
        """Write down what may be submitted once more from now on."""
        self._asked_anew.update(row["prompt"] for row in rows if row["state"] == "unknown")

    def _rows(self) -> list[dict]:
        """The pictures, as the plan sees them."""
        done = self._run("gptimage", "plan", "--json")
        self._claim(_is_quiet(done), f"the plan ended with {done.code}: {done.err}")
        rows = json.loads(done.out)["pictures"]
        self._digests = self._digests or {row["prompt"]: row["digest"] for row in rows}
        return rows

    def _check_build(self, rows: list[dict], code: int, said: str, name: str) -> None:
        """All is stored but what is unknown, which is named with page, line and time, and the one reason to fail."""
        unknown = [row for row in rows if row["state"] == "unknown"]
        self._claim(code == bool(unknown) and "Traceback" not in said, f"{name} ended with {code}: {said}")
        for row in unknown:
            place = f"{row['uses'][0]['page']}:{row['uses'][0]['line']}"
            self._claim(bool(re.search(re.escape(place) + _NAMED, said)), f"{name} does not name {place}: {said}")
        stored = [row["digest"] for row in rows if isinstance(Store(self._site.store).verify(row["digest"]), Entry)]
        expected = [row["digest"] for row in rows if row not in unknown]
        self._claim(stored == expected, f"{name} stored {len(stored)} pictures instead of {len(expected)}: {said}")

    def _audit(self, when: str) -> None:
        """Nothing is paid or asked for twice unbidden, nothing forgotten, and no picture is there in part."""
        paid, submissions, store = self._paying_service.paid(), read_submissions(self._journal), Store(self._site.store)
        anew = Counter() if self._point.honours_keys else self._asked_anew
        twice = {prompt: count for prompt, count in paid.items() if count > 1 + anew[prompt]}
        asked = [
            each for each, count in Counter(self._paying_service.asked).items() if count > 1 + self._asked_anew[each]
        ]
        digests = {prompt: self._digests[prompt] for prompt in paid if prompt in self._digests}
        stored = {digest for digest in digests.values() if isinstance(store.verify(digest), Entry)}
        lost = [prompt for prompt, digest in digests.items() if digest not in stored and digest not in submissions]
        self._result.paid_twice = max(self._result.paid_twice, sum(twice.values()) - len(twice))
        self._result.lost = max(self._result.lost, len(lost))
        self._claim(not twice, f"{when}, paid more than once: {twice}")
        self._claim(not asked, f"{when}, submitted more than once: {asked}")
        self._claim(not lost, f"{when}, paid and forgotten: {lost}")
        halves = [name for name in self._halves() if name not in submissions]
        self._claim(not halves, f"{when}, there in part: {halves}")

    def _halves(self) -> list[str]:
        """The digests of which the store has one file."""
        names = Counter(path.stem for path in self._site.store.rglob("*") if _PAIR.fullmatch(path.name))
        return [digest for digest, count in names.items() if count != 2]

    def _check_pictures(self) -> None:
        """Each stored picture is the one that was paid for, and each task that was paid for is stored."""
        tasks = {payment.task_id: payment for payment in self._paying_service.payments}
        found = set()
        for path in self._site.store.glob("??/*.json"):
            record = json.loads(path.read_text(encoding="utf-8"))
            task_id, prompt = record["made"]["task_id"], record["request"]["prompt"]
            found.add(task_id)
            bytes_ = hashlib.sha256(self._paying_service.picture(task_id)).hexdigest()
            is_right = tasks[task_id].prompt == prompt and record["image"]["sha256"] == bytes_
            self._claim(is_right, f"{prompt} is the picture of {tasks[task_id]}")
        left = {payment.prompt for task_id, payment in tasks.items() if task_id not in found}
        allowed = set() if self._point.honours_keys else set(self._asked_anew)
        self._claim(left <= allowed, f"paid and not stored: {left - allowed}")

    def _leftovers(self) -> list[str]:
        """Files of unfinished work, and leases."""
        parts = [*self._site.store.rglob(".*.part"), *(self._cache / "parts").glob("*"), *self._cache.rglob("*.part")]
        return [str(path.relative_to(self._site.root)) for path in (*parts, *self._leases.glob("*"))]

    def _age(self) -> None:
        """Let two days pass for what the dead have left."""
        moment = time.time() - _TWO_DAYS
        for name in self._leftovers():
            os.utime(self._site.root / name, (moment, moment))


def _ended(process: subprocess.Popen[str], seconds: float) -> tuple[bool, str]:
    """Wait for a process, and kill it when the time is over; whether it was, and what the process said."""
    try:
        return False, process.communicate(timeout=seconds)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        return True, process.communicate()[1]


def _is_quiet(done: Finished) -> bool:
    return done.code in (0, 1) and "Traceback" not in done.err


def _until(condition) -> None:
    until = time.monotonic() + _PATIENCE
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
