"""Files that the site takes: never the store's own, never damaged, never written without need."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
from gateway import picture
from test_store import DATA, DIGEST, SPEC, put

from mkdocs_gptimage import cache_folder, publishing
from mkdocs_gptimage.spec import ImageSpec
from mkdocs_gptimage.store import Damage, Store


@pytest.fixture
def entry(tmp_path):
    return put(Store(tmp_path / "gptimage"))


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def publish(entry, cache, target):
    copy = publishing.original(entry, cache)
    publishing.place(copy, target)
    return copy


def test_the_site_is_linked_to_the_cache_never_to_the_store(entry, cache, tmp_path):
    """The site's file is the cache's, and not the stored one."""
    target = tmp_path / "cat.png"
    copy = publish(entry, cache, target)

    assert target.stat().st_ino == copy.stat().st_ino
    assert target.stat().st_ino != entry.path.stat().st_ino
    assert (cache / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize("data", [b"optimised", bytes(len(DATA))])
def test_edits_in_the_site_reach_neither_the_store_nor_the_next_build(entry, cache, tmp_path, data):
    """A neighbour that edits the site's file in place changes nothing but this build."""
    target = tmp_path / "cat.png"
    publish(entry, cache, target)
    with target.open("r+b") as file:
        file.write(data)
        file.truncate()
    next_build = tmp_path / "next.png"
    publish(entry, cache, next_build)

    assert entry.path.read_bytes() == DATA
    assert next_build.read_bytes() == DATA


def test_a_copy_is_made_once(entry, cache, monkeypatch):
    """As long as the stored file is the same, it is not read again."""
    first = publishing.original(entry, cache)
    monkeypatch.setattr(publishing, "_copy", None)

    assert publishing.original(entry, cache) == first


def test_damaged_bytes_are_not_published(entry, cache):
    """Bytes that are not those of the record are told, and leave no copy."""
    entry.path.write_bytes(picture("JPEG"))
    found = publishing.original(entry, cache)

    assert found == Damage(DIGEST, f"the bytes of {DIGEST}.png are not those of its record")
    assert [path.name for path in cache.rglob("*") if path.is_file()] == [".gitignore"]


def test_a_stored_file_that_is_gone_is_told(entry, cache):
    """A picture that is deleted while the site is built is damage, not a crash."""
    entry.path.unlink()

    assert "cannot be read" in publishing.original(entry, cache).reason


def test_damage_after_a_good_copy_is_seen(entry, cache):
    """A copy of the past does not hide that the stored file has changed."""
    publishing.original(entry, cache)
    entry.path.write_bytes(bytes(len(DATA)))
    os.utime(entry.path, (1, 1))

    assert isinstance(publishing.original(entry, cache), Damage)


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: dataclasses.replace(facts, sha256="0" * 64),
        lambda facts: dataclasses.replace(facts, width=33),
        lambda facts: dataclasses.replace(facts, height=17),
    ],
    ids=["hash", "width", "height"],
)
def test_a_record_that_changes_is_compared_anew(entry, cache, change):
    """A copy that was verified against another record says nothing of this one."""
    publishing.original(entry, cache)

    assert isinstance(publishing.original(dataclasses.replace(entry, image=change(entry.image)), cache), Damage)


@pytest.mark.parametrize(
    "put_there",
    [os.mkfifo, lambda path: path.symlink_to("nothing"), lambda path: path.write_bytes(b"other")],
    ids=["pipe", "link", "file"],
)
def test_what_stands_in_the_place_of_a_copy_is_replaced(entry, cache, put_there):
    """Only a file that is the copy is given to the site."""
    copy = publishing.original(entry, cache)
    copy.unlink()
    put_there(copy)

    assert publishing.original(entry, cache) == copy
    assert copy.read_bytes() == DATA


@pytest.mark.parametrize(
    ("put_there", "reason"),
    [(os.mkfifo, "is a named pipe"), (Path.mkdir, "is a folder"), (lambda path: path.symlink_to("x"), "is a symbolic")],
    ids=["pipe", "folder", "link"],
)
def test_what_is_no_file_is_not_copied(entry, cache, put_there, reason):
    """A stored picture that became something else since it was looked at is told, without waiting for it."""
    entry.path.unlink()
    put_there(entry.path)

    assert publishing.original(entry, cache).reason.startswith(f"{entry.path.name} {reason}")


def test_copies_of_equal_pictures_do_not_replace_each_other(tmp_path, cache, monkeypatch):
    """Two pictures with the same bytes are copied once each, not in turns by every build."""
    entries = [put(Store(tmp_path / "gptimage"), ImageSpec(name)) for name in "ab"]
    copies = [publishing.original(entry, cache) for entry in entries]
    monkeypatch.setattr(publishing, "_copy", None)

    assert [publishing.original(entry, cache) for entry in entries] == copies


def test_an_empty_gitignore_is_written_again(tmp_path):
    """A full disk may leave one that ignores nothing."""
    (tmp_path / ".gitignore").write_text("")
    cache_folder.prepare(tmp_path)

    assert (tmp_path / ".gitignore").read_text() == "*\n"


def test_a_gitignore_of_the_user_stays(tmp_path):
    """What somebody has written into the cache's .gitignore is theirs."""
    (tmp_path / ".gitignore").write_text("journal/\n")
    cache_folder.prepare(tmp_path)

    assert (tmp_path / ".gitignore").read_text() == "journal/\n"


@pytest.mark.parametrize("before", [None, "file", "link"])
def test_files_are_copied_where_links_fail(tmp_path, monkeypatch, before):
    """Without hard links the file is copied, and what it replaces is not written through."""

    def refuse(*_):
        raise PermissionError

    source, target, other = tmp_path / "source", tmp_path / "target", tmp_path / "other"
    source.write_text("new")
    other.write_text("other")
    if before == "file":
        target.write_text("old")
    if before == "link":
        target.hardlink_to(other)
    monkeypatch.setattr(publishing.os, "link", refuse)
    publishing.place(source, target)

    assert target.read_text() == "new"
    assert target.stat().st_ino != source.stat().st_ino
    assert other.read_text() == "other"


def test_a_file_of_an_earlier_build_is_replaced(tmp_path):
    """A site that is built into the same folder again gets the new file."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_text("new")
    target.write_text("old")
    publishing.place(source, target)

    assert target.stat().st_ino == source.stat().st_ino


def test_placeholders_are_written_when_they_change(cache, tmp_path):
    """A card that is the same is left alone; one that changes does not change the site of before."""
    path = publishing.placeholder(SPEC, "not generated yet", cache)
    before = path.stat()
    same = publishing.placeholder(SPEC, "not generated yet", cache).stat()
    (tmp_path / "site.svg").hardlink_to(path)
    publishing.placeholder(SPEC, "outcome unknown", cache)

    assert (same.st_ino, same.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert "outcome unknown" in path.read_text()
    assert "not generated yet" in (tmp_path / "site.svg").read_text()
