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


def test_what_plugins_print_is_no_part_of_the_json(tmp_path):
    """A hook that prints while the pages are read does not break JSON; its words go to stderr."""
    site = Site(tmp_path)
    site.configure(hooks=["hook.py"], gptimage={"api": {"base_url": "emulator", **FAST}})
    site.write({"index.md": block(prompt="x")})
    (tmp_path / "hook.py").write_text("def on_files(files, config):\n    print('so many files')\n")
    done = site.gptimage("plan", "--json")

    assert len(json.loads(done.out)["pictures"]) == 1
    assert "so many files" in done.err


UNREADABLE = {
    "latin-1": ("# Kätzchen\n".encode("latin-1"), "is not UTF-8: line 1 holds the byte 0xe4"),
    "UTF-16": (f"# Home\n\n{block(prompt='x')}".encode("utf-16"), "is UTF-16"),
    "UTF-16 without a mark": (block(prompt="x").encode("utf-16-le"), "line 1 holds a NUL byte, as UTF-16 does"),
    "NUL": (b"# Home\n\n\0\n", "line 3 holds a NUL byte, as UTF-16 does"),
    "cut off": ("# Kä".encode()[:-1], "is not UTF-8: line 1 holds the byte 0xc3"),
}
READERS = [("plan",), ("generate",), ("check", "--json"), ("list",), ("prune",), ("gallery",), ("regenerate", "cat")]


@pytest.mark.parametrize("kind", UNREADABLE)
def test_pages_that_are_not_utf8_are_named(tmp_path, kind):
    """A page in another encoding is named with the reason and the line, together with others, and nothing is made."""
    data, reason = UNREADABLE[kind]
    site = Site(tmp_path)
    site.configure(gptimage={"api": {"base_url": "emulator", **FAST}})
    site.write({"index.md": block(prompt="x", id="cat"), "sub/other.md": ""})
    for name in ("page.md", "sub/other.md"):
        (tmp_path / "docs" / name).write_bytes(data)
    commands = READERS if kind == "latin-1" else READERS[:1]
    done = [site.build(), *(site.gptimage(*arguments) for arguments in commands)]

    for each in done:
        assert each.code == 1
        assert "Traceback" not in each.err
        for name in ("page.md", "sub/other.md"):
            assert f"docs/{name}: {reason}; save it as UTF-8" in each.err
    assert not site.store.exists()


@pytest.mark.parametrize("kind", UNREADABLE)
def test_spec_files_that_are_not_utf8_are_named(tmp_path, kind):
    """So is a file of specs."""
    data, reason = UNREADABLE[kind]
    site = Site(tmp_path)
    site.configure(gptimage={"specs": ["cats.yml"], "api": {"base_url": "emulator", **FAST}})
    site.write({"index.md": "# Home\n"})
    (tmp_path / "cats.yml").write_bytes(data)
    done = [site.build(), site.gptimage("plan")]

    for each in done:
        assert (each.code, "Traceback" in each.err) == (1, False)
        assert f"cats.yml: {reason}; save it as UTF-8" in each.err


@pytest.mark.parametrize("data", ["# \xe4\n".encode("latin-1"), "\xe4".encode("utf-16"), b"\0"])
def test_configurations_that_are_not_utf8_are_named(tmp_path, data):
    """A command names a configuration, with its styles, that is not UTF-8."""
    site = Site(tmp_path)
    site.configure(gptimage={"styles": {"ink": {"prompt": "{prompt}"}}})
    site.write({"index.md": "# Home\n"})
    (tmp_path / "mkdocs.yml").write_bytes((tmp_path / "mkdocs.yml").read_bytes() + data)
    done = site.gptimage("plan")

    assert (done.code, "Traceback" in done.err) == (2, False)
    assert "mkdocs.yml" in done.err


def test_names_that_the_system_cannot_encode_are_no_traceback(tmp_path):
    """Where file names are ASCII, MkDocs cannot name such a page; a command says so."""
    site = Site(tmp_path)
    site.configure()
    site.write({"kätzchen.md": block(prompt="x")})
    code, _, err = gptimage(site, "plan", env=OUTPUTS["C"])

    assert code == 2
    assert b"gptimage: mkdocs.yml: a file or a name of the site cannot be read" in err


def test_an_excluded_page_is_no_fault(tmp_path):
    """A page in another encoding that is excluded from the site stops nothing."""
    site = Site(tmp_path)
    site.configure(exclude_docs="old.md\n", gptimage={"api": {"base_url": "emulator", **FAST}})
    site.write({"index.md": "# Home\n"})
    (tmp_path / "docs/old.md").write_bytes(b"\xe4\xff")

    assert site.build("--strict").code == 0
