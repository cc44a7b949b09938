"""A journal that cannot be used: an error before anything is paid, and a warning where nothing can be."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import sqlite3
import subprocess

import harness
import pytest
from scripted_service import KEY, says, task
from sites import FAST, Site

from mkdocs_gptimage.journal.journal import open_journal
from mkdocs_gptimage.journal.submission import Stage, Submission
from mkdocs_gptimage.spec.digest import digest_of

PAGE = "```gpt-image\nprompt: an owl\n```\n"
BROKEN = "the journal '{cache}/journal' cannot be opened"


@pytest.fixture
def site(service, tmp_path):
    """A site with a picture in flight: its journal is worth something."""
    made = Site(tmp_path / "site of ours")
    made.root.mkdir()
    made.write({"index.md": PAGE})
    made.configure(gptimage={"api": {"base_url": service.base_url, "timeout": 0.5, **FAST}})
    finish = service.batch
    service.batch = lambda request: says({"data": [task(each, "processing") for each in request.json["task_ids"]]})
    left = made.build(env={"APIMASTER_API_KEY": KEY})
    assert "still in flight" in left.err, left.err
    service.batch = finish
    service.requests.clear()
    return made


def database(site):
    return site.root / "gptimage/.journal/journal/cache.db"


@contextlib.contextmanager
def damaged(site):
    database(site).write_bytes(b"not a database" * 500)
    yield


@contextlib.contextmanager
def a_folder(site):
    for path in database(site).parent.iterdir():
        path.unlink()
    database(site).mkdir()
    yield


@contextlib.contextmanager
def a_file_for_a_folder(site):
    for path in database(site).parent.iterdir():
        path.unlink()
    database(site).parent.rmdir()
    database(site).parent.touch()
    yield


@contextlib.contextmanager
def locked(site):
    holder = sqlite3.connect(database(site), isolation_level=None)
    holder.execute("PRAGMA journal_mode = delete")
    holder.execute("BEGIN EXCLUSIVE")
    yield
    holder.close()


@contextlib.contextmanager
def full(site):
    """A disk without room: a small file system over the journal."""
    folder = database(site).parent
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small file system")
    try:
        for name, data in kept.items():
            (folder / name).write_bytes(data)
        filler = os.open(folder / "filler", os.O_CREAT | os.O_WRONLY)
        with contextlib.suppress(OSError):
            while os.write(filler, b"x" * 4096):
                pass
        os.close(filler)
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


FAULTS = (damaged, a_folder, a_file_for_a_folder, locked, full)


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_paid_without_a_journal(service, site, fault):
    """A build that would pay ends with the journal's path, the reason and what to do, and sends no submit."""
    site.write({"other.md": "```gpt-image\nprompt: a fox\n```\n"})
    with fault(site):
        built = site.build(env={"APIMASTER_API_KEY": KEY})

    assert built.code == 1
    assert service.of("submit") == []
    assert str(site.root / "gptimage/.journal/journal") in built.err
    assert "nothing was submitted" in built.err
    assert "Traceback" not in built.err


@pytest.mark.parametrize("fault", FAULTS[:-1])
def test_a_site_of_cards_does_without_a_journal(service, site, fault):
    """A build that only shows cards warns, and goes on: it can lose nothing."""
    with fault(site):
        built = site.build()

    assert built.code == 0, built.err
    assert "WARNING -  the journal" in built.err
    assert "What is in flight is shown as missing" in built.err
    assert service.requests == []


def test_what_was_in_flight_is_collected_when_the_journal_is_back(service, site):
    """A journal that could not be used for a while has lost nothing: the next build collects without paying."""
    before = database(site).read_bytes()
    with damaged(site):
        assert site.build(env={"APIMASTER_API_KEY": KEY}).code == 1
    database(site).write_bytes(before)
    built = site.build(env={"APIMASTER_API_KEY": KEY})

    assert built.code == 0, built.err
    assert service.of("submit") == []
    assert len(list(site.store.rglob("*.png"))) == 1


def test_an_empty_database_is_begun_anew(service, site):
    """A journal of no bytes, which a crash at its birth or a full disk leaves, holds nothing and hinders nothing."""
    for path in database(site).parent.iterdir():
        path.unlink()
    database(site).touch()
    built = site.build(env={"APIMASTER_API_KEY": KEY})

    assert built.code == 0, built.err
    assert len(service.of("submit")) == 1


@pytest.mark.parametrize(("tasks", "longest"), [(64, 500), (8, 30_000)])
def test_a_disk_that_is_full_has_room_for_all_tasks(tmp_path, tasks, longest):
    """When the disk fills up while many submits are answered, or long ones, the journal still takes every task."""
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(tmp_path)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small file system")
    try:
        with open_journal(tmp_path / "journal", tasks, longest + 100) as opened:
            requests = [{"prompt": f"{number}{'x' * longest}"} for number in range(tasks)]
            intents = [Submission(digest_of(each), Stage.INTENT, "", "", 0.0, request=each) for each in requests]
            assert all(map(opened.claim, intents))
            filler = os.open(tmp_path / "filler", os.O_CREAT | os.O_WRONLY)
            with contextlib.suppress(OSError):
                while os.write(filler, b"x" * 4096):
                    pass
            os.close(filler)
            for intent in intents:
                opened.write(dataclasses.replace(intent, stage=Stage.ACCEPTED, task_id="t"))
            assert {each.task_id for each in opened.submissions().values()} == {"t"}
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize("loses", [shutil.rmtree, lambda folder: folder.rename(folder.with_name("old"))])
@pytest.mark.parametrize("is_restored", [False, True])
def test_a_journal_that_vanishes_ends_the_submits(service, tmp_path, monkeypatch, loses, is_restored):
    """A run whose journal is deleted, moved or restored meanwhile submits nothing more, and stores what it has."""
    made = harness.settings(tmp_path, service.base_url, api={"max_requests": 1})
    site = harness.Site(made, harness.catalog("an owl", "a fox", "a hare"))
    accept = service.submit

    def vanish(request):
        if made.journal.exists() and len(service.of("submit")) == 1:
            shutil.copytree(made.journal, tmp_path / "copy")
            loses(made.journal)
            if is_restored:
                (tmp_path / "copy").rename(made.journal)
        return accept(request)

    service.submit = vanish
    with harness.fast_production(monkeypatch):
        problems = site.run().problems

    assert len(service.of("submit")) == 1
    assert len(site.store.digests()) == 1
    assert [str(each).count("deleted or replaced") for each in problems] == [1, 1]
