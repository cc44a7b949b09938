"""Files that the site takes from the cache: linked where that can be, and never written through or without need."""

from __future__ import annotations

import pytest

from mkdocs_gptimage.owned_folder import claim_folder
from mkdocs_gptimage.publish.link import link_file, os, write_placeholder
from mkdocs_gptimage.spec.model import ImageSpec

SPEC = ImageSpec("Ein Kätzchen")


def test_an_empty_gitignore_is_written_again(tmp_path):
    """A full disk may leave one that ignores nothing."""
    (tmp_path / ".gitignore").write_text("")
    claim_folder(tmp_path)

    assert (tmp_path / ".gitignore").read_text() == "*\n"


def test_a_gitignore_of_the_user_stays(tmp_path):
    """The text of an existing .gitignore in the cache is kept."""
    claim_folder(tmp_path)
    (tmp_path / ".gitignore").write_text("journal/\n")
    claim_folder(tmp_path)

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
    monkeypatch.setattr(os, "link", refuse)
    link_file(source, target)

    assert target.read_text() == "new"
    assert target.stat().st_ino != source.stat().st_ino
    assert other.read_text() == "other"


def test_a_file_of_an_earlier_build_is_replaced(tmp_path):
    """A site that is built into the same folder again gets the new file."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_text("new")
    target.write_text("old")
    link_file(source, target)

    assert target.stat().st_ino == source.stat().st_ino


def test_placeholders_are_written_when_they_change(tmp_path):
    """A card that is the same is left alone; one that changes does not change the site of before."""
    cache = tmp_path / "cache"
    path = write_placeholder(SPEC, "not generated yet", cache)
    before = path.stat()
    same = write_placeholder(SPEC, "not generated yet", cache).stat()
    (tmp_path / "site.svg").hardlink_to(path)
    write_placeholder(SPEC, "outcome unknown", cache)

    assert (same.st_ino, same.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert "outcome unknown" in path.read_text()
    assert "not generated yet" in (tmp_path / "site.svg").read_text()
