"""Whatever the encoding of outputs and files, a command says what it has to say and ends without a traceback."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from sites import FAST, Site, block, environment

PROMPT = "Ein Kätzchen … 猫 🐈"
OUTPUTS = {
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
COMMANDS = [
    ("plan", "-v"),
    ("plan", "--json"),
    ("generate",),
    ("generate", "--json"),
    ("list",),
    ("list", "--json"),
    ("check",),
    ("check", "--json"),
    ("check", "--github"),
    ("check", "--store-only"),
    ("check", "--store-only", "--json"),
    ("prune",),
    ("prune", "--json"),
    ("regenerate", "cat"),
    ("regenerate", "cat", "--json"),
    ("gallery",),
    ("schema",),
    ("schema", "options"),
    ("--help",),
    ("plan", "--kätzchen"),
]


def gptimage(site, *arguments, env):
    """Run a command; return its exit code, and both outputs as bytes."""
    code = [sys.executable, "-c", "from mkdocs_gptimage.cli import main; main()", *arguments]
    done = subprocess.run(code, cwd=site.root, env=environment(env), capture_output=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("output", OUTPUTS)
def test_any_output_takes_what_commands_print(tmp_path, output):
    """Letters that the output lacks are shown by their number, and JSON says the same as ever."""
    site = Site(tmp_path)
    site.configure(gptimage={"api": {"base_url": "emulator", **FAST}})
    site.write({"index.md": block(prompt=PROMPT, caption=PROMPT, id="cat") + block(prompt="x", size="16:9")})
    for arguments in COMMANDS:
        code, out, err = gptimage(site, *arguments, env=OUTPUTS[output])

        assert b"Traceback" not in err, (arguments, err.decode(errors="replace"))
        assert code == (2 if "--kätzchen" in arguments else 1 if arguments[0] == "plan" else 0), (arguments, err)
        if "--json" in arguments:
            json.loads(out.decode("ascii"))
        if arguments == ("plan", "--json"):
            assert PROMPT in [each["prompt"] for each in json.loads(out)["pictures"]]
