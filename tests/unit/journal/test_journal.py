"""The journal: durable before money moves, deaf to planted rows, clear when it is broken."""

from __future__ import annotations

import json
import pickle
import sqlite3
import threading
from dataclasses import asdict, replace
from pathlib import Path

import diskcache
import harness
import pytest
import scripted_service as gateways
from scripted_service import accepts

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.journal import journal
from mkdocs_gptimage.journal.journal import open_journal, read_submissions
from mkdocs_gptimage.journal.submission import Stage, Submission
from mkdocs_gptimage.owned_folder import make_subfolder

SUBMISSION = Submission("ab" * 32, Stage.INTENT, "https://api.example/v1", "key-1", 1000.5, where="docs/ä.md:1")
ACCEPTED = replace(SUBMISSION, stage=Stage.ACCEPTED, task_id="task_1")


def insert(cache, key, value, *, mode=1, raw=1, filename=None):  # noqa: PLR0913 - the columns of a row
    """Plant a row in the database, past all of our code."""
    with open_journal(cache):
        pass
    connection = sqlite3.connect(cache / "journal" / "cache.db")
    with connection:
        connection.execute(
            "INSERT INTO Cache(key, raw, store_time, expire_time, access_time, access_count, tag, size, mode, filename,"
            " value) VALUES (?, ?, 0, NULL, 0, 0, NULL, 0, ?, ?, ?)",
            (key, raw, mode, filename, value),
        )
    connection.close()


@pytest.mark.parametrize(
    "submission",
    [
        SUBMISSION,
        ACCEPTED,
        replace(SUBMISSION, stage=Stage.ACCEPTED, link="https://img.example/a.png?x=1"),
        replace(SUBMISSION, stage=Stage.UNKNOWN, reason="HTTP 500: „bumm“"),
    ],
)
def test_submissions_round_trip(tmp_path, submission):
    """What is written is what a later run reads."""
    with open_journal(tmp_path) as opened:
        opened.write(submission)

    assert read_submissions(tmp_path) == {submission.digest: submission}


def test_no_journal_means_no_submissions(tmp_path):
    """Asking for submissions where there is no journal creates none."""
    assert read_submissions(tmp_path / "cache") == {}
    assert list(tmp_path.iterdir()) == []


def test_the_cache_is_not_committed(tmp_path):
    """The folder of the journal brings a .gitignore of its own."""
    with open_journal(tmp_path / "a" / "cache"):
        pass

    assert (tmp_path / "a" / "cache" / ".gitignore").read_text() == "*\n"


def test_only_one_claim_succeeds(tmp_path):
    """Of many that claim a picture at the same time, in connections of their own, one gets it."""
    won = []

    def claim(number):
        with open_journal(tmp_path) as opened:
            barrier.wait()
            won.append(opened.claim(replace(SUBMISSION, idempotency_key=str(number))))

    barrier = threading.Barrier(6)
    with open_journal(tmp_path):
        threads = [threading.Thread(target=claim, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sorted(won) == [False] * 5 + [True]


def test_forgetting_spares_a_later_submission(tmp_path):
    """A run that is done with its submission does not remove the one of another run."""
    later = replace(SUBMISSION, idempotency_key="key-2")
    with open_journal(tmp_path) as opened:
        opened.write(later)
        opened.forget(SUBMISSION)
        kept = opened.submissions()
        opened.forget(replace(later, stage=Stage.ACCEPTED))

        assert kept == {later.digest: later}
        assert opened.submissions() == {}


def test_an_intent_is_durable_before_the_submit_leaves(tmp_path):
    """When the service reads a submit, another process finds its intent in the journal."""
    seen = []
    with gateways.serving() as service:
        site = harness.Site(harness.settings(tmp_path, service.base_url), harness.catalog("a cat"))

        def submit(request):
            seen.extend((submission, request) for submission in site.submissions().values())
            return accepts("t1")

        service.submit = submit
        site.generate()
    submission, request = seen[0]

    assert submission.stage is Stage.INTENT
    assert submission.digest == site.digests[0]
    assert submission.idempotency_key == request.headers["idempotency-key"]
    assert submission.where == "docs/index.md:1"


def test_writes_survive_a_loss_of_power(tmp_path):
    """SQLite waits for the disk before a write that decides about money returns."""
    with open_journal(tmp_path) as opened:
        later = replace(SUBMISSION, reason="later")
        for write in (opened.claim, opened.write, lambda submission: opened.replace(submission, later)):
            opened.submissions()
            write(SUBMISSION)
            ((level,),) = opened._cache._sql("PRAGMA synchronous").fetchall()

            assert level == 2


class Planted:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("mode", [1, 2, 3, 4])
@pytest.mark.parametrize("raw", [0, 1])
def test_a_planted_pickle_runs_nothing(tmp_path, mode, raw):
    """A row that claims to be a pickle, as key or value, is not believed and does not hide the others."""
    proof = tmp_path / "proof"
    planted = pickle.dumps(Planted(proof))
    with open_journal(tmp_path / "cache") as opened:
        opened.write(ACCEPTED)
    insert(tmp_path / "cache", "cd" * 32, planted, mode=mode, raw=raw)
    insert(tmp_path / "cache", planted, planted, mode=mode, raw=raw)
    found = read_submissions(tmp_path / "cache")

    assert found.pop(ACCEPTED.digest) == ACCEPTED
    assert {submission.stage for submission in found.values()} <= {Stage.UNKNOWN}
    assert not proof.exists()
    pickle.loads(planted)
    assert proof.exists()


def test_a_planted_file_name_deletes_nothing(tmp_path):
    """A row that names a file elsewhere can be overwritten and removed without touching that file."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    insert(tmp_path / "cache", SUBMISSION.digest, "x", mode=2, filename="../../victim")
    with open_journal(tmp_path / "cache") as opened:
        opened.write(SUBMISSION)
        opened.forget(SUBMISSION)

    assert victim.read_text() == "precious"


GOOD = {**asdict(ACCEPTED), "stage": "accepted"}


def test_rows_of_others_are_passed_over(tmp_path):
    """A row that is not named by a digest is neither read nor an error."""
    for name in ("ef" * 31, "EF" * 32, "../" * 21 + "e", "", "x"):
        insert(tmp_path, name, json.dumps({**GOOD, "digest": name}))

    assert read_submissions(tmp_path) == {}


@pytest.mark.parametrize(
    "value",
    [
        "",
        "null",
        "[]",
        "{}",
        "[" * 100_000,
        *(
            json.dumps({**GOOD, **change})
            for change in (
                {"stage": "landed"},
                {"submitted_at": "now"},
                {"submitted_at": float("nan")},
                {"submitted_at": float("inf")},
                {"submitted_at": -1},
                {"submitted_at": True},
                {"task_id": 5},
                {"link": []},
                {"base_url": None},
                {"request": "a cat"},
                {"is_key_spent": "yes"},
                {"digest": "cd" * 32},
            )
        ),
    ],
)
def test_a_row_that_cannot_be_read_is_an_unknown_outcome(tmp_path, value):
    """A picture whose row is damaged may be paid for already: it is named, and not paid for again on its own."""
    with gateways.serving() as service:
        site = harness.Site(harness.settings(tmp_path, service.base_url), harness.catalog("a cat"))
        insert(site.settings.journal, site.digests[0], value)
        stopped = site.run()
        submits = len(service.requests)
        with harness.fast_production(pytest.MonkeyPatch()):
            retried = site.run(retry_unknown=True)

    assert submits == 0
    assert "its row in the journal cannot be read" in str(stopped.problems[0])
    assert retried.problems == []
    assert len(service.of("submit")) == 1


def test_fields_of_a_later_version_are_left_out(tmp_path):
    """A row that a later version has written is not taken for a damaged one."""
    insert(tmp_path, ACCEPTED.digest, json.dumps({**GOOD, "more": 1}))

    assert read_submissions(tmp_path) == {ACCEPTED.digest: ACCEPTED}


@pytest.mark.parametrize("damage", ["text", "header", "pages"])
def test_a_broken_database_is_reported_before_anything_is_paid(tmp_path, damage):
    """A journal that cannot be read ends the run with its path, and no submit leaves."""
    with gateways.serving() as service:
        site = harness.Site(harness.settings(tmp_path, service.base_url), harness.catalog("a cat"))
        with open_journal(site.settings.journal) as opened:
            for number in range(200):
                opened.write(replace(ACCEPTED, digest=f"{number:064}"))
        path = site.settings.journal / "journal" / "cache.db"
        data = path.read_bytes()
        damaged = {
            "text": b"not a database" * 500,
            "header": bytes(200) + data[200:],
            "pages": data[:4096] + b"\xff" * len(data),
        }
        path.write_bytes(damaged[damage])
        with pytest.raises(ConfigurationError, match="journal"):
            site.run()

    assert service.requests == []


def test_a_locked_journal_is_reported(tmp_path, monkeypatch):
    """Another process that holds the database for long is a clear error, not a crash."""
    monkeypatch.setattr(journal, "_LOCK_SECONDS", 0.05)
    with open_journal(tmp_path) as opened:
        holder = sqlite3.connect(tmp_path / "journal" / "cache.db", isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        for use in (opened.write, opened.claim, opened.forget):
            with pytest.raises(ConfigurationError, match="cannot be used"):
                use(SUBMISSION)
        holder.execute("ROLLBACK")
        holder.close()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are told by /proc")
def test_a_journal_that_cannot_be_opened_is_let_go(tmp_path, monkeypatch):
    """No connection stays open to a database that failed while it was opened."""

    def fail(*_, **__):
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(diskcache.Cache, "reset", fail)
    with pytest.raises(ConfigurationError, match="disk I/O error") as caught, open_journal(tmp_path):
        pass
    names = [str(each.resolve()) for each in Path("/proc/self/fd").iterdir()]

    assert caught.value.__traceback__ is not None
    assert [name for name in names if "cache.db" in name] == []


def test_a_database_that_computes_is_refused(tmp_path):
    """Eight kilobytes of a planted database must not become gigabytes of text."""
    database = make_subfolder(tmp_path, "journal") / "cache.db"
    with sqlite3.connect(database) as connection:
        computed = "TEXT GENERATED ALWAYS AS (printf('%.*c', 1000, 'x'))"
        connection.execute(f"CREATE TABLE Cache (rowid INTEGER PRIMARY KEY, key TEXT, mode INTEGER, value {computed})")
        connection.execute("INSERT INTO Cache(key, mode) VALUES ('x', 1)")
    connection.close()

    with pytest.raises(ConfigurationError, match="computed columns"):
        read_submissions(tmp_path)
    with pytest.raises(ConfigurationError, match="computed columns"), open_journal(tmp_path):
        pass


def test_a_path_with_a_variable_is_taken_literally_or_not_at_all(tmp_path, monkeypatch):
    """A store named like a variable must not write the variable's value, which may be a key, into a path."""
    monkeypatch.setenv("APIMASTER_API_KEY", "the-key")
    with pytest.raises(ConfigurationError, match="names a variable"), open_journal(tmp_path / "p$APIMASTER_API_KEY"):
        pass

    assert not (tmp_path / "pthe-key").exists()
