"""A picture that is in flight or stored in another store of the project: collected or named, not paid again."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import threading
import time

import harness
import pytest
import yaml
from factories import put
from scripted_service import KEY
from sites import FAST, Site, block

from mkdocs_gptimage.errors import ConfigurationError, MissingPicturesError
from mkdocs_gptimage.imagefile.sniff import LFS_POINTER
from mkdocs_gptimage.journal import journal as journal_module
from mkdocs_gptimage.journal.journal import Journal, connect, open_journal, read_submissions
from mkdocs_gptimage.journal.roots import leave_root
from mkdocs_gptimage.journal.submission import Stage, Submission
from mkdocs_gptimage.owned_folder import claim_folder
from mkdocs_gptimage.plan import other_stores
from mkdocs_gptimage.plan.other_stores import note_store
from mkdocs_gptimage.plan.states import State
from mkdocs_gptimage.settings import EMULATOR
from mkdocs_gptimage.spec.model import ImageSpec
from mkdocs_gptimage.store.store import Store

ENV = {"APIMASTER_API_KEY": KEY}
CAT, OLD = ImageSpec("a cat"), ImageSpec("no page asks for it")


def configure(site, service, **options):
    site.configure(gptimage={"api": {"base_url": service.base_url, **FAST}, **options})


def leave(store, service, *specs, **changes):
    """Leave submissions in the journal of a store, as a run that was killed does."""
    with open_journal(store / ".journal") as journal:
        for spec in specs:
            common = {"idempotency_key": f"key-{spec.digest}", "submitted_at": time.time(), "request": spec.canonical}
            row = {"stage": Stage.ACCEPTED, "base_url": service.base_url, "task_id": f"task-{spec.digest.short}"}
            journal.write(Submission(spec.digest, **{**row, **common, **changes}))


def stored(folder):
    return {path.stem for path in folder.glob("??/*.json")}


@pytest.fixture
def site(service, tmp_path):
    """A site whose only picture is in flight for its store `gptimage`, in a run that was killed."""
    made = Site(tmp_path / "project")
    made.root.mkdir()
    made.write({"index.md": block(prompt=CAT.prompt)})
    configure(made, service)
    leave(made.store, service, CAT)
    return made


@pytest.fixture
def moved(service, tmp_path, monkeypatch):
    """A site in this process that uses the store `new`, and has used `old`, where a picture is in flight."""
    settings = harness.settings(tmp_path, service.base_url, store=tmp_path / "new")
    leave(tmp_path / "old", service, CAT)
    leave_root(tmp_path / "old", settings.origin, [CAT.digest], is_whole=True)
    with harness.fast_production(monkeypatch):
        yield harness.Site(settings, harness.catalog(CAT))


@pytest.mark.parametrize("store", ["pictures", "deep/er/pictures", "../outside"])
@pytest.mark.parametrize("clears_cache", [False, True])
def test_an_option_that_changed_costs_nothing(service, site, store, clears_cache):
    """What is in flight for the former store is shown by a plan, and comes into the new one for free."""
    configure(site, service, store=store)
    if clears_cache:
        shutil.rmtree(site.root / ".cache", ignore_errors=True)
    planned = site.gptimage("plan")
    built = site.build(env=ENV)

    assert "in flight" in planned.out
    assert built.code == 0, built.err
    assert "1 picture in flight taken along from the store" in built.err
    assert service.of("submit") == []
    assert stored(site.root / store) == {CAT.digest}


def test_a_former_store_outside_the_project_is_remembered(service, moved):
    """The cache has a note of the stores that a site has used, wherever they lie."""
    folder = moved.settings.project
    project = folder / "project"
    project.mkdir()
    settings = harness.settings(project, service.base_url, store=folder / "old")
    note_store(settings)
    site = harness.Site(harness.settings(project, service.base_url), harness.catalog(CAT))

    assert site.states() == [State.IN_FLIGHT]
    assert site.run().problems == []
    assert service.of("submit") == []


@pytest.mark.parametrize("note", ["{", "[1, null]", '["\\u0000", "/", "relative"]', "[" * 9999])
def test_a_planted_note_is_harmless(moved, note):
    """A note in the cache that no run has written hinders nothing."""
    claim_folder(moved.settings.cache)
    (moved.settings.cache / "stores.json").write_text(note)

    assert moved.run().problems == []


def test_a_block_that_moves_to_another_configuration(service, site):
    """Two configurations with stores of their own collect the same task, each for itself, and both for free."""
    german = {"site_name": "Deutsch", "docs_dir": "docs", "site_dir": "site_de"}
    german["plugins"] = [{"gptimage": {"store": "bilder", "api": {"base_url": service.base_url, **FAST}}}]
    (site.root / "mkdocs.de.yml").write_text(yaml.safe_dump(german))
    first, second = site.build("-f", "mkdocs.de.yml", env=ENV), site.build(env=ENV)

    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert service.of("submit") == []
    assert stored(site.root / "bilder") == stored(site.store) == {CAT.digest}


def test_another_work_tree_of_the_repository(service, site, tmp_path):
    """What is in flight in one work tree of a repository is collected in another."""
    git = ["git", "-c", "user.name=n", "-c", "user.email=e", "-C", site.root]
    for arguments in (["init", "-q"], ["add", "docs", "mkdocs.yml"], ["commit", "-qm", "m"]):
        subprocess.run([*git, *arguments], check=True)
    subprocess.run([*git, "worktree", "add", "-q", "-b", "other", tmp_path / "other"], check=True)
    built = Site(tmp_path / "other").build(env=ENV)

    assert built.code == 0, built.err
    assert service.of("submit") == []
    assert stored(tmp_path / "other/gptimage") == {CAT.digest}


def test_all_of_a_former_store_is_taken_along(service, moved):
    """A picture that no page asks for any more is collected too, and nothing stays behind in the former store."""
    leave(moved.settings.project / "old", service, OLD)

    assert moved.run().problems == []
    assert stored(moved.settings.store) == {CAT.digest, OLD.digest}
    assert read_submissions(moved.settings.project / "old/.journal") == {}


def test_an_outcome_unknown_elsewhere_stays_unknown(service, moved):
    """A submit whose outcome is unknown is not repeated because the store has changed."""
    leave(moved.settings.project / "old", service, CAT, stage=Stage.UNKNOWN, task_id=None)
    moved.run()

    assert moved.states() == [State.UNKNOWN]
    assert service.requests == []


@pytest.mark.parametrize("moment", ["claim", "forget"])
def test_a_kill_on_the_way_costs_nothing(service, moved, moment):
    """Killed before or after it was written to its new place, a submission is collected once and paid for once."""
    child = os.fork()
    if child == 0:
        setattr(Journal, moment, lambda *_: os._exit(9))
        moved.run()
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9

    assert moved.run().problems == []
    assert service.of("submit") == []
    assert len(service.of("download")) == 1


@pytest.mark.parametrize("ending", ["accepted", "refused"])
def test_a_run_that_is_about_to_submit_elsewhere_is_waited_for(service, moved, ending):
    """A picture that a run submits for another store just now is collected when it is accepted, never submitted too."""
    old = moved.settings.project / "old"

    def end():
        if ending == "accepted":
            leave(old, service, CAT)
        else:
            with connect(old / ".journal") as journal:
                journal.forget(journal.read(CAT.digest))

    with open_journal(old / ".journal") as journal:
        leave(old, service, CAT, stage=Stage.INTENT, task_id=None, run=journal.run)
        states = moved.states()
        timer = threading.Timer(0.3, end)
        timer.start()
        problems = moved.run().problems
        timer.join()

    assert states == [State.LEASED]
    assert service.of("submit") == []
    assert len(problems) == (ending == "refused")


def without_journal(store):
    shutil.rmtree(store / ".journal")


def as_a_pointer(store):
    next(store.glob("??/*.png")).write_bytes(LFS_POINTER + b"\n")


@pytest.mark.parametrize("change", [lambda _: None, without_journal, as_a_pointer])
def test_a_picture_that_another_store_has_is_named(service, moved, change):
    """A picture that lies in a former store is not paid for again, and the store is named, whatever its state."""
    moved.pictures = harness.catalog(OLD)
    put(Store(moved.settings.project / "old"), OLD)
    change(moved.settings.project / "old")
    with pytest.raises(MissingPicturesError, match=r"1 picture of the store .*/old'; nothing was submitted"):
        moved.run()

    assert service.of("submit") == []


def test_a_journal_elsewhere_that_cannot_be_read_is_named(service, moved):
    """Where it cannot be known what is in flight for a former store, nothing is paid, and the journal is named."""
    database = moved.settings.project / "old/.journal/journal/cache.db"
    database.write_bytes(b"x" * 4096)
    with pytest.raises(ConfigurationError, match=r"old/\.journal/journal' cannot be opened"):
        moved.run()

    assert service.of("submit") == []


def test_a_journal_of_another_user_is_named(service, moved, monkeypatch):
    """A former store whose journal this user may not look into is not taken for one without a journal."""

    def look(path):
        if "old" in path.parts:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))
        return os.lstat(path)

    monkeypatch.setattr(other_stores, "stat_regular_file", look)
    monkeypatch.setattr(journal_module, "stat_regular_file", look)
    with pytest.raises(ConfigurationError, match=r"old/\.journal/journal' cannot be opened \(.*Permission denied"):
        moved.run()

    assert service.of("submit") == []


def test_giving_up_works_for_another_store_too(service, site):
    """`gptimage forget` gives up what is in flight for a former store."""
    configure(site, service, store="pictures")
    given_up = site.gptimage("forget", "--yes", CAT.digest.short)
    planned = site.gptimage("plan")

    assert given_up.code == 0, given_up.err
    assert "missing" in planned.out or "new" in planned.out


@pytest.mark.parametrize(
    ("option", "folder"),
    [
        ("Gr\u00f6\u00dfe", "Gro\u0308\u00dfe"),
        ("Gro\u0308\u00dfe", "Gr\u00f6\u00dfe"),
        ("my%20pictures", "my pictures"),
        ("../all%20of/us", "../all of/us"),
    ],
)
def test_a_store_is_found_by_another_spelling(service, site, option, folder):
    """A store whose name is spelt in another Unicode form, or as in a URL, is the one that is there, and not empty."""
    (site.root / folder).parent.mkdir(exist_ok=True)
    put(Store(site.root / folder), CAT)
    configure(site, service, store=option)
    built = site.build(env=ENV)

    assert built.code == 0, built.err
    assert service.requests == []
    assert not (site.root / option).exists()


def test_a_trial_does_not_hide_what_is_in_flight_elsewhere(service, moved):
    """What a killed trial with the emulator left in the journal does not hide the same picture of the former store."""
    leave(moved.settings.store, service, CAT, base_url=EMULATOR)

    assert moved.states() == [State.IN_FLIGHT]
    assert moved.run().problems == []
    assert service.of("submit") == []


def test_a_site_that_moves_into_a_subfolder(service, site):
    """Pictures of the store that was left behind are not paid for again, in flight or stored."""
    site.write({"other.md": block(prompt="a dog")})
    put(Store(site.store), ImageSpec("a dog"))
    inner = Site(site.root / "website")
    inner.root.mkdir()
    for name in ("mkdocs.yml", "docs"):
        (site.root / name).rename(inner.root / name)
    done = inner.gptimage("generate", env=ENV)

    assert done.code == 1
    assert f"are in another folder, '{site.store}'; nothing was submitted" in done.err.replace(" is in", " are in")
    assert inner.gptimage("plan").code == 1
    assert service.of("submit") == []


@pytest.mark.parametrize("folder", [".pictures", ".assets/pictures"])
def test_a_hidden_store_is_found(service, moved, folder):
    """What is in flight for a store in a hidden folder of the project is found without the cache's note, too."""
    moved.pictures = harness.catalog(OLD)
    leave(moved.settings.project / folder, service, OLD)

    assert moved.states() == [State.IN_FLIGHT]


def test_what_is_in_flight_stays_in_a_former_store_in_use(service, moved):
    """While a run is alive over the former store, what is in flight there is collected and not taken away from it."""
    old = moved.settings.project / "old/.journal"
    with open_journal(old):
        assert moved.run().problems == []

    assert service.of("submit") == []
    assert set(read_submissions(old)) == {CAT.digest}
