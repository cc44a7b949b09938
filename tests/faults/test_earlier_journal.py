"""The journal that an earlier version left in the cache folder: each submission goes to its own store."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import shutil
import sqlite3
import time

import harness
import pytest
import yaml
from scripted_service import KEY
from sites import FAST, Site, block

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.generate.earlier import take_along
from mkdocs_gptimage.journal.journal import Journal, open_journal, read_submissions
from mkdocs_gptimage.journal.lease import hold_lease
from mkdocs_gptimage.journal.submission import Stage, Submission
from mkdocs_gptimage.plan.states import State
from mkdocs_gptimage.spec.model import ImageSpec

ENV = {"APIMASTER_API_KEY": KEY}


@pytest.fixture
def site(tmp_path, service, monkeypatch):
    """A site whose earlier journal has a picture in flight; runs take fast time."""
    made = harness.Site(harness.settings(tmp_path, service.base_url), harness.catalog("a"))
    leave(made.settings.cache, service, "a")
    with harness.fast_production(monkeypatch):
        yield made


def leave(cache, service, *prompts, **changes):
    """Leave submissions where an earlier version did."""
    with open_journal(cache) as journal:
        for prompt in prompts:
            spec = ImageSpec(prompt)
            common = {"idempotency_key": f"key-{prompt}", "submitted_at": time.time(), "task_id": f"task-{prompt}"}
            row = {"base_url": service.base_url, "request": spec.canonical, "run": "1-0123456789abcdef", **common}
            journal.write(Submission(spec.digest, **{"stage": Stage.ACCEPTED, **row, **changes}))


def test_what_was_in_flight_is_taken_along(service, site, caplog):
    """A plan shows it where it is, and the next run moves it to the store's journal, collects it and pays nothing."""
    caplog.set_level(logging.INFO)
    before = site.plan()
    problems = site.run().problems

    assert [row.state for row in before.rows] == [State.IN_FLIGHT]
    assert problems == []
    assert service.of("submit") == []
    assert "1 picture in flight moved from" in caplog.text
    assert not (site.settings.cache / "journal").exists()
    assert not (site.settings.cache / "runs").exists()


def test_one_that_is_unknown_stays_unknown(service, site):
    """A submit whose outcome an earlier version did not know is not repeated because the journal has moved."""
    leave(site.settings.cache, service, "a", stage=Stage.UNKNOWN, task_id=None)
    site.run()

    assert service.requests == []
    assert site.states() == [State.UNKNOWN]
    site.pictures = harness.catalog("a", "b")
    site.run()
    assert [row.state for row in site.plan().all_rows] == [State.UNKNOWN, State.CACHED]
    assert len(service.of("submit")) == 1


def test_one_that_comes_back_costs_nothing(service, site, caplog):
    """An earlier journal restored after its picture was collected is dropped with a line, and pays nothing."""
    kept = site.settings.project / "kept"
    shutil.copytree(site.settings.cache / "journal", kept)
    site.run()
    downloads = len(service.of("download"))
    caplog.set_level(logging.INFO)
    shutil.copytree(kept, site.settings.cache / "journal")
    again = site.run()

    assert again.problems == []
    assert (service.of("submit"), len(service.of("download"))) == ([], downloads)
    assert "1 picture of the journal is in the store already, so nothing is paid" in caplog.text
    assert not (site.settings.cache / "journal").exists()


def test_the_journal_of_the_store_that_comes_back_says_so(service, site, caplog):
    """A journal of the store from an earlier day says that its pictures are there, and pays nothing for them."""
    site.run()
    leave(site.settings.journal, service, "a")
    caplog.set_level(logging.INFO)
    site.pictures = harness.catalog("a", "b")
    site.run()

    assert "1 picture of the journal is in the store already, so nothing is paid" in caplog.text
    assert len(service.of("submit")) == 1
    assert site.submissions() == {}


@pytest.mark.parametrize("moment", ["claim", "forget"])
def test_a_kill_during_the_move_costs_nothing(service, site, moment):
    """Killed before or after it was written to its new place, a submission is collected once and paid for once."""
    child = os.fork()
    if child == 0:
        setattr(Journal, moment, lambda *_: os._exit(9))
        site.run()
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 9
    in_both = read_submissions(site.settings.cache), site.submissions()
    problems = site.run().problems

    assert [len(each) for each in in_both] == [1, int(moment == "forget")]
    assert problems == []
    assert service.of("submit") == []
    assert len(service.of("download")) == 1
    assert site.submissions() == {}
    assert not (site.settings.cache / "journal").exists()


def test_another_submission_for_the_picture_stays(service, site):
    """An earlier submission beside a newer one for the same picture is kept until the picture is stored."""
    newer = dataclasses.replace(read_submissions(site.settings.cache)[site.digests[0]], idempotency_key="newer")
    with open_journal(site.settings.journal) as journal:
        journal.write(dataclasses.replace(newer, task_id="task-newer"))
    problems = site.run().problems
    polled = {each for request in service.of("batch") for each in request.json["task_ids"]}
    left = read_submissions(site.settings.cache)
    site.run()

    assert problems == []
    assert polled == {"task-newer"}
    assert len(left) == 1
    assert read_submissions(site.settings.cache) == {}
    assert service.of("submit") == []


def test_a_run_of_an_earlier_version_is_not_overtaken(service, site):
    """While an earlier version builds over the same cache, a plan says so, and a run ends before it pays."""
    with hold_lease(site.settings.cache) as run:
        leave(site.settings.cache, service, "a", run=run)
        states = site.states()
        with pytest.raises(ConfigurationError, match=r"an earlier version .* is building here .*nothing was submitted"):
            site.run()

    assert states == [State.LEASED]
    assert service.requests == []
    assert site.run().problems == []


def test_a_picture_that_no_page_asks_for_is_taken_along(service, site):
    """What only the earlier journal knows is collected too, where no other configuration shares the cache."""
    site.pictures = harness.catalog("b")
    assert site.run().problems == []

    assert len(service.of("submit")) == 1
    assert site.store.entry(ImageSpec("a").digest) is not None


def test_a_database_of_others_is_left_alone(service, tmp_path):
    """A folder `journal` that no version of the plugin made is neither changed nor deleted."""
    site = harness.Site(harness.settings(tmp_path, service.base_url, cache=tmp_path / "tools"), harness.catalog("a"))
    (tmp_path / "tools/journal").mkdir(parents=True)
    (tmp_path / "tools/runs").mkdir()
    (tmp_path / "tools/runs/poetry.lock").write_text("x")
    with contextlib.closing(sqlite3.connect(tmp_path / "tools/journal/cache.db")) as database:
        database.execute("CREATE TABLE mine (x)")
    before = (tmp_path / "tools/journal/cache.db").read_bytes()
    site.plan()
    take_along(site.plan(), site.workspace)

    assert (tmp_path / "tools/journal/cache.db").read_bytes() == before
    assert (tmp_path / "tools/runs/poetry.lock").exists()


@pytest.fixture
def languages(tmp_path, service):
    """Two configurations in one folder, with stores of their own and one cache."""
    made = Site(tmp_path)
    api = {"api": {"base_url": service.base_url, **FAST}}
    made.configure(gptimage=api)
    made.write({"index.md": block(prompt="a cat")})
    (tmp_path / "de").mkdir()
    (tmp_path / "de/index.md").write_text(block(prompt="eine Katze"))
    german = {"site_name": "Deutsch", "docs_dir": "de", "site_dir": "site_de"}
    german["plugins"] = [{"gptimage": {"store": "bilder", **api}}]
    (tmp_path / "mkdocs.de.yml").write_text(yaml.safe_dump(german))
    return made


def test_two_configurations_take_what_is_theirs(service, languages):
    """A journal that two configurations shared gives each of them its own, also what no page asks for any more."""
    leave(languages.root / ".cache/gptimage", service, "a cat", "eine Katze", "no page asks for it")
    english = languages.build(env=ENV)
    left = read_submissions(languages.root / ".cache/gptimage")
    german = languages.build("-f", "mkdocs.de.yml", env=ENV)

    assert (english.code, german.code) == (0, 0), english.err + german.err
    assert service.of("submit") == []
    assert set(left) == {ImageSpec("eine Katze").digest, ImageSpec("no page asks for it").digest}
    assert {path.stem for path in languages.store.glob("??/*.json")} == {ImageSpec("a cat").digest}
    assert {path.stem for path in (languages.root / "bilder").glob("??/*.json")} == {ImageSpec("eine Katze").digest}
    assert set(read_submissions(languages.root / ".cache/gptimage")) == {ImageSpec("no page asks for it").digest}


def test_two_configurations_share_nothing_in_flight(service, languages):
    """What one configuration has in flight is neither shown nor collected by the other, which shares only the cache."""
    leave(languages.store / ".journal", service, "a cat")
    german = languages.gptimage("generate", "-f", "mkdocs.de.yml", env=ENV)
    english = languages.gptimage("generate", env=ENV)

    assert (german.code, english.code) == (0, 0), german.err + english.err
    assert len(service.of("submit")) == 1
    assert {path.stem for path in languages.store.glob("??/*.json")} == {ImageSpec("a cat").digest}
    assert {path.stem for path in (languages.root / "bilder").glob("??/*.json")} == {ImageSpec("eine Katze").digest}
