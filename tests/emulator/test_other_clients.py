"""A program that others wrote for the service gets its pictures from the emulator."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

import pytest
from PIL import Image

EMULATOR = "from mkdocs_gptimage.cli import main; main()"
# Its pauses are those of the real service, and no option shortens them.
CLIENT = "import time; sleep = time.sleep; time.sleep = lambda _: sleep(0.05); from llm.cli import cli; cli()"


@contextlib.contextmanager
def emulator(*options):
    """`gptimage emulator` in a process of its own; yields the base URL."""
    command = [sys.executable, "-c", EMULATOR, "emulator", "--port", "0", "--speed", "1000", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield next(word for word in process.stdout.readline().split() if word.startswith("http"))
        finally:
            process.terminate()


@pytest.fixture
def llm(tmp_path):
    """Run `llm apimaster`; returns what it printed."""
    env = {**os.environ, "APIMASTER_API_KEY": "sk-test", "LLM_USER_PATH": str(tmp_path / "llm")}

    def run(*arguments):
        command = [sys.executable, "-c", CLIENT, "apimaster", *arguments]
        done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=tmp_path, check=False)

        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.parametrize(("mode", "ask"), [((), ("--async",)), (("--synchronous",), ())])
def test_llm_apimaster_gets_its_picture(llm, tmp_path, mode, ask):
    """`llm apimaster image` saves a picture of the shape that it asks for, with a task and without."""
    with emulator(*mode) as base_url:
        llm("image", "an owl", "--size", "16:9", "-o", "owl.png", "--base-url", base_url, *ask)

    with Image.open(tmp_path / "owl.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (1536, 864))


def test_llm_apimaster_lists_the_models(llm):
    """`llm apimaster refresh` finds the model."""
    with emulator() as base_url:
        said = llm("refresh", "--base-url", base_url)

    assert "Cached 1 models (1 image)" in said
