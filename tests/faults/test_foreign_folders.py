"""Sites whose options and links lead to files of others: nothing that is not ours is written, opened or deleted."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING

import pytest
import scripted_service
from sites import FAST, Site, block

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.journal.journal import open_journal, read_submissions
from mkdocs_gptimage.journal.lease import hold_lease, is_held
from mkdocs_gptimage.owned_folder import MARKER, claim_folder, make_subfolder, sweep_parts
from mkdocs_gptimage.publish.link import PLACEHOLDERS
from mkdocs_gptimage.publish.manifest import WEB

if TYPE_CHECKING:
    from pathlib import Path

PAGE = {"index.md": block(prompt="A cat")}
ALONE = f"1-{'0' * 16}"
"""The name of a lease."""
COMMANDS = (("check",), ("generate",), ("prune", "--apply"), ("gallery",))


@pytest.fixture
def site(tmp_path) -> Site:
    """A site of one picture, made by the built-in emulator."""
    made = Site(tmp_path / "project")
    made.root.mkdir()
    made.write(PAGE)
    return made


def configure(site: Site, **options) -> None:
    site.configure(gptimage={"api": {"base_url": "emulator", **FAST}, **options})


def snapshot(folder: Path) -> dict[str, tuple[bytes | str, int]]:
    """All that is below a folder: content or target, and time of change, by path."""
    return {
        os.path.relpath(path, folder): (
            os.fspath(path.readlink()) if path.is_symlink() else path.read_bytes(),
            path.lstat().st_mtime_ns,
        )
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def put(path: Path, text: str = "theirs") -> None:
    """Write a file as old as those that sweeps delete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (1, 1))


def run_all(site: Site) -> list[tuple[int, str]]:
    """Build the site and run the commands that use its cache: exit codes and what they say."""
    done = [site.build(), *(site.gptimage(*command) for command in COMMANDS)]
    return [(each.code, each.err) for each in done]


def test_a_cache_in_a_folder_of_others(site):
    """A cache option that names a folder of others is refused, and every file in it stays as it is."""
    configure(site, cache="tools")
    tools = site.root / "tools"
    for name in ("parts/bolt.stl", "runs/poetry.lock", "web/site.webp", "placeholders/a.svg", "journal/cache.db"):
        put(tools / name)
    before = snapshot(tools)
    told = run_all(site)

    assert snapshot(tools) == before
    assert all(code for code, _ in told)
    assert all("cache: 'tools' holds files that this plugin did not make, such as 'journal'; ex" in e for _, e in told)
    assert not any("Traceback" in err for _, err in told)


@pytest.mark.parametrize(
    "link",
    [
        ".cache",
        ".cache/gptimage",
        *(
            f".cache/gptimage/{name}"
            for name in ("parts", "web", "placeholders", "journal", "runs", ".gitignore", MARKER, "serve")
        ),
    ],
)
def test_links_below_the_cache(site, tmp_path, link):
    """A symbolic link on the way to the cache, or in it, is refused, and nothing behind it changes."""
    configure(site)
    behind = tmp_path / "behind"
    for name in (
        "gptimage/parts/a",
        f"{'0' * 64}-{'0' * 16}",
        f"{'0' * 64}.json",
        "0-0.webp",
        f"a-{'0' * 12}.svg",
        "room",
    ):
        put(behind / name)
    put(behind / f"{ALONE}.lock")
    path = site.root / link
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(os.path.relpath(behind, path.parent), target_is_directory=True)
    if path.parent.name == "gptimage":
        (path.parent / ".gitignore").exists() or (path.parent / ".gitignore").write_text("*\n")
    before = snapshot(behind)
    told = run_all(site)

    assert snapshot(behind) == before
    assert all(code for code, _ in told)
    assert all("symbolic link" in err and "Traceback" not in err for _, err in told)


def test_a_link_to_a_cache_elsewhere_by_an_absolute_path(site, tmp_path):
    """An absolute path outside the project is the user's own, and may lead through links."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    configure(site, cache=os.fspath(tmp_path / "link" / "cache"))
    built = site.build()

    assert built.code == 0, built.err
    assert (tmp_path / "disk" / "cache" / MARKER).is_file()


def test_a_cache_of_an_earlier_version(site):
    """A cache without a marker, but with the .gitignore of earlier versions, is ours, and gets its marker."""
    configure(site)
    put(site.root / ".cache/gptimage/.gitignore", "*\n")
    put(site.root / ".cache/gptimage/web/old.txt")
    built = site.build()

    assert built.code == 0, built.err
    assert (site.root / ".cache/gptimage" / MARKER).is_file()


def test_a_site_without_pictures_writes_nothing(site):
    """A build that needs neither pictures nor web versions makes no folder."""
    configure(site)
    site.write({"index.md": "# Hello"})
    built = site.build()

    assert built.code == 0, built.err
    assert sorted(path.name for path in site.root.iterdir()) == ["docs", "mkdocs.yml", "site"]


def test_only_names_of_ours_are_deleted(site):
    """In a cache of ours, files that somebody put there are never deleted, however old and wherever they lie."""
    configure(site)
    for folder in (site.root / ".cache/gptimage", site.store / ".journal"):
        claim_folder(folder)
    theirs = [
        site.root / ".cache/gptimage" / name
        for name in (
            "parts/bolt.stl",
            "parts/.hidden.part",
            f"{WEB}/notes.txt",
            f"{WEB}/a.webp.bak",
            f"{PLACEHOLDERS}/drawing.svg",
            f"{PLACEHOLDERS}/notes-{'0' * 12}.txt",
        )
    ]
    ours = [
        site.root / ".cache/gptimage" / name
        for name in (
            f"parts/{'0' * 64}-{'0' * 16}",
            f"parts/.{'0' * 12}{'0' * 16}.part",
            f"{WEB}/{'0' * 64}.json",
            f"{WEB}/{'0' * 16}-480-{'0' * 16}.webp",
            f"{PLACEHOLDERS}/a-{'0' * 12}.svg",
        )
    ]
    theirs.append(site.store / ".journal/runs/poetry.lock")
    ours.append(site.store / f".journal/runs/{ALONE}.lock")
    for path in (*theirs, *ours):
        put(path)
    told = run_all(site)

    assert [code for code, _ in told] == [0] * len(told), told
    assert all(path.read_text() == "theirs" for path in theirs)
    assert not any(path.exists() for path in ours)


@pytest.mark.parametrize("name", ["cache.db", "cache.db-wal", "cache.db-shm", "cache.db-journal"])
def test_a_database_behind_a_link(tmp_path, name):
    """The journal's database and SQLite's files beside it are not opened through links."""
    journal = make_subfolder(tmp_path / "cache", "journal")
    with contextlib.closing(sqlite3.connect(tmp_path / "theirs.db")) as theirs:
        theirs.execute("CREATE TABLE notes (text)")
    with open_journal(tmp_path / "cache"):
        pass
    (journal / name).unlink(missing_ok=True)
    (journal / name).symlink_to(tmp_path / "theirs.db")
    before = (tmp_path / "theirs.db").read_bytes()
    with pytest.raises(ConfigurationError, match="symbolic link"), open_journal(tmp_path / "cache"):
        pass
    with pytest.raises(ConfigurationError, match="symbolic link"):
        read_submissions(tmp_path / "cache")

    assert (tmp_path / "theirs.db").read_bytes() == before


def test_a_reserve_behind_a_link(tmp_path):
    """The file that keeps room for the journal is written beside what a link in its place leads to."""
    journal = make_subfolder(tmp_path / "cache", "journal")
    put(tmp_path / "theirs")
    (journal / "room").symlink_to(tmp_path / "theirs")
    with open_journal(tmp_path / "cache"):
        pass

    assert (tmp_path / "theirs").read_text() == "theirs"


def test_a_lease_behind_a_link(tmp_path):
    """A link in place of a run's lock is neither opened, which would empty the file behind it, nor taken for a run."""
    runs = make_subfolder(tmp_path / "cache", "runs")
    put(tmp_path / "theirs")
    (runs / f"{ALONE}.lock").symlink_to(tmp_path / "theirs")
    os.utime(runs / f"{ALONE}.lock", (1, 1), follow_symlinks=False)
    held = is_held(tmp_path / "cache", ALONE)
    with hold_lease(tmp_path / "cache"):
        pass

    assert not held
    assert (tmp_path / "theirs").read_text() == "theirs"


def test_sweeping_a_folder_of_others(tmp_path):
    """A sweep of a folder that is not ours deletes nothing, also where the names are like ours."""
    part = tmp_path / "tools" / "parts" / f"{'0' * 64}-{'0' * 16}"
    put(part)
    sweep_parts(tmp_path / "tools")

    assert part.exists()


def test_a_store_with_a_linked_folder(site, tmp_path):
    """A linked folder of the store stops a build before it pays, and nothing is written through it."""
    configure(site)
    site.store.mkdir()
    behind = tmp_path / "behind"
    put(behind / "notes")
    for number in range(256):
        (site.store / f"{number:02x}").symlink_to(behind)
    before = snapshot(behind)
    built, generated = site.build(), site.gptimage("generate")

    assert snapshot(behind) == before
    assert all(done.code and "symbolic link" in done.err + done.out for done in (built, generated))
    assert scripted_service.KEY not in built.err
