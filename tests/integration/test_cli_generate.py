"""`gptimage generate`: asks before it pays, and makes what it was asked for."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import harness
import pytest
from scripted_service import KEY
from sites import FAST, Site, block, environment

from mkdocs_gptimage.catalog.selection import complete_digest
from mkdocs_gptimage.plan.plan import limit_to
from mkdocs_gptimage.spec.model import ImageSpec, reference_to
from mkdocs_gptimage.store.store import Store

ENV = {"APIMASTER_API_KEY": KEY}
IDENTITY = ["-c", "user.name=Test", "-c", "user.email=test@example.invalid"]
COMMAND = [sys.executable, "-c", "from mkdocs_gptimage.cli import main; main()"]


@pytest.fixture
def site(tmp_path, service):
    """Four pictures on three pages, for a quarter of a dollar each."""
    made = Site(tmp_path)
    made.configure(gptimage={"prices": {"1k": 0.25}, "api": {"base_url": service.base_url, **FAST}})
    made.write(
        {
            "index.md": block(prompt="A cat", id="cat", dark={"prompt": "A cat by night"}),
            "guide/dog.md": block(prompt="A dog", id="dog"),
            "guide/bird.md": block(prompt="A bird"),
        }
    )
    return made


def prompts(service):
    return sorted(request.json["prompt"] for request in service.of("submit"))


def in_terminal(site, *arguments, answer):
    """The exit code of a command in a terminal, and all that it shows there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments], cwd=site.root, env=environment(ENV), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    os.write(ours, answer.encode())
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # how Linux reports that the other end is closed
        pass
    os.close(ours)
    return process.wait(timeout=60), shown.decode()


@pytest.mark.parametrize(("answer", "code", "made"), [("y\n", 0, 4), ("n\n", 1, 0), ("\n", 1, 0)])
def test_generate_asks_in_a_terminal(site, service, answer, code, made):
    """In a terminal, the number and the total are shown, and only a yes pays."""
    found, shown = in_terminal(site, "generate", answer=answer)

    assert "Make 4 pictures ($1)? [y/N]" in shown
    assert (found, len(service.of("submit"))) == (code, made)


@pytest.mark.parametrize("is_on_another_branch", [False, True])
def test_what_a_picture_replaces_can_be_deleted_at_once(site, is_on_another_branch):
    """Where a changed prompt is drawn, the former picture is offered for deletion, unless another branch stores it."""
    site.write({"guide/bird.md": block(prompt="A bird on a wire")})
    former = ImageSpec("A bird on a wire").digest
    subprocess.run(["git", "init", "-b", "main"], cwd=site.root, check=True, capture_output=True)
    assert site.gptimage("generate", env=ENV).code == 0
    for arguments in (["add", "."], ["commit", "-m", "All"]):
        subprocess.run(["git", *IDENTITY, *arguments], cwd=site.root, check=True, capture_output=True)
    if is_on_another_branch:
        subprocess.run(["git", "branch", "other"], cwd=site.root, check=True)
    site.write({"guide/bird.md": block(prompt="A bird on a roof")})

    code, shown = in_terminal(site, "generate", answer="y\ny\n")

    assert code == 0, shown
    assert ("needs it. Delete it? [y/N]" in shown) is not is_on_another_branch
    assert (Store(site.store).get(former) is not None) is is_on_another_branch
    assert site.gptimage("check").code == 0


def test_generate_does_not_ask_with_yes(site, service):
    """--yes does not ask."""
    code, shown = in_terminal(site, "generate", "--yes", answer="")

    assert "[y/N]" not in shown
    assert (code, len(service.of("submit"))) == (0, 4)


def test_generate_does_not_ask_without_a_terminal(site, service):
    """A script says what it pays for, and goes on."""
    done = site.gptimage("generate", env=ENV)

    assert done.code == 0
    assert done.lines[0] == "Making 4 pictures ($1)"
    assert len(service.of("submit")) == 4


def test_generate_does_not_ask_for_nothing(site, service):
    """When nothing is missing, there is nothing to ask."""
    site.gptimage("generate", env=ENV)

    code, shown = in_terminal(site, "generate", answer="")

    assert (code, "[y/N]" in shown) == (0, False)
    assert len(service.of("submit")) == 4


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["docs/guide/dog.md"], ["A dog"]),
        (["guide/dog.md"], ["A dog"]),
        (["guide"], ["A bird", "A dog"]),
        (["dog"], ["A dog"]),
        (["cat"], ["A cat", "A cat by night"]),
        (["dog", "guide/bird.md"], ["A bird", "A dog"]),
        ([ImageSpec("A bird").digest[:8]], ["A bird"]),
    ],
)
def test_only(site, service, names, expected):
    """--only makes what pages, folders, ids and digests ask for; what it leaves out is no failure."""
    done = site.gptimage("generate", *[part for name in names for part in ("--only", name)], env=ENV)

    assert done.code == 0, done.err
    assert prompts(service) == expected
    assert f"{4 - len(expected)} picture" in done.lines[-1]


def test_only_asks_when_a_name_means_two_things(site, service):
    """A name that is a folder and another picture's id pays for nothing; with a slash it is the folder."""
    site.write({"cats.md": block(prompt="A tiger", id="guide")})

    done = site.gptimage("generate", "--only", "guide", env=ENV)

    assert done.code == 2
    assert "'guide' is a folder and an id; write 'guide/' for the folder, or the digest" in done.err
    assert prompts(service) == []
    assert site.gptimage("generate", "--only", "guide/", env=ENV).code == 0
    assert prompts(service) == ["A bird", "A dog"]


def test_only_brings_parents_along(site, service):
    """A dark twin alone is drawn from its picture, which is made first."""
    light = ImageSpec("A cat")
    twin = ImageSpec("A cat by night", references=(reference_to(light),))

    done = site.gptimage("generate", "--only", twin.digest[:12], env=ENV)

    assert done.code == 0, done.err
    assert prompts(service) == ["A cat", "A cat by night"]


def test_only_wants_names_that_mean_something(site, service):
    """A page that does not exist is wrong usage: the message suggests the nearest one, and nothing is paid."""
    done = site.gptimage("generate", "--only", "docs/guide/dug.md", "--only", "zebra", env=ENV)

    assert done.code == 2
    assert "'docs/guide/dug.md': expected a page, a line of a block, an id or a digest" in done.err
    assert "did you mean 'docs/guide/dog.md'?" in done.err
    assert "'zebra': expected" in done.err
    assert service.of("submit") == []


@pytest.mark.parametrize("name", ["docs/index.md:{}", "./docs/index.md:{}", "index.md:{}:1", "docs\\index.md:{}"])
def test_a_line_of_a_block_names_its_picture(site, service, name):
    """What an editor or a message shows names the picture, as an argument; a line between blocks the nearest one."""
    site.write({"index.md": f"# Home\n\n{block(prompt='Above')}\nWords.\n\n{block(prompt='Below')}"})
    lines = (site.root / "docs/index.md").read_text().splitlines()
    within = next(number for number, line in enumerate(lines, 1) if "Below" in line)

    missed = site.gptimage("generate", "docs/index.md:1", env=ENV)
    done = site.gptimage("generate", name.format(within), env=ENV)

    assert "the nearest block is at docs/index.md:3" in missed.err
    assert (missed.code, done.code) == (2, 0), done.err
    assert prompts(service) == ["Below"]


@pytest.mark.parametrize("limit", [0, 1, 3, 9])
def test_limit(site, service, limit):
    """--limit pays for at most so many pictures, and the next run makes the others."""
    done = site.gptimage("generate", "--limit", str(limit), env=ENV)

    assert done.code == 0, done.err
    assert len(service.of("submit")) == min(limit, 4)
    assert site.gptimage("generate", env=ENV).code == 0
    assert len(service.of("submit")) == 4


def test_limit_counts_parents(tmp_path):
    """What a picture is drawn from comes first and counts, also when no page shows it."""
    parent = ImageSpec("a sketch")
    child = ImageSpec("a painting", references=(reference_to(parent),))
    site = harness.Site(harness.settings(tmp_path, "http://127.0.0.1:9/v1"), harness.catalog(child))

    plans = [limit_to(site.plan(), most) for most in range(3)]

    assert [[row.picture.spec.prompt for row in plan.rows] for plan in plans] == [
        [],
        ["a sketch"],
        ["a sketch", "a painting"],
    ]


def test_a_failure_outside_of_the_selection_is_none(site, service):
    """What was not asked for is not reported, and does not fail the command."""
    store = Store(site.store)
    site.gptimage("generate", "--only", "dog", env=ENV)
    store.get(ImageSpec("A dog").digest).path.unlink()

    done = site.gptimage("generate", "--only", "cat", "--json", env=ENV)

    assert done.code == 0, done.err
    assert json.loads(done.out)["problems"] == []
    assert len(service.of("submit")) == 3


@pytest.mark.parametrize("name", ["abc", "zzzzzz", ""])
def test_short_digests_mean_nothing(name):
    """Fewer than six digits, or other letters, are no beginning of a digest."""
    assert complete_digest(name, ["abc" + "0" * 61]) is None
