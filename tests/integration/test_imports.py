"""What imports cost, and what they load; the floors of the package are a contract in pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mkdocs_gptimage

PACKAGE = Path(mkdocs_gptimage.__file__).parent
SLOW = ("httpx", "PIL", "jsonschema", "fastjsonschema", "rich", "asyncio", "anyio", "diskcache", "starlette", "uvicorn")
HOSTS = ("mkdocs", "properdocs")


def loaded(statement: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after a statement."""
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def core_modules() -> list[str]:
    """Dotted names of all modules but the host adapters, the command line over them, and the emulator."""
    paths = (path.relative_to(PACKAGE.parent).with_suffix("") for path in PACKAGE.rglob("*.py"))
    above = (("cli",), ("emulator",), ("hosts", "mkdocs"), ("plugin",))
    return sorted(
        ".".join(path.parts) for path in paths if not any(path.parts[1:][: len(room)] == room for room in above)
    )


def test_importing_the_plugin_is_cheap():
    """A build without a picture loads nothing slow that MkDocs has not loaded itself."""
    host = loaded("import mkdocs.commands.build, mkdocs.config")

    added = loaded("import mkdocs.commands.build, mkdocs.config, mkdocs_gptimage.plugin") - host

    assert "mkdocs_gptimage.plugin" in added
    assert not {name for name in added if name.partition(".")[0] in SLOW}


def test_the_core_does_not_load_the_host():
    """All but the adapters can be imported without MkDocs."""
    names = core_modules()

    assert "mkdocs_gptimage.store.store" in names
    assert not {name for name in loaded(f"import {', '.join(names)}") if name.partition(".")[0] in HOSTS}
