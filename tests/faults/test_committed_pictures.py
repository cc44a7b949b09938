"""Pictures that a git repository has, and the working tree lacks, are not paid for again."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
import scripted_service as gateways
import sites
from sites import block

KEY = {"APIMASTER_API_KEY": gateways.KEY}


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def site_of(root, service, **options):
    root.mkdir(exist_ok=True)
    site = sites.Site(root)
    site.configure(gptimage={"api": {"base_url": service.base_url, **sites.FAST}, **options})
    site.write({"index.md": block(prompt="a"), "b.md": block(prompt="b")})
    return site


@pytest.fixture
def site(service, tmp_path):
    """A repository with a site whose pictures are made and committed."""
    made = site_of(tmp_path / "repository", service)
    assert made.build(env=KEY).code == 0
    git(made.root, "init", "-q")
    git(made.root, "add", "gptimage", "mkdocs.yml", "docs")
    git(made.root, "commit", "-qm", "pictures")
    service.requests.clear()
    return made


def sparse(site, *_):
    git(site.root, "sparse-checkout", "set", "docs")
    return site, "git sparse-checkout add gptimage"


def deleted(site, *_):
    shutil.rmtree(site.store)
    return site, "git restore -- gptimage"


def moved(site, service, _):
    return site_of(site.root, service, store="pictures"), "Set the option 'store' to that folder"


def moved_and_deleted(site, service, _):
    shutil.rmtree(site.store)
    return site_of(site.root, service, store="pictures"), "restore -- gptimage'"


def other_folder(site, service, _):
    return site_of(site.root / "inner", service), "Set the option 'store' to that folder"


def submodule(site, service, tmp_path):
    pictures = tmp_path / "pictures"
    shutil.copytree(site.store, pictures)
    git(pictures, "init", "-q")
    git(pictures, "add", ".")
    git(pictures, "commit", "-qm", "pictures")
    outer = site_of(tmp_path / "outer", service, store="media/pictures")
    git(outer.root, "init", "-q")
    git(outer.root, "submodule", "add", str(pictures), "media")
    git(outer.root, "commit", "-qm", "site")
    git(tmp_path, "clone", "-q", str(outer.root), "clone")
    return site_of(tmp_path / "clone", service, store="media/pictures"), "git submodule update --init media"


def stashed(site, *arguments):
    """A site whose new picture lies in the older of two stashes, and its page does not."""
    site.write({"c.md": block(prompt="c")})
    git(site.root, "add", "docs")
    git(site.root, "commit", "-qm", "page")
    assert site.build(env=KEY).code == 0
    git(site.root, *arguments)
    (site.root / "mkdocs.yml").write_text((site.root / "mkdocs.yml").read_text() + "# edited\n")
    git(site.root, "stash")


def stashed_as_new(site, service, _):
    stashed(site, "stash", "-u")
    service.requests.clear()
    return site, "'git stash apply stash@{1}'"


def stashed_from_index(site, service, _):
    stashed(site, "-c", "alias.put=!git add gptimage && git stash", "put")
    service.requests.clear()
    return site, "'git stash apply stash@{1}'"


@pytest.mark.parametrize(
    "lacking",
    [
        sparse,
        deleted,
        moved,
        moved_and_deleted,
        other_folder,
        submodule,
        stashed_as_new,
        stashed_from_index,
    ],
)
def test_pictures_that_git_has_are_not_paid_for_again(service, site, tmp_path, lacking):
    """A build that lacks committed pictures pays for nothing, and names the command that brings them."""
    built, command = lacking(site, service, tmp_path)
    done = built.build(env=KEY)

    assert done.code == 1
    assert command in done.err
    assert "Traceback" not in done.err
    assert service.of("submit") == []


def test_a_new_picture_is_paid_for_in_a_repository(service, site):
    """Pictures that git does not have are made as ever."""
    site.write({"c.md": block(prompt="c")})

    assert site.build(env=KEY).code == 0
    assert [request.json["prompt"] for request in service.of("submit")] == ["c"]


def test_check_tells_that_git_ignores_the_store(site):
    """A store that no clone will have is named with the rule that ignores it."""
    (site.root / ".gitignore").write_text("*.png\n")
    done = site.gptimage("check")

    assert "git ignores the store 'gptimage' (.gitignore:1:*.png)" in done.err


def test_nothing_is_paid_while_git_changes_the_working_tree(service, site):
    """A build in the middle of `git switch`, which has written the page and not yet its picture, waits, and stops."""
    shutil.rmtree(site.store)
    git(site.root, "rm", "-rq", "--cached", "gptimage")
    lock = site.root / ".git/index.lock"
    lock.touch()
    during = site.build(env=KEY)
    lock.unlink()

    assert during.code == 1
    assert f"if none runs, delete '{lock}'" in during.err
    assert service.of("submit") == []
    assert site.build(env=KEY).code == 0


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_a_repository_of_another_user_may_have_the_pictures(service, site):
    """In a container that mounts the files of another user, git reads nothing, and it is unknown what it has."""
    shutil.rmtree(site.store)
    for path in (site.root, site.root / ".git"):
        os.chown(path, 12345, 12345)
    done = site.build(env=KEY)

    assert done.code == 1
    assert "nothing was submitted" in done.err
    assert "git config --global --add safe.directory" in done.err
    assert service.of("submit") == []
