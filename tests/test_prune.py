"""`gptimage prune`: deletes what nobody asks for, and nothing when that is in doubt."""

from __future__ import annotations

import json
import os
import subprocess
import time

import pytest
from sites import FAST, Site, block
from stock import put

from mkdocs_gptimage import sheets
from mkdocs_gptimage.orphans import candidate_variant
from mkdocs_gptimage.spec import ImageSpec, reference_to
from mkdocs_gptimage.store import Store

CAT, DOG, OLD = ImageSpec("A cat"), ImageSpec("A dog"), ImageSpec("An old picture")


@pytest.fixture
def site(tmp_path):
    """Two pages; the store has their pictures, and one more."""
    made = Site(tmp_path)
    made.configure(gptimage={"api": {"base_url": "http://127.0.0.1:9/v1", **FAST}})
    made.write({"index.md": block(prompt="A cat"), "dog.md": block(prompt="A dog")})
    for spec in (CAT, DOG, OLD):
        put(Store(made.store), spec)
    return made


def stored(site):
    return set(Store(site.store).digests())


def git(site, *arguments):
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=site.root, check=True, capture_output=True)


def commit(site):
    git(site, "add", ".")
    git(site, "commit", "-m", "x")


def branch_with(site, name, pages):
    """A branch whose pages differ; the main branch is checked out again."""
    git(site, "init", "-b", "main")
    commit(site)
    git(site, "switch", "-c", name)
    site.write(pages)
    commit(site)
    git(site, "switch", "main")


def test_prune_lists_and_deletes_on_apply(site):
    """Without --apply nothing is deleted; with it, what was listed is."""
    listed = site.gptimage("prune")

    assert listed.code == 0
    assert f"{OLD.digest[:12]}  orphaned" in listed.out
    assert "An old picture" in listed.out
    assert "Nobody needs 1 picture" in listed.out
    assert stored(site) == {CAT.digest, DOG.digest, OLD.digest}
    applied = site.gptimage("prune", "--apply")
    assert applied.code == 0
    assert "Deleted 1 picture" in applied.out
    assert stored(site) == {CAT.digest, DOG.digest}


def test_prune_for_programs(site):
    """--json names what nobody needs, and whether it was deleted."""
    told = [json.loads(site.gptimage("prune", "--json", *more).out) for more in ([], ["--apply"])]

    assert [each["deleted"] for each in told] == [False, True]
    assert all([orphan["digest"] for orphan in each["orphans"]] == [OLD.digest] for each in told)
    assert stored(site) == {CAT.digest, DOG.digest}


def test_candidates_can_go(site):
    """A candidate that nobody took is listed as such, and goes with the others."""
    candidate = ImageSpec("A cat", variant=candidate_variant(1, CAT.digest))
    put(Store(site.store), candidate)

    done = site.gptimage("prune", "--apply")

    assert f"{candidate.digest[:12]}  candidate" in done.out
    assert stored(site) == {CAT.digest, DOG.digest}


def test_parents_are_kept(site):
    """Dark twins and the pictures that they are drawn from are used."""
    twin = ImageSpec("By night", size="1:1", references=(reference_to(OLD),))
    put(Store(site.store), twin)
    site.write({"index.md": block(prompt="An old picture", size="1:1", dark={"prompt": "By night"})})

    site.gptimage("prune", "--apply")

    assert stored(site) == {DOG.digest, OLD.digest, twin.digest}


def test_nothing_goes_while_blocks_have_problems(site):
    """Whoever has a block with an error may mean any picture."""
    site.write({"dog.md": block(prompt="A dog", size="16:10")})

    done = site.gptimage("prune", "--apply")

    assert done.code == 1
    assert "docs/dog.md:3: size: '16:10' is not a size" in done.err
    assert "nothing is pruned while blocks have problems" in done.err
    assert len(stored(site)) == 3


def test_nothing_goes_when_the_site_cannot_be_read(site):
    """A site whose configuration is broken loses nothing."""
    (site.root / "mkdocs.yml").write_text("plugins: [", encoding="utf-8")

    assert site.gptimage("prune", "--apply").code == 2
    assert len(stored(site)) == 3


def test_a_site_without_pictures_loses_none(site):
    """A site that suddenly asks for nothing was perhaps not read right."""
    site.write({"index.md": "# Home\n", "dog.md": "# Dog\n"})

    done = site.gptimage("prune", "--apply")

    assert done.code == 1
    assert "ask for no picture" in done.err
    assert len(stored(site)) == 3


def test_pictures_of_another_branch_are_kept(site):
    """--since keeps what the pages of another branch ask for, parents of dark twins included."""
    branch_with(site, "other", {"old.md": block(prompt="An old picture", dark=True)})

    done = site.gptimage("prune", "--apply", "--since", "other")

    assert done.code == 0, done.err
    assert OLD.digest in stored(site)
    worktrees = subprocess.run(["git", "worktree", "list"], cwd=site.root, capture_output=True, text=True, check=True)
    assert len(worktrees.stdout.splitlines()) == 1
    assert site.gptimage("prune", "--apply", "--since", "main").code == 0
    assert OLD.digest not in stored(site)


def test_a_site_below_the_root_of_its_repository(tmp_path):
    """The site of the other branch is looked for where this one lies, and read with its own configuration."""
    site = Site(tmp_path / "docs-of-it")
    site.root.mkdir()
    site.configure(gptimage={"defaults": {"size": "3:2"}})
    site.write({"index.md": block(prompt="A cat")})
    git(Site(tmp_path), "init", "-b", "main")
    commit(site)
    site.configure(gptimage={"defaults": {"size": "2:3"}})
    put(Store(site.store), ImageSpec("A cat", size="3:2"))
    put(Store(site.store), OLD)

    done = site.gptimage("prune", "--apply", "--since", "HEAD")

    assert done.code == 0, done.err
    assert stored(site) == {ImageSpec("A cat", size="3:2").digest}


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("nonsense", "--since nonsense: cannot be read: it is not a branch, a tag or a commit; nothing was deleted"),
        ("--help", "nothing was deleted"),
        ("broken", "docs/dog.md:3: size: '16:10' is not a size"),
    ],
)
def test_a_branch_that_cannot_be_read_stops_it(site, ref, message):
    """When nobody knows what a branch asks for, nothing is deleted, and the reason is told."""
    branch_with(site, "broken", {"dog.md": block(prompt="A dog", size="16:10")})

    done = site.gptimage("prune", "--apply", f"--since={ref}")

    assert done.code == 2
    assert message in done.err
    assert "nothing was deleted" in done.err
    assert len(stored(site)) == 3


def test_without_a_repository(site):
    """A folder that is no repository has no branches."""
    done = site.gptimage("prune", "--apply", "--since", "main", env={"GIT_CEILING_DIRECTORIES": str(site.root.parent)})

    assert done.code == 2
    assert "nothing was deleted" in done.err
    assert len(stored(site)) == 3


def test_files_of_the_cache(site):
    """Files that no sheet of a used picture names go; those of used pictures, and young ones, stay."""
    site.write({"old.md": block(prompt="An old picture"), "missing.md": block(prompt="Missing")})
    assert site.build().code == 0
    (site.root / "docs/old.md").unlink()
    (site.root / "docs/missing.md").unlink()
    web = site.root / ".cache/gptimage" / sheets.WEB
    before = {path.name for path in web.iterdir()}
    young = site.gptimage("prune", "--apply")
    assert "0 files of the cache" in young.out
    cards = list((web.parent / "placeholders").iterdir())
    for path in [*web.iterdir(), *cards]:
        os.utime(path, (time.time() - 7200,) * 2)
    assert len(cards) == 1

    done = site.gptimage("prune", "--apply")

    left = {path.name for path in web.iterdir()}
    assert before > left >= {f"{spec.digest}.json" for spec in (CAT, DOG)}
    assert f"{OLD.digest}.json" not in left
    assert list((web.parent / "placeholders").iterdir()) == []
    assert done.code == 0
