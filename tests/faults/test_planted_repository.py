"""A clone may hold a folder that git takes for a repository: what its settings name is not run."""

from __future__ import annotations

import subprocess

from sites import Site, block


def git(folder, *arguments):
    subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True)


def plant(folder, program):
    """Make a folder look like a repository without a work tree around it; its settings name a program."""
    folder.mkdir()
    for name in ("objects", "refs"):
        (folder / name).mkdir()
    (folder / "HEAD").write_text("ref: refs/heads/main\n")
    git(folder, "--git-dir=.", "--work-tree=.", "-c", "core.bare=false", "add", "HEAD")
    settings = f'[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n\tfsmonitor = "{program}"\n'
    (folder / "config").write_text(settings)


def test_a_repository_in_the_store_runs_nothing(tmp_path):
    """Commands that ask git about the store do not start what a repository in its place names."""
    site = Site(tmp_path / "site")
    site.write({"index.md": block(prompt="A cat")})
    site.configure(gptimage={"on_missing": "placeholder"})
    git(tmp_path, "init", "-q", "site")
    ran = tmp_path / "ran"
    plant(site.store, f"touch {ran}; false")

    codes = [site.gptimage(*arguments).code for arguments in (("prune",), ("plan",), ("prune", "--apply"))]

    assert codes == [0, 1, 0]
    assert not ran.exists()
