"""`mkdocs serve` pays only when asked, whatever its hooks and plugins build meanwhile."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time

import nested_builds
import pytest
import scripted_service
import yaml
from scripted_service import KEY
from sites import environment

from mkdocs_gptimage.hosts.mkdocs.dev_server import VARIABLE, Announcement, is_started_by_server

# Each of them builds the nested site; `gptimage generate` pays in its own name.
BUILDERS = ("build()", "mkdocs build", "spawned pool", "forked pool", "Material's projects")


def serve_once(root):
    """Run `mkdocs serve` until it has built the site, and return what it said."""
    port = scripted_service.unused_port()
    command = [sys.executable, "-m", "mkdocs", "serve", "--no-livereload", "-a", f"127.0.0.1:{port}"]
    env = environment({"APIMASTER_API_KEY": KEY})
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=root, env=env, stdout=pipe, stderr=subprocess.STDOUT, text=True) as process:
        said = []
        for line in process.stdout:
            said.append(line)
            if re.search(r"Serving on|Aborted|Error", line):
                process.send_signal(signal.SIGINT)
                break
        return "".join(said) + process.stdout.read()


@pytest.mark.parametrize("neighbour", BUILDERS)
def test_what_is_built_under_a_server_pays_nothing(service, tmp_path, neighbour):
    """A nested site with a key shows cards while a server runs, in whatever process a hook builds it."""
    nested = nested_builds.Nested(tmp_path, service.base_url)
    nested.configure(neighbour)
    file = nested.folder / "mkdocs.yml"
    config = yaml.safe_load(file.read_text())
    del config["plugins"][0]["gptimage"]["on_missing"]
    file.write_text(yaml.safe_dump(config))
    said = serve_once(tmp_path)

    assert "Serving on" in said
    assert "read.txt" in nested.written()
    assert service.of("submit") == []


def test_own_files_cause_no_rebuild(tmp_path):
    """With the whole project watched, only the author's files cause a rebuild, not the store and the cache."""
    config = {"site_name": "a", "plugins": ["gptimage"], "watch": ["."], "theme": {"name": "mkdocs"}}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(config))
    page = tmp_path / "docs/index.md"
    page.parent.mkdir()
    page.write_text("```gpt-image\nprompt: a cat\n```\n")
    port = scripted_service.unused_port()
    command = [sys.executable, "-m", "mkdocs", "serve", "--livereload", "-a", f"127.0.0.1:{port}"]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, env=environment(), **pipe) as process:
        try:
            next(line for line in process.stdout if "Serving on" in line)
            time.sleep(0.8)  # the first look of the observer
            for folder in ("gptimage/3f", ".cache/gptimage/sheets"):
                (tmp_path / folder).mkdir(parents=True)
                (tmp_path / folder / "new").write_text("x")
            time.sleep(1.5)
            (tmp_path / "notes.txt").write_text("x")
            said = []
            for line in process.stdout:
                said.append(line)
                if "Reloading browsers" in line:
                    break
            time.sleep(1.5)
        finally:
            process.send_signal(signal.SIGINT)
        said += process.stdout

    assert sum("Detected file changes" in line for line in said) == 1


def test_the_variable_is_as_before_when_the_server_ends(monkeypatch):
    """What is started after a server is no part of it, and what one has started stays so."""
    monkeypatch.delenv(VARIABLE, raising=False)
    outer, inner = Announcement(), Announcement()
    outer.begin()
    inner.begin()
    inner.end()
    assert is_started_by_server()
    outer.end()
    assert VARIABLE not in os.environ
    outer.end()
    assert not is_started_by_server()
