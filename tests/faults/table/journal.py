"""Faults of the journal: what is in flight cannot be read or written down."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import sqlite3
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import diskcache
from scripted_service import Answer, accepts, picture

from mkdocs_gptimage.journal import journal
from mkdocs_gptimage.journal.journal import FOLDER, Journal, open_journal
from mkdocs_gptimage.journal.submission import Stage
from mkdocs_gptimage.owned_folder import claim_folder
from mkdocs_gptimage.plan.states import State

from .cells import LEFT, MADE, NOT_BEGUN, REFUSED, UNKNOWN, Cell, World, at, both

if TYPE_CHECKING:
    from collections.abc import Callable

LACKED = "the journal '…/gptimage/.journal/journal' cannot be opened, nothing was submitted: "
OPENED = "the journal '…/gptimage/.journal/journal' cannot be opened (…); nothing was submitted. …"
USED = "the journal '…/gptimage/.journal/journal' cannot be used ({})"
FULL, READ_ONLY = "database or disk is full", "attempt to write a readonly database"
ASKED = "submit batch download"


def _database(world: World) -> Any:
    return world.site.settings.journal / FOLDER / "cache.db"


def _locked(world: World) -> None:
    """Another program holds the database, until the fault is mended."""
    other = sqlite3.connect(_database(world), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    world.mends.append(other.close)


def _impatient(world: World) -> None:
    """A database that is locked is waited for, but not for a minute."""
    world.patch.setattr(journal, "_LOCK_SECONDS", 0.02)
    quick = SimpleNamespace(time=lambda: time.time() * 10_000, sleep=time.sleep)
    world.patch.setattr(diskcache.core, "time", quick)


def _lock_during(kind: str, answer: Any) -> Callable[[World], None]:
    """Another program takes the database while a request is answered."""

    def happens(world: World) -> None:
        _impatient(world)

        def answered(_: Any) -> Answer:
            _locked(world)
            return answer

        setattr(world.service, kind, answered)

    return happens


def _lock_at_claim(world: World) -> None:
    _impatient(world)
    claim = Journal.claim

    def claim_late(*arguments: Any) -> bool:
        _locked(world)
        return claim(*arguments)

    world.patch.setattr(Journal, "claim", claim_late)


def _known(world: World) -> None:
    """There is a journal from an earlier run."""
    with open_journal(world.site.settings.journal):
        pass


def _damaged(world: World) -> None:
    _known(world)
    path = _database(world)
    whole = path.read_bytes()
    path.write_bytes(b"not a database " * 400)
    for name in ("cache.db-wal", "cache.db-shm"):
        path.with_name(name).unlink(missing_ok=True)
    world.mends.append(lambda: path.write_bytes(whole))


def _earlier(world: World) -> None:
    """An earlier version has left the picture in flight, in the cache."""
    world.in_flight()
    claim_folder(world.site.settings.cache)
    shutil.move(world.site.settings.journal / FOLDER, world.site.settings.cache / FOLDER)


def _earlier_damaged(world: World) -> None:
    _earlier(world)
    path = world.site.settings.cache / FOLDER / "cache.db"
    whole = path.read_bytes()
    path.write_bytes(b"not a database " * 400)
    world.mends.append(lambda: path.write_bytes(whole))


def _folder_for_database(world: World) -> None:
    path = _database(world)
    claim_folder(world.site.settings.journal)
    path.mkdir(parents=True)
    world.mends.append(path.rmdir)


def _broken(method: str, words: str, allowed: int = 0) -> Callable[[World], None]:
    """A call of the database layer fails, after so many that work."""

    def happens(world: World) -> None:
        works, calls = getattr(diskcache.Cache, method), []

        def fail(*arguments: Any, **named: Any) -> Any:
            calls.append(arguments)
            if len(calls) > allowed:
                raise sqlite3.OperationalError(words)
            return works(*arguments, **named)

        world.patch.setattr(diskcache.Cache, method, fail)

    return happens


def _without_locks(kind: str) -> Callable[[World], None]:
    """The file system has no locks, of those of `flock` or those that SQLite uses."""

    def happens(world: World) -> None:
        def fail(*_: Any) -> None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        world.patch.setattr(fcntl, kind, fail)

    return happens


def _lacks(method: str) -> Callable[[World], None]:
    """A call of the database layer finds no memory."""

    def happens(world: World) -> None:
        def fail(*_: Any, **__: Any) -> None:
            raise MemoryError

        world.patch.setattr(diskcache.Cache, method, fail)

    return happens


def _row(world: World, **changes: Any) -> None:
    """Another process writes the row of the picture, or removes it."""
    with sqlite3.connect(_database(world)) as other:
        (text,) = other.execute("SELECT value FROM Cache").fetchone()
        if changes:
            text = json.dumps({**json.loads(text), **changes})
            other.execute("UPDATE Cache SET value = ?", (text,))
        else:
            other.execute("DELETE FROM Cache")
    other.close()


def _changed_during(kind: str, answer: Any, **changes: Any) -> Callable[[World], None]:
    def happens(world: World) -> None:
        def answered(_: Any) -> Answer:
            _row(world, **changes)
            return answer

        setattr(world.service, kind, answered)

    return happens


OTHERS = {"stage": "accepted", "task_id": "task_9", "idempotency_key": "another", "run": ""}
PICTURE = Answer(body=picture())
ROW_STAYS = replace(MADE, stage=Stage.ACCEPTED, is_let_go=False)
INTENT_STAYS = replace(MADE, stage=Stage.INTENT, is_let_go=False)

OPENING = [
    Cell("locked at opening", both(_impatient, _known, _locked), NOT_BEGUN, "", OPENED),
    Cell("damaged at opening", _damaged, NOT_BEGUN, "", OPENED),
    Cell("too little memory at opening", _lacks("__init__"), NOT_BEGUN, "", f"{LACKED}not enough memory; …"),
    *[
        Cell(
            f"no locks ({kind})",
            _without_locks(kind),
            NOT_BEGUN,
            "",
            "'…/.journal/runs' lies on a file system without …",
        )
        for kind in ("flock", "lockf")
    ],
    Cell("a folder for the database", _folder_for_database, NOT_BEGUN, "", OPENED),
]

CLAIM = [
    Cell("locked at the claim", _lock_at_claim, REFUSED, "", USED.format("another program has locked it")),
    Cell("too little memory at the claim", _lacks("add"), REFUSED, "", USED.format("not enough memory; …")),
    Cell("full at the claim", _broken("add", FULL), REFUSED, "", USED.format(FULL)),
    Cell("read-only at the claim", _broken("add", READ_ONLY), REFUSED, "", USED.format(READ_ONLY)),
]

LATER = [
    Cell("locked from the submit on", _lock_during("submit", accepts("task_1")), INTENT_STAYS, ASKED),
    Cell("full from the submit on", both(_broken("set", FULL), _broken("delete", FULL)), INTENT_STAYS, ASKED),
    Cell("too little memory at the task's id", _lacks("set"), MADE, ASKED),
    Cell("full at the task's id", _broken("set", FULL), MADE, ASKED),
    Cell("read-only at the task's id", _broken("set", READ_ONLY), MADE, ASKED),
    Cell("locked at the end", _lock_during("download", PICTURE), ROW_STAYS, ASKED),
    Cell("full at the end", _broken("delete", FULL), ROW_STAYS, ASKED),
    Cell(
        "full at the task's id, and no picture",
        both(_broken("set", FULL), at("download", Answer(500), stays=True)),
        replace(LEFT, state=UNKNOWN.state, stage=Stage.INTENT, is_let_go=False, then="leaves"),
        "submit batch poll×4 download×6",
        "the image link does not work (HTTP 500); the journal cannot be written, and the next run may not know of it: "
        "note its task task_1",
    ),
    Cell(
        "full at an unknown outcome",
        both(_broken("set", FULL), at("submit", Answer(vanish=True))),
        replace(UNKNOWN, stage=Stage.INTENT, is_let_go=False),
        "submit",
        "submitted …: …broke the connection…",
    ),
]

EARLIER = [
    Cell("in flight in an earlier journal", _earlier, MADE, "batch download"),
    Cell(
        "damaged in an earlier journal",
        _earlier_damaged,
        replace(NOT_BEGUN, state=State.IN_FLIGHT, charged=1, then="collects"),
        "",
        "the journal '…/.cache/journal' cannot be opened (…); nothing was submitted. …",
    ),
]

CHANGED = [
    Cell("the row is gone after the submit", _changed_during("submit", accepts("task_1")), MADE, ASKED),
    Cell("the row is another's after the submit", _changed_during("submit", accepts("task_1"), **OTHERS), MADE, ASKED),
    Cell("the row is nonsense after the submit", _changed_during("submit", accepts("task_1"), stage="x"), MADE, ASKED),
    Cell("the row is gone at the end", _changed_during("download", PICTURE), MADE, ASKED),
    Cell(
        "the row is another's at the end",
        _changed_during("download", PICTURE, **OTHERS),
        replace(ROW_STAYS, is_let_go=True),
        ASKED,
    ),
    Cell(
        "the row is another's when there is no picture",
        both(at("download", Answer(404), stays=True), _changed_during("poll", Answer(500), **OTHERS)),
        LEFT,
        "submit batch poll×n download×n",
        "…",
    ),
]

CELLS = [*OPENING, *CLAIM, *LATER, *EARLIER, *CHANGED]
