"""A store that several configurations use: roots say what each of them needs, and prune keeps it."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import time

import pytest
from factories import put
from sites import Site, block

from mkdocs_gptimage.owned_folder import claim_folder
from mkdocs_gptimage.spec.model import ImageSpec
from mkdocs_gptimage.store.store import Store

OLD = ImageSpec("An old picture")


def put_long_ago(site, spec):
    """Store a picture as one that was made two hours ago."""
    entry = put(Store(site.root.parent / "pictures"), spec)
    os.utime(entry.path.with_suffix(".json"), (time.time() - 7200,) * 2)
    return entry


def shared(tmp_path, *names):
    """Sites in folders of one repository, which share a store beside them; each asks for one picture of its name."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    sites = [Site(tmp_path / name) for name in names]
    for name, site in zip(names, sites, strict=True):
        site.write({"index.md": block(prompt=name)})
        site.configure(gptimage={"store": "../pictures", "on_missing": "placeholder"})
        put_long_ago(site, ImageSpec(name))
    return sites


def kept(tmp_path):
    return {path.stem for path in (tmp_path / "pictures").glob("??/*.json")}


def age(root_file, days):
    """Let a root be older."""
    moment = dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
    record = json.loads(root_file.read_text())
    root_file.write_text(json.dumps({**record, "at": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}))


def root_of(tmp_path, configuration, branch=None):
    for each in (tmp_path / "pictures/.journal/roots").glob("*.json"):
        root = json.loads(each.read_text())
        if root["configuration"] == configuration and branch in (None, root["branch"]):
            return each
    raise AssertionError(f"no root of {configuration}")


def git(folder, *arguments):
    """Run git without the user's own settings of names."""
    names = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    done = subprocess.run(["git", *names, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def feature(tmp_path):
    """A site on `main` that was built on the branch `feature` as well, with a picture that was never committed."""
    (one,) = shared(tmp_path, "one")
    git(tmp_path, "symbolic-ref", "HEAD", "refs/heads/main")
    (tmp_path / ".gitignore").write_text(".cache/\nsite/\npictures/\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "x")
    assert one.build().code == 0
    git(tmp_path, "switch", "-c", "feature")
    one.write({"new.md": block(prompt=OLD.prompt)})
    put_long_ago(one, OLD)
    assert one.build().code == 0
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "x")
    git(tmp_path, "switch", "main")
    return one


def test_another_branch_keeps_its_pictures(tmp_path, feature):
    """A picture that only another branch needs stays, the branch is named, and on that branch nothing is missing."""
    put_long_ago(feature, ImageSpec("of nobody"))
    done = feature.gptimage("prune", "--apply")
    git(tmp_path, "switch", "feature")
    checked = feature.gptimage("check")

    assert done.code == 0, done.err
    assert "(the branch 'feature' needs it: stays)" in done.out
    assert kept(tmp_path) == {ImageSpec("one").digest, OLD.digest}
    assert checked.code == 0, checked.err


@pytest.mark.parametrize(
    ("days", "is_deleted", "survives"), [(400, False, True), (170, True, True), (200, True, False)]
)
def test_how_long_a_branch_keeps(tmp_path, feature, days, is_deleted, survives):
    """A branch keeps its pictures for as long as it is there, and for 180 days after its last build."""
    age(root_of(tmp_path, "one/mkdocs.yml", "refs/heads/feature"), days)
    if is_deleted:
        git(tmp_path, "branch", "-D", "feature")
    done = feature.gptimage("prune", "--apply")

    assert done.code == 0, done.err
    assert (OLD.digest in kept(tmp_path)) == survives


@pytest.mark.parametrize(("days", "survives"), [(20, True), (40, False)])
def test_a_detached_head_keeps(tmp_path, feature, days, survives):
    """What a commit without a branch needs stays for 30 days."""
    git(tmp_path, "switch", "--detach", "feature")
    assert feature.build().code == 0
    commit = git(tmp_path, "rev-parse", "HEAD")
    git(tmp_path, "switch", "main")
    git(tmp_path, "branch", "-D", "feature")
    root_of(tmp_path, "one/mkdocs.yml", "refs/heads/feature").unlink()
    age(root_of(tmp_path, "one/mkdocs.yml", commit), days)
    done = feature.gptimage("prune", "--apply")

    assert done.code == 0, done.err
    assert (f"the commit {commit[:12]} needs it" in done.out) == survives
    assert (OLD.digest in kept(tmp_path)) == survives


def test_a_configuration_that_only_another_branch_has(tmp_path, feature):
    """Pictures of a configuration that is not on this branch stay for as long as its branch is there."""
    git(tmp_path, "switch", "feature")
    (feature.root / "mkdocs.yml").rename(feature.root / "mkdocs.de.yml")
    assert feature.build("-f", "mkdocs.de.yml").code == 0
    (feature.root / "mkdocs.de.yml").rename(feature.root / "mkdocs.yml")
    root_of(tmp_path, "one/mkdocs.yml", "refs/heads/feature").unlink()
    git(tmp_path, "switch", "main")
    age(root_of(tmp_path, "one/mkdocs.de.yml"), 100)

    assert feature.gptimage("prune", "--apply").code == 0
    assert OLD.digest in kept(tmp_path)


@pytest.mark.parametrize("branch", [1, "--help", "refs/heads/a b", "refs/heads/" + "x" * 2000])
def test_a_planted_branch_is_no_root(tmp_path, feature, branch):
    """A root whose branch is no name of a branch is named as one that cannot be read."""
    file = root_of(tmp_path, "one/mkdocs.yml", "refs/heads/feature")
    file.write_text(json.dumps({**json.loads(file.read_text()), "branch": branch}))
    done = feature.gptimage("prune", "--apply")

    assert done.code == 1
    assert "should say which pictures another configuration needs" in done.err
    assert OLD.digest in kept(tmp_path)


def test_a_shared_store_knows_who_uses_it(tmp_path):
    """Pictures of a configuration that has used the store are kept; its own orphans are not."""
    one, other = shared(tmp_path, "one", "other")
    old = put_long_ago(one, OLD)
    assert one.build().code == other.build().code == 0

    done = one.gptimage("prune", "--apply")

    assert done.code == 0, done.err
    assert kept(tmp_path) == {ImageSpec("one").digest, ImageSpec("other").digest}
    assert not old.path.exists()


@pytest.mark.parametrize("is_repository", [True, False])
def test_a_user_that_never_said_so_is_named(tmp_path, is_repository):
    """In a fresh clone, a configuration elsewhere that uses the store is named, and nothing is deleted."""
    one, _ = shared(tmp_path, "one", "other")
    if not is_repository:
        shutil.rmtree(tmp_path / ".git")

    done = one.gptimage("prune", "--apply")

    assert done.code == 1
    assert "nothing was deleted: ../other/mkdocs.yml uses the same store" in done.err
    assert "build it once, or give --also ../other/mkdocs.yml" in done.err
    assert len(kept(tmp_path)) == 2


@pytest.mark.parametrize(("days", "is_there", "survives"), [(100, True, True), (20, False, True), (40, False, False)])
def test_how_long_a_root_keeps(tmp_path, days, is_there, survives):
    """A root keeps pictures for months, and for 30 days when its configuration is not there any more."""
    one, other = shared(tmp_path, "one", "other")
    assert one.build().code == other.build().code == 0
    file = root_of(tmp_path, "other/mkdocs.yml")
    age(file, days)
    if not is_there:
        (other.root / "mkdocs.yml").unlink()

    done = one.gptimage("prune", "--apply")

    assert done.code == 0, done.err
    assert (ImageSpec("other").digest in kept(tmp_path)) == survives
    assert file.exists() == survives


def test_a_user_that_was_silent_for_long_is_named(tmp_path):
    """A configuration that still uses the store, and has not said so for 180 days, is no reason to delete."""
    one, other = shared(tmp_path, "one", "other")
    assert one.build().code == other.build().code == 0
    age(root_of(tmp_path, "other/mkdocs.yml"), 200)

    done = one.gptimage("prune", "--apply")

    assert done.code == 1
    assert "../other/mkdocs.yml uses the same store and has not said in the last 180 days" in done.err
    assert len(kept(tmp_path)) == 2


def test_a_root_that_cannot_be_read_is_named(tmp_path):
    """A damaged root of a configuration that was not read is named, and nothing is deleted."""
    one, other = shared(tmp_path, "one", "other")
    assert one.build().code == other.build().code == 0
    root_of(tmp_path, "other/mkdocs.yml").write_text("{")

    done = one.gptimage("prune", "--apply", "--also", os.fspath(other.root / "mkdocs.yml"))
    damaged = tmp_path / "pictures/.journal/roots/0123456789abcdef.json"
    damaged.write_text("{")
    refused = one.gptimage("prune", "--apply")

    assert done.code == 0, done.err
    assert refused.code == 1
    assert (
        "../pictures/.journal/roots/0123456789abcdef.json should say which pictures another configuration needs"
        in refused.err
    )
    assert len(kept(tmp_path)) == 2


def test_a_warm_build_leaves_its_root_alone(tmp_path):
    """A root of the same pictures is written anew once a day, and one of other pictures at once."""
    (one,) = shared(tmp_path, "one")
    assert one.build().code == 0
    file = root_of(tmp_path, "one/mkdocs.yml")
    before = file.read_bytes(), file.stat().st_mtime_ns
    assert one.build().code == 0
    same = file.read_bytes(), file.stat().st_mtime_ns
    age(file, 2)
    assert one.build().code == 0
    renewed = json.loads(file.read_text())
    one.write({"index.md": "# Empty"})
    assert one.gptimage("check").code == 0

    assert same == before
    assert renewed["digests"] == [ImageSpec("one").digest]
    assert renewed["at"] >= json.loads(before[0])["at"]
    assert json.loads(file.read_text())["digests"] == []


def test_a_build_without_drafts_forgets_none(tmp_path):
    """What `mkdocs serve` shows beyond a build stays needed for other configurations."""
    one, other = shared(tmp_path, "one", "other")
    other.configure(draft_docs="drafts/\n", gptimage={"store": "../pictures", "on_missing": "placeholder"})
    other.write({"drafts/next.md": block(prompt="An old picture")})
    put_long_ago(one, OLD)
    assert one.build().code == 0
    assert other.gptimage("check").code == 0
    assert other.build().code == 0

    assert one.gptimage("prune", "--apply").code == 0
    assert OLD.digest in kept(tmp_path)


def test_a_root_that_cannot_be_written_is_no_error(tmp_path):
    """Builds and commands that look do without a root where none can be written."""
    (one,) = shared(tmp_path, "one")
    claim_folder(tmp_path / "pictures/.journal")
    (tmp_path / "pictures/.journal/roots").write_text("in the way")

    built, checked = one.build(), one.gptimage("check")

    assert (built.code, checked.code) == (0, 0), built.err + checked.err


def test_a_root_that_is_too_large(tmp_path):
    """A root of many megabytes is not parsed, which would take gigabytes, but named."""
    (one,) = shared(tmp_path, "one")
    assert one.build().code == 0
    root = {"v": 1, "configuration": "other/mkdocs.yml", "at": "2026-11-26T00:00:00Z", "digests": []}
    planted = tmp_path / "pictures/.journal/roots/0123456789abcdef.json"
    planted.write_text(json.dumps(root) + " " * 8 * 1024 * 1024)

    refused = one.gptimage("prune", "--apply")

    assert refused.code == 1
    assert "0123456789abcdef.json should say which pictures another configuration needs" in refused.err


def test_what_was_stored_since_another_user_said_so_stays(tmp_path):
    """A picture that came after the last build of another configuration, by a pull for example, may be of its pages."""
    one, other = shared(tmp_path, "one", "other")
    assert one.build().code == other.build().code == 0
    age(root_of(tmp_path, "other/mkdocs.yml"), 2)
    put_long_ago(one, OLD)
    listed = one.gptimage("prune", "--apply")
    stayed = OLD.digest in kept(tmp_path)
    assert other.build().code == 0
    assert one.gptimage("prune", "--apply").code == 0

    assert listed.code == 0, listed.err
    assert "stored since another configuration of the store was built" in listed.out
    assert stayed
    assert OLD.digest not in kept(tmp_path)
