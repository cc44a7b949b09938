"""Two branches that drew the same picture: what git's merge leaves of a record, and the two commands that mend it."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import shlex
import subprocess

import factories
import pytest
from factories import put
from PIL import Image
from scripted_service import KEY, picture
from sites import FAST, Site, block

from mkdocs_gptimage.spec.model import ImageSpec
from mkdocs_gptimage.store.entry import Entry
from mkdocs_gptimage.store.store import Store

ENV = {"APIMASTER_API_KEY": KEY}
CAT = ImageSpec("a cat")
OURS = picture()


def other_picture():
    """Other bytes of the same size."""
    file = io.BytesIO()
    Image.new("RGB", (32, 18), "teal").save(file, "PNG")
    return file.getvalue()


THEIRS = other_picture()


def git(folder, *arguments, check=True):
    names = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    return subprocess.run(["git", *names, *arguments], cwd=folder, check=check, capture_output=True, text=True)


def draw(site, data, task, monkeypatch):
    """Commit a picture that a task made."""
    made = dataclasses.replace(factories.MADE, task_id=task, at=f"2026-11-2{task}T00:00:00Z", seconds=float(task))
    with monkeypatch.context() as patched:
        patched.setattr(factories, "MADE", made)
        put(Store(site.store), CAT, data)
    git(site.root, "add", ".")
    git(site.root, "commit", "-m", task)


@pytest.fixture
def merged(tmp_path, service, monkeypatch):
    """Merge a branch that drew the picture of the page with this one, which drew it as well."""

    def merge(ours, theirs, attributes=""):
        site = Site(tmp_path)
        site.configure(gptimage={"api": {"base_url": service.base_url, **FAST}})
        site.write({"index.md": block(prompt=CAT.prompt)})
        (tmp_path / ".gitignore").write_text(".cache/\nsite/\npart\n.journal/\n")
        (tmp_path / ".gitattributes").write_text(attributes)
        git(tmp_path, "init", "-b", "main")
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-m", "x")
        git(tmp_path, "switch", "-c", "other")
        draw(site, theirs, "1", monkeypatch)
        git(tmp_path, "switch", "main")
        draw(site, ours, "2", monkeypatch)
        git(tmp_path, "merge", "other", check=False)
        return site

    return merge


def commands(text):
    """The commands that a message names."""
    return [shlex.split(each) for each in re.findall(r"'(git [^']*)'", text)]


@pytest.mark.parametrize(("side", "task"), [("--ours", "2"), ("--theirs", "1")])
def test_a_conflict_is_named_with_the_commands_that_mend_it(service, merged, side, task):
    """Check, plan and build recognise conflict markers and pay for nothing, and the two commands they name mend it."""
    site = merged(OURS, THEIRS)
    done = {name: site.gptimage(name, env=ENV) for name in ("check", "plan")}
    done["build"] = site.build(env=ENV)
    for each in done.values():
        assert each.code == 1
        assert "has the conflict markers of a merge" in each.out + each.err
    checkout, add = commands(done["check"].out + done["check"].err)[:2]
    assert "--ours" in checkout
    for command in (checkout, add):
        git(site.root, *[side if part == "--ours" else part for part in command[1:]])
    git(site.root, "commit", "-m", "merged")
    entry = Store(site.store).verify(CAT.digest)

    assert site.gptimage("check").code == 0
    assert isinstance(entry, Entry)
    assert entry.made.task_id == task
    assert service.of("submit") == []


def test_markers_that_were_committed(merged):
    """Once the markers are committed, the commands take the picture from a commit that has it whole."""
    site = merged(OURS, THEIRS)
    git(site.root, "add", ".")
    git(site.root, "commit", "-m", "markers and all")
    done = site.gptimage("check")
    log, checkout = commands(done.out + done.err)[:2]
    earlier = git(site.root, *log[1:]).stdout.splitlines()[-1].split()[0]
    git(site.root, *[earlier if part == "COMMIT" else part for part in checkout[1:]])

    assert isinstance(Store(site.store).verify(CAT.digest), Entry)
    assert site.gptimage("check").code == 0


def test_records_of_equal_pictures_are_one(service, merged):
    """Two records that differ only in when the same bytes were made count as one: builds go on, and check says so."""
    site = merged(OURS, OURS)
    record = next(site.store.glob("??/*.json"))
    assert "<<<<<<<" in record.read_text()
    built, checked = site.build(env=ENV), site.gptimage("check")
    entry = Store(site.store).verify(CAT.digest)

    assert built.code == 0, built.err
    assert isinstance(entry, Entry)
    assert entry.made.task_id == "1"
    assert service.requests == []
    assert "both sides are the same picture" in checked.out + checked.err
    for command in commands(checked.out + checked.err)[:2]:
        git(site.root, *command[1:])
    assert "conflict" not in site.gptimage("check").out
    assert Store(site.store).verify(CAT.digest).made.task_id == "2"


@pytest.mark.parametrize("theirs", [OURS, THEIRS])
def test_the_attribute_that_avoids_markers(service, merged, theirs):
    """With the attribute that the README recommends, a merge leaves the picture of this branch, whole."""
    site = merged(OURS, theirs, "gptimage/**/*.json -merge\n")
    built = site.build(env=ENV)
    git(site.root, "add", "gptimage")
    git(site.root, "commit", "-m", "merged")

    assert built.code == 0, built.err
    assert Store(site.store).verify(CAT.digest).made.task_id == "2"
    assert service.requests == []


@pytest.mark.parametrize(
    "text",
    [
        "<<<<<<< HEAD\n",
        "<<<<<<< HEAD\n=======\n>>>>>>> other\n",
        "{}\n>>>>>>> other\n",
        "<<<<<<< a\n{}\n||||||| b\n{\n=======\n{}\n>>>>>>> c\n",
        "<<<<<<< a\r\n{}\r\n=======\r\n{}\r\n>>>>>>> c\r\n",
        "<<<<<<< a\n" * 50_000,
    ],
)
def test_markers_of_every_form(tmp_path, text):
    """Whatever is left of a conflict is recognised as one."""
    store = Store(tmp_path / "store")
    entry = put(store, CAT)
    entry.path.with_suffix(".json").write_text(text, newline="")
    found = Store(store.root).get(CAT.digest)

    assert found.kind.value == "conflict"
    assert json.dumps(found.reason)
