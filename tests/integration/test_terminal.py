"""Texts of a site that would steer a terminal reach none: not by a build, a command, a table or a log."""

from __future__ import annotations

import json
import logging
import re

import harness
import pytest
from sites import FAST, Site, block

from mkdocs_gptimage.plan.plan import make_plan
from mkdocs_gptimage.plan.status import SiteStatus
from mkdocs_gptimage.report.as_table import print_table
from mkdocs_gptimage.store.snapshot import StoreSnapshot
from mkdocs_gptimage.store.store import Store
from mkdocs_gptimage.text import Problem, escaped, plugin_log

STEERING = [*map(chr, (*range(0x20), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F)))]
STEERING += [*map(chr, range(0x2066, 0x206A)), "\ud800", "\udfff"]
FOUND = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
PROMPT = "A \x1b]0;owned\x07cat \x1b[2J\x9b31m\u202etac\u2066\u200f\x7f\x85end"
PAGE = "evil\x1b[31m\u202e\nforged.md"


@pytest.mark.parametrize("character", STEERING, ids=ascii)
def test_what_steers_a_terminal_is_escaped(character):
    """Every control and mark of direction is shown by its number; JSON that holds one means the same."""
    text = json.dumps({"a": f"x{character}y"}, ensure_ascii=False)

    assert escaped(f"x{character}y", keep="") == f"x\\u{ord(character):04x}y"
    assert json.loads(escaped(text)) == {"a": f"x{character}y"}


def test_what_authors_write_stays():
    """Letters of all scripts, emoji of several characters, tabs and line ends are left alone."""
    text = "Ein Kätzchen\tقطة, 猫 👩\u200d🚀 e\u0301\n\\u001b"

    assert escaped(text) == text


def test_a_problem_stands_on_one_line():
    """A file whose name holds a line end cannot forge a second message."""
    assert str(Problem("is wrong", "a\nb.md", 3)) == "a\\u000ab.md:3: is wrong"


def test_log_lines_are_escaped(caplog):
    """What is logged, arguments included, is escaped before any handler sees it."""
    with caplog.at_level(logging.INFO, "mkdocs.plugins.gptimage"):
        plugin_log().info("made %s", "\x1b[31m")

    assert caplog.messages == ["made \\u001b[31m"]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Site:
    site = Site(tmp_path_factory.mktemp("hostile"))
    site.configure(gptimage={"api": {"base_url": "emulator", **FAST}, "on_missing": "generate"})
    site.write({"index.md": "# Home\n", PAGE: block(prompt=PROMPT, id="cat")})
    return site


COMMANDS = (
    ("plan",),
    ("plan", "-v"),
    ("plan", "--json"),
    ("list",),
    ("list", "--json"),
    ("check", "--github"),
    ("generate",),
    ("generate", "--json"),
    ("check",),
    ("check", "--json"),
    ("regenerate", "cat", "--keep"),
    ("check", "--store-only"),
    ("prune",),
    ("gallery",),
)


def test_no_command_prints_them(hostile):
    """Whatever prompts and names of files hold, no command prints a control, and JSON tells what they are."""
    done = {arguments: hostile.gptimage(*arguments) for arguments in COMMANDS}
    prompts = [json.loads(done["plan", "--json"].out)["pictures"][0]["prompt"]]

    assert [arguments for arguments, each in done.items() if FOUND.search(each.out + each.err)] == []
    assert prompts == [PROMPT]
    assert not any("Traceback" in each.err for each in done.values())
    assert [line for each in done.values() for line in each.out.splitlines() if line.startswith("forged")] == []


def test_no_build_prints_them(hostile):
    """Nor does a build, with errors about a block and about an option that hold them."""
    hostile.write({"broken.md": '```gpt-image\nprompt: x\nsize: "1\\e[31m\\u202E"\n```\n'})
    broken = hostile.build()
    (hostile.root / "docs/broken.md").unlink()
    hostile.configure(gptimage={"store": "docs/\x1b[31m\u202e", "styles": {"a\x1b": {"before": 1}}})
    misconfigured = hostile.build()

    for built in (broken, misconfigured):
        assert built.code == 1
        ours = built.err[built.err.index("gptimage: ") :]
        assert not FOUND.search(ours)


def test_the_table_shows_them_escaped(tmp_path, capsys):
    """The table of a terminal has no control of a prompt or of a file."""
    settings = harness.settings(tmp_path, "http://127.0.0.1:1")
    plan = make_plan(harness.catalog(PROMPT), StoreSnapshot(Store(settings.store)), settings)
    print_table(SiteStatus(plan), verbose=True)
    shown = capsys.readouterr().out

    assert not FOUND.search(shown)
    assert "\\u001b" in shown
