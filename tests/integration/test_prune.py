"""`gptimage prune`: deletes what is unused, and nothing when that is in doubt."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time

import pytest
from factories import put
from sites import FAST, Site, block

from mkdocs_gptimage.owned_folder import claim_folder
from mkdocs_gptimage.plan.orphans import candidate_variant
from mkdocs_gptimage.publish.manifest import WEB
from mkdocs_gptimage.spec.model import ImageSpec, reference_to
from mkdocs_gptimage.store.store import Store

CAT, DOG, OLD, NEW = ImageSpec("A cat"), ImageSpec("A dog"), ImageSpec("An old picture"), ImageSpec("A new picture")


@pytest.fixture
def site(tmp_path):
    """Two pages; the store has their pictures, and one more."""
    made = Site(tmp_path)
    made.configure(gptimage={"api": {"base_url": "http://127.0.0.1:9/v1", **FAST}})
    made.write({"index.md": block(prompt="A cat"), "dog.md": block(prompt="A dog")})
    for spec in (CAT, DOG, OLD):
        put_long_ago(made, spec)
    return made


def put_long_ago(site, spec, store="gptimage"):
    """Store a picture as one that was made two hours ago."""
    entry = put(Store(site.root / store), spec)
    os.utime(entry.path.with_suffix(".json"), (time.time() - 7200,) * 2)
    return entry


def stored(site):
    return set(Store(site.store).digests())


def git(site, *arguments):
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=site.root, check=True, capture_output=True)


def commit(site):
    git(site, "add", ".")
    git(site, "commit", "-m", "x")


def repository(site):
    """Commit all of a site to the branch `main` of a new repository, then store one more picture."""
    git(site, "init", "-b", "main")
    commit(site)
    return put_long_ago(site, NEW)


def test_prune_lists_and_deletes_on_apply(site):
    """Without --apply nothing is deleted; with it, what was listed is."""
    listed = site.gptimage("prune")

    assert listed.code == 0
    assert f"{OLD.digest[:12]}  orphaned" in listed.out
    assert "An old picture" in listed.out
    assert "Unused: 1 picture" in listed.out
    assert stored(site) == {CAT.digest, DOG.digest, OLD.digest}
    applied = site.gptimage("prune", "--apply")
    assert applied.code == 0
    assert "Deleted 1 picture" in applied.out
    assert stored(site) == {CAT.digest, DOG.digest}


def test_prune_for_programs(site):
    """--json names what is unused, and whether it was deleted."""
    reports = [json.loads(site.gptimage("prune", "--json", *more).out) for more in ([], ["--apply"])]

    assert [each["deleted"] for each in reports] == [False, True]
    assert all([orphan["digest"] for orphan in each["orphans"]] == [OLD.digest] for each in reports)
    assert stored(site) == {CAT.digest, DOG.digest}


def test_candidates_can_go(site):
    """A candidate that was not accepted is listed as such, and goes with the others."""
    candidate = ImageSpec("A cat", variant=candidate_variant(1, CAT.digest))
    put_long_ago(site, candidate)

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
    """A block with an error may mean any picture."""
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
    """--since keeps what a branch stores, whatever its pages ask for, and nothing else."""
    repository(site)
    git(site, "switch", "-c", "other")

    done = site.gptimage("prune", "--apply", "--since", "main")

    assert done.code == 0, done.err
    assert stored(site) == {CAT.digest, DOG.digest, OLD.digest}


def test_nothing_of_another_branch_is_run(site):
    """A branch whose site cannot even be read is looked at, without hooks of the repository, and left no trace of."""
    repository(site)
    (site.root / ".git/hooks/post-checkout").write_text("#!/bin/sh\ntouch ran\n")
    (site.root / ".git/hooks/post-checkout").chmod(0o755)
    good = (site.root / "mkdocs.yml").read_text(encoding="utf-8")
    (site.root / "mkdocs.yml").write_text("plugins: [", encoding="utf-8")
    git(site, "commit", "-a", "-m", "x")
    (site.root / "mkdocs.yml").write_text(good, encoding="utf-8")

    done = site.gptimage("prune", "--apply", "--since", "HEAD")

    assert done.code == 0, done.err
    assert OLD.digest in stored(site)
    assert not (site.root / "ran").exists()


def test_a_site_below_the_root_of_its_repository(tmp_path):
    """The store of the other branch is looked for where this one lies, under any name."""
    site = Site(tmp_path / "docs of é")
    site.root.mkdir()
    site.configure(gptimage={"store": ":(top) pictures"})
    site.write({"index.md": block(prompt="A cat")})
    put_long_ago(site, CAT, ":(top) pictures")
    put_long_ago(site, OLD, ":(top) pictures")
    git(Site(tmp_path), "init", "-b", "main")
    commit(site)

    done = site.gptimage("prune", "--apply", "--since", "main")

    assert done.code == 0, done.err
    assert "Deleted 0 pictures" in done.out


def without_pictures(site):
    """A branch that has no store."""
    git(site, "switch", "--orphan", "empty")
    git(site, "commit", "--allow-empty", "-m", "x")
    git(site, "switch", "main")


def elsewhere(site):
    """Move the store out of the repository, with a link in its place."""
    outside = site.store.rename(site.root.parent / f"{site.root.name}-store")
    site.store.symlink_to(outside)


REFUSED = {
    "unknown": ("nonsense", None, "--since nonsense: not a branch, tag or commit of this repository"),
    "like an option": ("--help", None, "--since --help: not a branch, tag or commit of this repository"),
    "not a commit": ("HEAD:docs", None, "--since HEAD:docs: not a branch, tag or commit of this repository"),
    "without pictures": ("empty", without_pictures, "--since empty: no pictures are stored there in 'gptimage'"),
    "store outside": ("main", elsewhere, "lies outside the git repository"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_branch_that_cannot_be_read_stops_it(site, case):
    """When it is not known what a branch stores, or that is nothing, nothing is deleted, and the reason is reported."""
    ref, prepare, message = REFUSED[case]
    repository(site)
    if prepare:
        prepare(site)

    done = site.gptimage("prune", "--apply", f"--since={ref}")

    assert done.code == 2, done.out
    assert message in done.err
    assert "nothing was deleted" in done.err
    assert {OLD.digest, NEW.digest} <= stored(site)


@pytest.mark.parametrize(
    ("env", "message"),
    [({}, "--since main: git finds no repository at"), ({"PATH": ""}, "--since main: git cannot be started (No such")],
)
def test_without_git_or_a_repository(site, env, message):
    """Without git, and in a folder that is in no repository, nothing is deleted."""
    done = site.gptimage("prune", "--apply", "--since", "main", env=env)

    assert done.code == 2
    assert message in done.err
    assert "nothing was deleted" in done.err
    assert len(stored(site)) == 3


def test_a_journal_in_a_branch_is_no_store(site):
    """What a branch has in the journal's folder of the store counts for no picture."""
    repository(site)
    git(site, "checkout", "-b", "odd")
    git(site, "rm", "-r", "--cached", "gptimage")
    planted = site.store / ".journal" / "ab" / f"{OLD.digest}.json"
    claim_folder(site.store / ".journal")
    planted.parent.mkdir()
    planted.write_text("{}")
    git(site, "add", "-f", os.fspath(planted))
    git(site, "commit", "-m", "x")
    done = site.gptimage("prune", "--apply", "--since", "odd")

    assert done.code == 2
    assert "--since odd: no pictures are stored there in 'gptimage'" in done.err
    assert len(stored(site)) == 4


def test_files_of_the_cache(site):
    """Files that no manifest of a used picture lists are deleted; those of used pictures, and recent ones, stay."""
    site.write({"old.md": block(prompt="An old picture"), "missing.md": block(prompt="Missing")})
    assert site.build().code == 0
    (site.root / "docs/old.md").unlink()
    (site.root / "docs/missing.md").unlink()
    web = site.root / ".cache/gptimage" / WEB
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


SITES_WITH_DRAFTS = [
    ({"draft_docs": "drafts/\n"}, "drafts/next.md", ""),
    (
        {"plugins": ["blog"], "theme": {"name": "material"}},
        "blog/posts/next.md",
        "---\ndate: 2026-01-01\ndraft: true\n---\n",
    ),
]


@pytest.mark.parametrize(("changes", "page", "meta"), SITES_WITH_DRAFTS, ids=["draft_docs", "blog"])
def test_pictures_of_drafts_are_needed(site, changes, page, meta):
    """What only a draft shows on a development server is neither orphaned nor pruned, nor missing for a build."""
    site.configure(**changes)
    site.write(
        {page: f"{meta}# Next\n\n{block(prompt='An old picture')}\n{block(prompt='Not made')}", "blog/index.md": "#"}
    )

    listed, checked, pruned = site.gptimage("list"), site.gptimage("check"), site.gptimage("prune", "--apply")

    assert f"{OLD.digest}\tdraft\tgptimage/" in listed.out
    assert f"docs/{page}:" in listed.out
    assert checked.code == 0, checked.out
    assert pruned.code == 0, pruned.err
    assert stored(site) == {CAT.digest, DOG.digest, OLD.digest}


def test_nothing_goes_while_a_draft_has_problems(site):
    """A draft whose block is not valid may mean any picture, though a build has no problem with it."""
    site.configure(draft_docs="drafts/\n")
    site.write({"drafts/next.md": block(prompt="An old picture", size="16:10")})

    done = site.gptimage("prune", "--apply")

    assert done.code == 1
    assert "docs/drafts/next.md:3: size: '16:10' is not a size" in done.err
    assert len(stored(site)) == 3
    assert site.gptimage("check").code == 0


def test_now_deletes_what_was_stored_just_now(site):
    """--now deletes at once, without --apply, also what is younger than an hour; what pages need stays."""
    young = ImageSpec("Just made")
    put(Store(site.store), young)

    done = site.gptimage("prune", "--now")

    assert done.code == 0, done.err
    assert Store(site.store).get(young.digest) is None
    assert site.gptimage("check").code == 0


def test_what_was_stored_just_now_stays(site):
    """A picture younger than an hour may be one of a run that goes on; it is listed and stays."""
    young = ImageSpec("Just made")
    put(Store(site.store), young)

    done = site.gptimage("prune", "--apply")

    assert re.search(rf"^{young.digest[:12]}  orphaned .*\(younger than an hour: stays\)$", done.out, re.MULTILINE)
    assert "Deleted 1 picture" in done.out
    assert stored(site) == {CAT.digest, DOG.digest, young.digest}


def test_what_is_stored_while_the_pages_are_read_stays(site):
    """Only what the store had before the first page was read can go, whatever its age says."""
    late = put_long_ago(site, ImageSpec("Late"))
    kept = site.root / "late"
    late.path.parent.rename(kept)
    (site.root / "hook.py").write_text(
        f"import os\ndef on_env(env, config, files):\n    if os.path.exists({str(kept)!r}):\n"
        f"        os.rename({str(kept)!r}, {str(late.path.parent)!r})\non_env.mkdocs_priority = 100\n"
    )
    site.configure(hooks=["hook.py"])

    done = site.gptimage("prune", "--apply")

    assert done.code == 0, done.err
    assert stored(site) == {CAT.digest, DOG.digest, late.digest}


def test_nothing_goes_after_a_warning(site):
    """A page that a plugin could not render, and replaced by its error, may ask for any picture."""
    site.configure(plugins=["macros"])
    site.write({"old.md": "{{ versions.items() }}\n\n" + block(prompt="An old picture")})

    listed, applied = site.gptimage("prune"), site.gptimage("prune", "--apply")

    assert listed.code == 0
    assert "--apply would delete nothing: a page may lack some of its text" in listed.err
    assert applied.code == 1
    assert "nothing was deleted: a page may lack some of its text, because of this warning: mkdocs." in applied.err
    assert len(stored(site)) == 3


@pytest.mark.parametrize(
    "text",
    [
        "INHERIT: mkdocs.yml\ndocs_dir: other\n",
        "site_name: Other\nplugins:\n  - gptimage\ndocs_dir: other\n",
        "INHERIT: 'base.yml' # common\ndocs_dir: other\n",
    ],
)
def test_a_configuration_that_never_used_the_store_is_named(site, text):
    """Nothing is deleted until the other configuration was built once, or its pages are read as well."""
    (site.root / "mkdocs.yml").rename(site.root / "base.yml")
    (site.root / "mkdocs.yml").write_text("INHERIT: base.yml\n")
    (site.root / "mkdocs.other.yml").write_text(text)
    (site.root / "other").mkdir()
    (site.root / "other/index.md").write_text(block(prompt="An old picture"))

    refused = site.gptimage("prune", "--apply")

    assert refused.code == 1
    assert "nothing was deleted: mkdocs.other.yml uses the same store and has not said" in refused.err
    assert "build it once, or give --also mkdocs.other.yml" in refused.err
    assert len(stored(site)) == 3
    done = site.gptimage("prune", "--apply", "--also", "mkdocs.other.yml")
    assert done.code == 0, done.err
    assert len(stored(site)) == 3


def test_other_files_of_yaml_are_no_configurations(site):
    """A workflow that runs the command, and a comment, are no configurations."""
    (site.root / ".gitlab-ci.yml").write_text("check:\n  script:\n    - gptimage check\n")
    (site.root / "mkdocs.plain.yml").write_text("site_name: x\nplugins:\n  - search\n  # - gptimage\n")

    assert site.gptimage("prune", "--apply").code == 0
    assert stored(site) == {CAT.digest, DOG.digest}


def test_what_a_kill_left_is_found_and_deleted(site):
    """Half-written files of killed runs, in the store and everywhere in the cache, are listed and deleted."""
    assert site.gptimage("gallery", "-o", "x.html").code == 0
    cache, shard = site.root / ".cache" / "gptimage", site.store / CAT.digest[:2]
    name = f".{'0' * 12}{'a' * 16}.part"
    left = [
        shard / name,
        cache / name,
        cache / WEB / name,
        cache / "parts" / name,
        cache / "parts" / f"{CAT.digest}-{'a' * 16}",
    ]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
        os.utime(path, (time.time() - 7200,) * 2)
    fresh = shard / f".{'0' * 12}{'b' * 16}.part"
    fresh.write_bytes(b"half")
    listed = json.loads(site.gptimage("prune", "--json").out)
    applied = site.gptimage("prune", "--apply")

    assert set(map(str, left)) <= set(listed["files"])
    assert "5 unfinished files left by runs that were killed" in applied.out
    assert not any(path.exists() for path in left)
    assert fresh.exists()


def test_pictures_of_another_program_stay(site):
    """A store option can name a folder in which another program keeps files by their digests: they are not ours."""
    name = "ab" * 32
    theirs = [site.store / "ab" / f"{name}.jpg", site.store / "ab" / f"{name[:-2]}cd.json"]
    for path in theirs:
        path.parent.mkdir(exist_ok=True)
        path.write_text('{"theirs": 1}')
        os.utime(path, (time.time() - 7200,) * 2)
    done = site.gptimage("prune", "--apply")

    assert done.code == 0, done.err
    assert all(path.exists() for path in theirs)


def test_a_deletion_that_was_cut_off_is_completed(site):
    """Of a picture that a killed run was deleting, the record and the image under its hidden name are deleted."""
    image = put_long_ago(site, NEW).path
    left = [image.with_suffix(".json"), image.with_name(f".{NEW.digest[:12]}{'a' * 16}.part")]
    image.rename(left[1])
    os.utime(left[1], (time.time() - 7200,) * 2)
    done = site.gptimage("prune", "--apply")

    assert done.code == 0, done.err
    assert not any(path.exists() for path in left)
