"""`gptimage plan`, `check` and `list`: what is stored, what is missing, and what is stored and unused."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import harness
import pytest
from factories import put
from sites import FAST, Site, block, environment

from mkdocs_gptimage.plan.orphans import candidate_variant
from mkdocs_gptimage.plan.status import SiteStatus
from mkdocs_gptimage.report.as_github import github_errors
from mkdocs_gptimage.report.listing import list_items
from mkdocs_gptimage.spec.model import ImageSpec, reference_to
from mkdocs_gptimage.store.audit import verify_all
from mkdocs_gptimage.store.entry import Damage, Entry
from mkdocs_gptimage.store.store import Store
from mkdocs_gptimage.text import Problem

COMMAND = [sys.executable, "-c", "from mkdocs_gptimage.cli import main; main()"]
CAT = ImageSpec("A cat")
OLD = ImageSpec("A quiet harbour at sunset, sailing boats", size="16:9")
NEW = ImageSpec("A quiet harbour at sunset, sailing boats", size="21:9")
LOST = ImageSpec("Something else")
CANDIDATE = ImageSpec("A cat", variant=candidate_variant(1, CAT.digest))


@pytest.fixture
def site(tmp_path):
    """A stored picture, one that is edited, one that is new; and three in the store that no page asks for."""
    made = Site(tmp_path)
    made.configure(gptimage={"prices": {"1k": 0.25}, "api": {"base_url": "http://127.0.0.1:9/v1", **FAST}})
    made.write(
        {
            "index.md": block(prompt=NEW.prompt, size="21:9") + "\n" + block(prompt="A cat"),
            "guide/new.md": block(prompt="Two towers\n\nin the fog"),
        }
    )
    for spec in (CAT, OLD, LOST, CANDIDATE):
        put(Store(made.store), spec)
    return made


@pytest.fixture
def whole(tmp_path):
    """A site whose one picture is stored."""
    made = Site(tmp_path)
    made.configure()
    made.write({"index.md": block(prompt="A cat")})
    put(Store(made.store), CAT)
    return made


def in_terminal(site, columns, *arguments):
    """What a command shows in a terminal that is so wide, without colours; its lines."""
    ours, theirs = pty.openpty()
    env = environment({"COLUMNS": str(columns), "TERM": "xterm"})
    process = subprocess.Popen([*COMMAND, *arguments], cwd=site.root, env=env, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # how Linux reports that the other end is closed
        pass
    os.close(ours)
    process.wait(timeout=60)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode()).replace("\r", "").splitlines()


def test_plan_tells_new_from_changed(site):
    """An edited picture is reported with the fields that changed, and its previous version as outdated."""
    planned = site.gptimage("plan")

    assert planned.code == 1
    assert re.search(rf"^{NEW.digest[:12]}  changed \(size\)  21:9 .* docs/index\.md:1 ", planned.out, re.MULTILINE)
    assert re.search(r"^[0-9a-f]{12}  new +1:1 .* docs/guide/new\.md:1 ", planned.out, re.MULTILINE)
    assert re.search(rf"^{OLD.digest[:12]}  outdated ", planned.out, re.MULTILINE)
    assert re.search(rf"^{LOST.digest[:12]}  orphaned ", planned.out, re.MULTILINE)
    assert re.search(rf"^{CANDIDATE.digest[:12]}  candidate ", planned.out, re.MULTILINE)
    assert "3 pictures: 1 cached, 1 new, 1 changed; 2 to pay for ($0.5)" in planned.out
    assert re.search(r"^Stored, and on no page: .*1 outdated.*: 'gptimage prune' lists", planned.out, re.MULTILINE)


def test_plan_for_programs(site):
    """--json keeps the states that programs know, and adds what changed, from what, and the orphans."""
    report = json.loads(site.gptimage("plan", "--json").out)

    states = {each["prompt"]: each["state"] for each in report["pictures"]}
    assert states == {NEW.prompt: "missing", "A cat": "cached", "Two towers\n\nin the fog": "missing"}
    assert (report["pictures"][0]["changed"], report["pictures"][0]["former"]) == (["size"], OLD.digest)
    assert (report["pictures"][1]["changed"], report["pictures"][1]["former"]) == ([], None)
    found = {each["digest"]: (each["state"], each["candidate_of"], each["number"]) for each in report["orphans"]}
    assert found == {
        OLD.digest: ("outdated", None, None),
        LOST.digest: ("orphaned", None, None),
        CANDIDATE.digest: ("candidate", CAT.digest, 1),
    }


def test_orphans_alone_leave_a_plan_complete(whole):
    """A stored picture that no page asks for needs no action."""
    put(Store(whole.store), LOST)

    assert whole.gptimage("plan").code == 0


@pytest.mark.parametrize("terminal", [False, True])
def test_verbose_shows_whole_prompts(site, terminal):
    """--verbose shows prompts with all their lines."""
    lines = in_terminal(site, 80, "plan", "-v") if terminal else site.gptimage("plan", "--verbose").out.splitlines()

    at = next(number for number, line in enumerate(lines) if "Two towers" in line)
    assert [line.strip() for line in lines[at : at + 3]] == ["Two towers", "", "in the fog"]


@pytest.mark.parametrize("command", ["plan", "check"])
@pytest.mark.parametrize("columns", [80, 120])
def test_terminal(site, columns, command):
    """In a terminal, pictures stand below their pages, and no line is wider than the window."""
    lines = in_terminal(site, columns, command)

    assert max(map(len, lines)) <= columns
    assert lines.index("docs/index.md") < lines.index("docs/guide/new.md") < lines.index("stored, and on no page")
    changed = lines[lines.index("docs/index.md") + 1]
    assert changed.split()[:2] == [NEW.digest[: 12 if columns == 120 else 8], "changed"]
    assert "$0.25" in changed


@pytest.mark.parametrize(("options", "code"), [([], 0), (["--no-orphans"], 1)])
def test_check_fails_for_orphans(whole, options, code):
    """A stored picture that no page asks for is named by a check, and fails it where that is wanted."""
    put(Store(whole.store), LOST)

    checked = whole.gptimage("check", *options)

    assert checked.code == code
    assert f"{LOST.digest[:12]}  orphaned" in checked.out


def test_check_for_github(site):
    """--github prints a workflow command for each problem, at its file and line."""
    cat = Store(site.store).get(CAT.digest)
    cat.path.write_bytes(cat.path.read_bytes()[:-1] + b"\0")
    site.write({"bad.md": block(prompt="x", size="16:10")})

    checked = site.gptimage("check", "--github", "--no-orphans")

    lines = checked.out.splitlines()
    assert checked.code == 1
    assert "::error file=docs/bad.md,line=3,title=gptimage::size: '16:10' is not a size" in lines[0]
    assert any(line.startswith("::error file=docs/index.md,line=6,title=gptimage::") for line in lines)
    assert any(f"line=1,title=gptimage::the picture {NEW.digest[:12]} is not in the store" in line for line in lines)
    orphan = f"::error file=gptimage/{LOST.digest[:2]}/{LOST.digest}.json,title=gptimage::no page asks for"
    assert any(line.startswith(orphan) for line in lines)
    allowed = site.gptimage("check", "--github").out.splitlines()
    assert any(line.startswith(orphan.replace("::error", "::warning")) for line in allowed)
    assert not any(line.startswith(orphan) for line in allowed)


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (
            Problem("x: 50% of it\nand more", "docs/a.md", 3),
            "::error file=docs/a.md,line=3,title=gptimage::x: 50%25 of it%0Aand more",
        ),
        (Problem("whole", "docs/a,b.md"), "::error file=docs/a%2Cb.md,title=gptimage::whole"),
        (Problem("x", "docs/a.md", 3, "dark"), "::error file=docs/a.md,line=3,title=gptimage::x"),
        (Problem("no file"), "::error title=gptimage::no file"),
    ],
)
def test_workflow_commands(tmp_path, monkeypatch, problem, expected):
    """What would end a command, or be taken for a part of it, is escaped as GitHub wants."""
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    (tmp_path / ".git").mkdir()

    assert github_errors([problem], tmp_path) == [expected]


@pytest.mark.parametrize("is_given", [True, False])
def test_files_of_a_site_below_the_root(tmp_path, monkeypatch, is_given):
    """GitHub takes files to be relative to the repository, wherever the site lies in it."""
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    if is_given:
        monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    else:
        (tmp_path / ".git").mkdir()

    assert github_errors([Problem("x", "docs/a.md", 3)], tmp_path / "site") == [
        "::error file=site/docs/a.md,line=3,title=gptimage::x"
    ]


def test_store_only_reads_no_page(site):
    """--store-only verifies all that is stored, whatever the pages say, and finds a flipped bit."""
    site.write({"bad.md": block(prompt="x", size="16:10")})
    good = site.gptimage("check", "--store-only")
    entry = Store(site.store).get(LOST.digest)
    data = bytearray(entry.path.read_bytes())
    data[-20] ^= 1
    entry.path.write_bytes(data)

    bad = site.gptimage("check", "--store-only")

    assert (good.code, good.out) == (0, "4 pictures in the store: 4 whole\n")
    assert bad.code == 1
    assert bad.out.endswith("4 pictures in the store: 3 whole, 1 damaged\n")
    assert f"gptimage/{LOST.digest[:2]}/{LOST.digest}.png: the picture {LOST.digest[:12]} is damaged" in bad.out
    report = json.loads(site.gptimage("check", "--store-only", "--json").out)
    assert (report["verified"], [each["digest"] for each in report["damages"]]) == (4, [LOST.digest])
    assert "::error file=gptimage/" in site.gptimage("check", "--store-only", "--github").out


def test_many_are_verified_in_their_order(tmp_path):
    """Verifying in threads gives each digest what belongs to it."""
    store = Store(tmp_path / "gptimage")
    specs = [ImageSpec(f"Picture {number}") for number in range(50)]
    for spec in specs:
        put(store, spec)
    Path(store.get(specs[7].digest).path).write_bytes(b"x")

    found = verify_all(store, [*(spec.digest for spec in specs), "0" * 64])

    assert [digest for digest, each in found.items() if isinstance(each, Damage)] == [specs[7].digest]
    assert found["0" * 64] is None
    assert all(each.digest == digest for digest, each in found.items() if isinstance(each, Entry))


def test_list_for_scripts(site):
    """`list` prints digest, state, file and pages between tabs, and exits with 0 whatever is missing."""
    listed = site.gptimage("list")

    assert listed.code == 0
    rows = {line.split("\t")[0]: line.split("\t")[1:] for line in listed.out.splitlines()}
    assert rows[CAT.digest] == ["cached", f"gptimage/{CAT.digest[:2]}/{CAT.digest}.png", "docs/index.md:6"]
    assert rows[NEW.digest] == ["missing", "-", "docs/index.md:1"]
    assert rows[OLD.digest][::2] == ["outdated", "-"]
    assert rows[CANDIDATE.digest][0] == "candidate"
    assert len(rows) == 6


def test_list_as_json(site):
    """--json has the same, and the problems of blocks, which make it exit with 1."""
    site.write({"bad.md": block(prompt="x", size="16:10")})

    listed = site.gptimage("list", "--json")

    report = json.loads(listed.out)
    assert listed.code == 1
    assert [each["state"] for each in report["pictures"] if each["candidate_of"]] == ["candidate"]
    assert len(report["problems"]) == 1


def test_list_knows_what_is_not_needed(tmp_path):
    """A parent that is not stored, and that nothing missing is drawn from, is listed as such."""
    sketch = ImageSpec("a sketch")
    painting = ImageSpec("a painting", references=(reference_to(sketch),))
    site = harness.Site(harness.settings(tmp_path, "http://127.0.0.1:9/v1"), harness.catalog(painting))
    put(site.store, painting)

    found = list_items(SiteStatus(site.plan()), tmp_path)

    assert {item.digest: item.state for item in found} == {sketch.digest: "unneeded", painting.digest: "cached"}
