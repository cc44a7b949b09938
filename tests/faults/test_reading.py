"""What a site can do to its reader: commands that read it run its hooks and plugins, without keys and not for long."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import nested_builds
import pytest
import sites
from scripted_service import KEY
from sites import block
from waits import until

KEYS = {"APIMASTER_API_KEY": KEY, "OTHER_API_KEY": KEY, "INHERITED_API_KEY": KEY}
# Notes the values of the environment when it is imported, when pages are read, and those of a child process.
TELLTALE = """
import os, subprocess, sys

def note(name):
    with open("seen.txt", "a") as file:
        file.write(f"{name} {sorted(os.environ.items())}\\n")

note("import")

def on_page_content(html, page, config, files):
    note("page")
    subprocess.run([sys.executable, "-c", "import os; open('seen.txt', 'a').write(f'child {dict(os.environ)}')"])
"""
READERS = ("plan", "check", "check --store-only", "list", "prune", "gallery", "generate", "regenerate --discard 00")
# Processes that a hook starts and forgets; each is to note its id.
NOTE = "import os, pathlib, signal, time; {}; pathlib.Path('ids', str(os.getpid())).touch(); time.sleep(600)"
FORGOTTEN = """
import multiprocessing, os, pathlib, signal, subprocess, sys, time

def wait():
    pathlib.Path("ids", str(os.getpid())).touch()
    time.sleep(600)

def on_pre_build(config):
    note = [sys.executable, "-c", {note!r}]
    deaf = [sys.executable, "-c", {deaf!r}]
    subprocess.Popen(note)
    subprocess.Popen(note, start_new_session=True)
    subprocess.Popen(deaf)
    subprocess.run(["sh", "-c", '"$0" -c "$1" &', *note[::2]])
    multiprocessing.get_context("fork").Process(target=wait).start()
    while len(os.listdir("ids")) < 5:
        time.sleep(0.02)
    {last}
"""
COUNT = 5
PATIENCE = 60.0


def forgetful(last: str = "") -> str:
    deaf = NOTE.format("signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    return FORGOTTEN.format(note=NOTE.format("pass"), deaf=deaf, last=last)


def alive(site) -> list[str]:
    """The processes that a hook has started and that still run."""
    found = []
    for path in (site.root / "ids").iterdir():
        stat = Path("/proc", path.name, "stat")
        if stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
            found.append(path.name)
    return found


@pytest.fixture
def site(tmp_path):
    made = sites.Site(tmp_path)
    made.write({"index.md": block(prompt="one")})
    (tmp_path / "ids").mkdir()
    return made


def configure(site, hook, **options):
    (site.root / "hook.py").write_text(hook)
    site.configure(hooks=["hook.py"], gptimage=options)


@pytest.mark.parametrize(
    ("command", "key_env"),
    [
        *((command, "APIMASTER_API_KEY") for command in READERS),
        *(("plan", key_env) for key_env in ("OTHER_API_KEY", "!ENV NAME_OF_IT", "inherited", "of a nested site")),
    ],
)
def test_no_hook_sees_a_key_while_its_site_is_read(site, command, key_env):
    """Neither the import of a hook, nor an event, nor a child process has the key of the site in its environment."""
    configure(site, TELLTALE, api={"key_env": key_env, "base_url": "http://127.0.0.1:1/v1"}, budget={"images": 0})
    config = site.root / "mkdocs.yml"
    text = config.read_text()
    if key_env == "inherited":
        (site.root / "base.yml").write_text(text.replace("inherited", "INHERITED_API_KEY"))
        config.write_text("INHERIT: base.yml\n")
    elif key_env.startswith("!"):
        config.write_text(text.replace("'!ENV NAME_OF_IT'", "!ENV [NAME_OF_IT, OTHER_API_KEY]"))
    elif key_env == "of a nested site":
        config.write_text(text.replace(key_env, "OTHER_API_KEY"))
        (site.root / "projects" / "one").mkdir(parents=True)
        (site.root / "projects" / "one" / "mkdocs.yml").write_text(text.replace(key_env, "NESTED_API_KEY"))
    name = {
        "of a nested site": "NESTED_API_KEY",
        "inherited": "INHERITED_API_KEY",
        "!ENV NAME_OF_IT": "OTHER_API_KEY",
    }.get(key_env, key_env)
    done = site.gptimage(*command.split(), env={name: KEY})
    seen = (site.root / "seen.txt").read_text()

    assert "Traceback" not in done.err
    assert "import " in seen
    assert ("child " in seen) == (command not in ("check --store-only", "regenerate --discard 00"))
    assert KEY not in seen


def test_a_reader_keeps_other_keys(site):
    """Reading takes only the site's own key away: what a page says may depend on others."""
    configure(site, TELLTALE)
    site.gptimage("plan", env={"APIMASTER_API_KEY": KEY, "WEATHER_API_KEY": "sunny"})

    assert "sunny" in (site.root / "seen.txt").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are found in /proc")
def test_processes_that_a_hook_forgets_end_with_the_reading(site):
    """Children of every kind end with the command: orphans, those of a session of their own, and deaf ones."""
    configure(site, forgetful())
    done = site.gptimage("plan")

    assert done.code == 1, done.err
    assert len(list((site.root / "ids").iterdir())) == COUNT
    assert not alive(site)


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are found in /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_processes_that_a_hook_forgets_end_with_a_command_that_is_ended(site, number):
    """A command that gets SIGTERM or Ctrl-C takes along what hooks have started, and ends as the signal asks."""
    configure(site, forgetful("pathlib.Path('ready').touch(); time.sleep(600)"))
    command = [sys.executable, "-c", "from mkdocs_gptimage.cli import main; main()", "plan"]
    with subprocess.Popen(command, cwd=site.root, env=sites.environment(), stderr=subprocess.DEVNULL) as process:
        until((site.root / "ready").exists, PATIENCE)
        process.send_signal(number)
        code = process.wait(PATIENCE)

    assert code == (-number if number == signal.SIGTERM else 1)
    assert not alive(site)


def test_processes_of_before_are_left_alone(site):
    """What was running when the reading began goes on, and so do children of a build that reads its languages."""
    configure(site, "")
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as other:
        code = (
            "import subprocess, sys\n"
            "mine = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
            "from mkdocs_gptimage.hosts.mkdocs.site import read_site\n"
            "read_site('mkdocs.yml')\n"
            "print(mine.poll())\n"
            "mine.kill()\n"
        )
        done = sites.run("-c", code, cwd=site.root)
        mine, others = done.out.strip(), other.poll()
        other.kill()

    assert (mine, others) == ("None", None), done.err


def test_a_command_that_only_reads_says_why_it_pays_for_nothing(service, tmp_path):
    """A command that pays, started while another reads, names the variable that forbids it."""
    nested = nested_builds.Nested(tmp_path, service.base_url)
    nested.configure()
    done = nested.site.gptimage("generate", env={"APIMASTER_API_KEY": KEY, "GPTIMAGE_READ_ONLY": "1"})

    assert done.code == 2
    assert "gptimage: nothing was submitted: GPTIMAGE_READ_ONLY is set" in done.err
    assert not service.requests


def test_a_build_under_the_variable_shows_cards(service, tmp_path):
    """Where the variable is set by hand, a build shows cards for what is missing, and is a whole site otherwise."""
    nested = nested_builds.Nested(tmp_path, service.base_url)
    nested.configure()
    built = nested.site.build(env={"APIMASTER_API_KEY": KEY, "GPTIMAGE_READ_ONLY": "1"})

    assert built.code == 0, built.err
    assert len(nested.site.figures("index.html")) == 2
    assert "shows a placeholder" in built.err
    assert not service.requests


def test_the_host_that_gets_the_key_is_named_once(service, site):
    """A run that submits says once where the key goes, and a run that does not says nothing of it."""
    site.configure(gptimage={"api": {"base_url": service.base_url, **sites.FAST}})
    site.write({"index.md": block(prompt="one") + "\n" + block(prompt="two")})
    first, second = (site.build(env={"APIMASTER_API_KEY": KEY}) for _ in range(2))
    line = f"The key in APIMASTER_API_KEY is sent to {service.base_url.removeprefix('http://').removesuffix('/v1')}"

    assert (first.err.count(line), second.err.count(line)) == (1, 0), first.err


def test_git_gets_no_key(site, monkeypatch, tmp_path):
    """The git that lists what a branch stores has no key in its environment."""
    configure(site, "")
    tool = tmp_path / "bin" / "git"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\nenv >> {tmp_path}/seen.txt\nPATH="${{PATH#*:}}" exec git "$@"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    site.gptimage("prune", "--since", "HEAD", env={**KEYS})
    seen = (tmp_path / "seen.txt").read_text()

    assert "PATH=" in seen
    assert KEY not in seen


@pytest.mark.parametrize("neighbour", nested_builds.NEIGHBOURS)
def test_a_build_pays_for_the_sites_that_it_builds_inside(service, tmp_path, neighbour):
    """A real build, unlike a command that reads, makes the pictures of its own site and of nested ones, each once."""
    nested = nested_builds.Nested(tmp_path, service.base_url)
    nested.configure(neighbour)
    built = nested.site.build(env={"APIMASTER_API_KEY": KEY})
    prompts = sorted(request.json["prompt"] for request in service.of("submit"))

    assert built.code == 0, built.err
    assert prompts == ["missing", "nested", "stored"]
    assert len(list(nested.site.store.glob("*/*.png"))) == 2
    assert len(nested.site.figures("index.html")) == 2
