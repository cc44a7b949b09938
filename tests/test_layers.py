from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mkdocs_gptimage

PACKAGE = Path(mkdocs_gptimage.__file__).parent
MODULES = {path.stem: path for path in PACKAGE.glob("*.py") if path.stem != "__init__"}
HOST_ADAPTERS = {"files", "options", "pages", "plugin", "whole_site"}
SLOW = ("httpx", "PIL", "jsonschema", "fastjsonschema", "rich", "asyncio", "anyio", "diskcache", "starlette", "uvicorn")

# Module → all that it may import of ours at run time. What is only needed by the type checker does not count.
FLOOR = {
    "errors": set(),
    "sizes": set(),
    "yaml12": set(),
    "spelling": set(),
    "imagetype": set(),
    "blocks": set(),
    "visibility": set(),
    "fences": {"blocks", "visibility"},
    "policy": set(),
    "settings": {"sizes"},
    "validation": {"errors", "spelling"},
    "prompts": set(),
    "spec": {"prompts", "sizes", "validation", "yaml12"},
    "styles": {"prompts", "spec", "validation"},
    "markup": set(),
    "caption": {"markup"},
    "placeholder": {"markup"},
    "catalog": {"blocks", "errors", "validation"},
    "declared": {"spec", "spelling", "validation"},
    "requirements": {"references", "spec"},
    "spec_files": {"declared", "requirements", "spec", "validation", "yaml12"},
    "references": {"errors", "imagetype", "spec", "validation"},
    "wire": {"errors"},
}
UPSTAIRS = {
    "approvals",
    "endpoint",
    "serving",
    "reading",
    "production",
    "site",
    "publishing",
    "plugin",
    "cli",
    "cli_common",
    "cli_gallery",
    "cli_look",
    "cli_make",
    "cli_prune",
    "options",
    "pages",
    "files",
    "whole_site",
    "generation",
    "client",
    "reporting",
    "regeneration",
    "pruning",
    "tables",
}


def imports(path: Path) -> set[str]:
    """Dotted names of all modules that a file imports, anywhere in it, but for the type checker's."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            found |= {base} if node.module else {f"{base}{alias.name}" for alias in node.names}
    return found


def ours(path: Path) -> set[str]:
    """The modules of this package that a module of its top imports."""
    names = {name.replace("mkdocs_gptimage.", ".") for name in imports(path)}
    return {name.strip(".").partition(".")[0] for name in names if name.startswith(".")}


def test_import_finder_sees_what_it_should(tmp_path):
    """All forms of an import are found, late ones too, and those for the type checker are not."""
    path = tmp_path / "module.py"
    path.write_text(
        "import a.b\nfrom c import d\nfrom . import e, f\nfrom .g import h\nfrom mkdocs_gptimage.i import j\n"
        "def late():\n    from .k import l\nif TYPE_CHECKING:\n    from .m import n\n"
    )

    assert imports(path) == {"a.b", "c", ".e", ".f", ".g", "mkdocs_gptimage.i", ".k"}
    assert ours(path) == {"e", "f", "g", "i", "k"}


@pytest.mark.parametrize("module", FLOOR)
def test_floor(module):
    """The modules that carry the house know only those below them."""
    assert ours(MODULES[module]) <= FLOOR[module]


@pytest.mark.parametrize("module", sorted(set(MODULES) - UPSTAIRS))
def test_nothing_below_knows_those_upstairs(module):
    """What works on values knows neither builds nor command lines nor the network."""
    allowed = {"submitting", "polling", "collecting"}

    assert not ours(MODULES[module]) & (UPSTAIRS - ({"client"} if module in allowed else set()))


@pytest.mark.parametrize("module", sorted(set(MODULES) - HOST_ADAPTERS))
def test_only_the_adapters_know_the_host(module):
    """Only the adapters import MkDocs."""
    assert not {name for name in imports(MODULES[module]) if name.partition(".")[0] in ("mkdocs", "properdocs")}


@pytest.mark.parametrize("module", sorted(HOST_ADAPTERS))
def test_the_adapters_know_the_host(module):
    """The rule has a few exceptions, and they are needed."""
    assert any(name.startswith("mkdocs.") for name in imports(MODULES[module]))


@pytest.mark.parametrize("module", sorted(set(MODULES) - {name for name in MODULES if name.startswith("cli")}))
def test_nothing_imports_the_plugin(module):
    """Nothing but the command line imports the plugin, and nothing imports the command line."""
    assert not ours(MODULES[module]) & {"plugin", "cli"}


@pytest.mark.parametrize("path", sorted((PACKAGE / "emulator").glob("*.py")), ids=lambda path: path.stem)
def test_the_emulator_stands_alone(path):
    """The emulator shares no code with the client that it answers."""
    names = imports(path)

    assert not {name for name in names if name.startswith("..")}
    assert not {name for name in names if name.startswith("mkdocs") and "emulator" not in name}


def loaded(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_importing_the_plugin_is_cheap():
    """A build without a picture loads nothing slow that MkDocs has not loaded itself."""
    host = loaded("import mkdocs.commands.build, mkdocs.config")

    added = loaded("import mkdocs.commands.build, mkdocs.config, mkdocs_gptimage.plugin") - host

    assert "mkdocs_gptimage.plugin" in added
    assert not {name for name in added if name.partition(".")[0] in SLOW}


def test_the_core_does_not_load_the_host():
    """All but the adapters can be imported without MkDocs."""
    names = ", ".join(f"mkdocs_gptimage.{name}" for name in sorted(set(MODULES) - HOST_ADAPTERS))

    assert not {name for name in loaded(f"import {names}") if name.partition(".")[0] in ("mkdocs", "properdocs")}
