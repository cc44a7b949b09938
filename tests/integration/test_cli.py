"""The command line sees what the build sees, and says with its exit code what it found."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys

import httpx
import pytest
from sites import FAST, Site, block, environment

from mkdocs_gptimage import emulator

KEY = {"APIMASTER_API_KEY": "sk-for-the-tests"}
EXTENSIONS = ["pymdownx.superfences", {"pymdownx.snippets": {"base_path": ["includes"]}}]


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    made.configure(
        plugins=[{"macros": {}}],
        markdown_extensions=EXTENSIONS,
        gptimage={"prices": {"1k": 0.25}, "api": {"base_url": "http://127.0.0.1:9/v1", **FAST}},
    )
    (tmp_path / "includes").mkdir()
    (tmp_path / "includes/part.md").write_text(block(prompt="Included"), encoding="utf-8")
    made.write(
        {
            "index.md": "# Home\n\n" + block(prompt="Plain", size="16:9") + '\n--8<-- "part.md"\n',
            "macro.md": '{% for n in ["one", "two"] %}\n' + block(prompt="Macro {{ n }}") + "{% endfor %}\n",
        }
    )
    return made


@pytest.fixture(scope="module")
def service():
    with emulator.serving(emulator.Settings(speed=200)) as base_url:
        yield base_url


def test_plan_sees_macros_and_snippets(site):
    """`plan` lists what the build would ask for, with page, line and price, without key or network."""
    (site.root / "site").mkdir()
    (site.root / "site/kept.txt").write_text("mine", encoding="utf-8")

    planned = site.gptimage("plan", "--json")

    assert planned.code == 1
    plan = json.loads(planned.out)
    assert [picture["prompt"] for picture in plan["pictures"]] == ["Plain", "Included", "Macro one", "Macro two"]
    assert plan["pictures"][0]["uses"] == [{"page": "docs/index.md", "line": 3}]
    assert plan["pictures"][1]["uses"] == [{"page": "docs/index.md", "line": None}]
    assert plan["price_usd"] == 1.0
    assert plan["counts"]["missing"] == 4
    assert (site.root / "site/kept.txt").exists(), "planning must not empty the built site"
    assert not (site.root / ".cache").exists()


def test_plan_as_text(site):
    """Without --json, `plan` prints a line per picture and a line that counts."""
    planned = site.gptimage("plan")

    assert planned.code == 1
    assert re.search(r"^[0-9a-f]{12}  new  16:9  1k  \$0\.25  docs/index\.md:3 +Plain$", planned.out, re.MULTILINE)
    assert planned.out.endswith("4 pictures: 0 cached, 4 new; 4 to pay for ($1)\n")


def test_generate_then_check(site, service):
    """`generate` makes all of it, `check` then finds nothing to complain about, and nothing is made twice."""
    env = {**KEY}
    text = (site.root / "mkdocs.yml").read_text("utf-8").replace("http://127.0.0.1:9/v1", service)
    (site.root / "mkdocs.yml").write_text(text, encoding="utf-8")

    made = site.gptimage("generate", "--json", env=env)

    assert made.code == 0, made.err
    assert len(json.loads(made.out)["generated"]) == 4
    assert "docs/index.md:3: submitted 16:9 1k task_" in made.err
    checked = site.gptimage("check")
    assert checked.code == 0
    assert checked.out.endswith("4 pictures: 4 cached\n")
    again = site.gptimage("generate")
    assert (again.code, again.out) == (0, "4 pictures: 4 cached, 0 generated, 0 failed\n")


def test_generate_without_key(site):
    """Without a key, `generate` exits with 2 and names the variable."""
    made = site.gptimage("generate")

    assert made.code == 2
    assert "set the environment variable APIMASTER_API_KEY" in made.err


@pytest.mark.parametrize("command", ["plan", "check", "generate"])
def test_invalid_blocks(site, command):
    """Every command reports problems of blocks, and exits with 1."""
    site.write({"bad.md": block(prompt="x", size="16:10")})

    done = site.gptimage(command, env=KEY)

    assert done.code == 1
    assert "docs/bad.md:3: size: '16:10' is not a size; did you mean '16:9'?" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plan", "-f", "no.yml"], "no.yml"),
        (["nonsense"], "No such command"),
        (["emulator", "--speed", "0"], "--speed"),
    ],
)
def test_wrong_usage(site, arguments, message):
    """Wrong usage exits with 2 and says what is wrong."""
    done = site.gptimage(*arguments)

    assert done.code == 2
    assert message in done.err


def test_site_without_the_plugin(site):
    """A site that does not use the plugin is a wrong configuration."""
    (site.root / "mkdocs.yml").write_text("site_name: x\n", encoding="utf-8")

    done = site.gptimage("plan")

    assert done.code == 2
    assert "the plugin 'gptimage' is not in 'plugins'" in done.err


def test_misspelt_option_is_reported(site):
    """An option that MkDocs ignores is not ignored in silence, least of all a budget."""
    text = (site.root / "mkdocs.yml").read_text("utf-8").replace("prices:", "bugdet: {images: 0}\n    prices:")
    (site.root / "mkdocs.yml").write_text(text, encoding="utf-8")

    planned = site.gptimage("plan")

    assert "Unrecognised configuration name: bugdet" in planned.err


@contextlib.contextmanager
def running(*arguments, cwd, env=None):
    """A process that is asked to end, and must, when the context does."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=10)
        finally:
            process.kill()


@pytest.mark.parametrize(("prices", "total"), [({}, 0), ({"1k": 0.25}, 0.5)])
def test_pictures_of_the_built_in_emulator_are_free(site, prices, total):
    """A plan for the built-in emulator names no price to look up, but takes one that a site rehearses with."""
    site.configure(gptimage={"api": {"base_url": "emulator"}, "prices": prices})
    site.write({"index.md": block(prompt="One") + "\n" + block(prompt="Two"), "macro.md": ""})

    assert json.loads(site.gptimage("plan", "--json").out)["price_usd"] == total


def test_emulator_command(site):
    """`gptimage emulator` prints its address, answers there, and ends at Ctrl-C."""
    command = ["-c", "from mkdocs_gptimage.cli import main; main()", "emulator", "--port", "0", "--key", "k"]
    with running(*command, cwd=site.root) as process:
        url = re.search(r"http://127\.0\.0\.1:\d+/v1", process.stdout.readline())[0]

        refused = httpx.post(f"{url}/images/generations", json={}, headers={"Authorization": "Bearer other"})

        assert refused.status_code == 401
    assert process.returncode == 0


def test_commands_work_from_another_folder(site):
    """`-f` may point into another folder; paths are relative to that file."""
    elsewhere = Site(site.root.parent)

    done = elsewhere.gptimage("plan", "-f", os.path.relpath(site.root / "mkdocs.yml", elsewhere.root))

    assert done.code == 1
    assert "docs/index.md:3" in done.out
