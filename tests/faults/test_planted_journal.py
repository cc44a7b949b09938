"""A journal's database with more in it than diskcache makes: refused by name, nothing of it run, nothing lost."""

from __future__ import annotations

import contextlib
import shlex
import sqlite3
import time

import harness
import pytest

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.journal.journal import open_journal, read_submissions
from mkdocs_gptimage.journal.submission import Stage, Submission
from mkdocs_gptimage.plan.states import State
from mkdocs_gptimage.spec.model import ImageSpec

CAT = ImageSpec("a cat")
EVIL = "BEGIN DELETE FROM Cache; END"
PLANTED = {
    "trigger on settings": (f"CREATE TRIGGER evil AFTER UPDATE ON Settings {EVIL}", "trigger 'evil'"),
    "trigger on rows": (f"CREATE TRIGGER evil AFTER INSERT ON Cache {EVIL}", "trigger 'evil'"),
    "trigger in place of the library's": (
        f"DROP TRIGGER Settings_count_insert; CREATE TRIGGER Settings_count_insert AFTER INSERT ON Cache {EVIL}",
        "trigger 'Settings_count_insert'",
    ),
    "view": ("CREATE VIEW evil AS SELECT * FROM Cache", "view 'evil'"),
    "table": ("CREATE TABLE evil (x)", "table 'evil'"),
    "index": ("CREATE INDEX evil ON Cache (abs(key))", "index 'evil'"),
    "name like a command": ('CREATE VIEW "x; rm -rf $HOME" AS SELECT 1', "view 'x; rm -rf $HOME'"),
    "setting of the disk": ("INSERT INTO Settings VALUES ('disk_foo', 1)", "setting 'disk_foo'"),
    "setting of SQLite": (
        "INSERT INTO Settings VALUES ('sqlite_writable_schema', 1)",
        "setting 'sqlite_writable_schema'",
    ),
    "setting of another type": ("UPDATE Settings SET value = 'x' WHERE key = 'count'", "setting 'count'"),
    "setting that was changed": ("UPDATE Settings SET value = 1 WHERE key = 'size_limit'", "setting 'size_limit'"),
    "setting that evicts": (
        "UPDATE Settings SET value = 'least-recently-used' WHERE key = 'eviction_policy'",
        "setting 'eviction_policy'",
    ),
}


@pytest.fixture
def site(tmp_path, service, monkeypatch):
    """A site with a picture in flight and one that is missing."""
    made = harness.Site(harness.settings(tmp_path, service.base_url), harness.catalog(CAT, "a dog"))
    with open_journal(made.settings.journal) as journal:
        common = {"idempotency_key": "key", "submitted_at": time.time(), "task_id": "task-1"}
        journal.write(Submission(CAT.digest, Stage.ACCEPTED, service.base_url, request=CAT.canonical, **common))
    with harness.fast_production(monkeypatch):
        yield made


def database_of(site):
    return site.settings.journal / "journal/cache.db"


@pytest.mark.parametrize("case", PLANTED)
def test_what_the_library_does_not_make_is_refused(service, site, case):
    """What was planted is named, the plan still has what is in flight, and nothing is submitted or run."""
    statements, named = PLANTED[case]
    with contextlib.closing(sqlite3.connect(database_of(site))) as database:
        database.executescript(statements)
    states = site.states()
    with pytest.raises(ConfigurationError) as caught:
        site.run()

    assert named in str(caught.value)
    assert "nothing was submitted. What is in flight is still in it" in str(caught.value)
    assert states == [State.IN_FLIGHT, State.MISSING]
    assert set(read_submissions(site.settings.journal)) == {CAT.digest}
    assert service.requests == []


@pytest.mark.parametrize("case", ["trigger on settings", "view", "setting of the disk", "setting that evicts"])
def test_the_command_that_is_told_mends_it(service, site, case):
    """The command that a refusal ends with removes what was planted, and what was in flight is collected."""
    with contextlib.closing(sqlite3.connect(database_of(site))) as database:
        database.executescript(PLANTED[case][0])
    with pytest.raises(ConfigurationError) as caught:
        site.run()
    program, path, statement = shlex.split(str(caught.value).partition("remove it with: ")[2])
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(statement)

    assert program == "sqlite3"
    assert site.run().problems == []
    assert [request.json["prompt"] for request in service.of("submit")] == ["a dog"]


def test_the_rows_are_in_no_command(site):
    """A table of rows that was changed is refused without a command that would delete what is in flight."""
    with contextlib.closing(sqlite3.connect(database_of(site))) as database:
        database.executescript("ALTER TABLE Cache ADD COLUMN more")
    with pytest.raises(ConfigurationError, match="table 'Cache'") as caught:
        site.run()

    assert "DROP" not in str(caught.value)


def test_a_name_that_could_steer_a_shell_is_in_no_command(site):
    """What would be copied into a shell never holds a planted name that is more than letters."""
    with contextlib.closing(sqlite3.connect(database_of(site))) as database:
        database.executescript(PLANTED["name like a command"][0])
    with pytest.raises(ConfigurationError) as caught:
        site.run()

    assert "sqlite3 " not in str(caught.value)


def test_a_virtual_table_is_not_read(site):
    """Rows that code would make up are not read at all."""
    with contextlib.closing(sqlite3.connect(database_of(site))) as database:
        database.executescript("DROP TABLE Cache; CREATE VIRTUAL TABLE Cache USING fts4(key, value, mode)")
    with pytest.raises(ConfigurationError, match="virtual"):
        site.plan()
