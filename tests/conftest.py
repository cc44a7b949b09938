from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

import pytest
import scripted_service as gateways
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# What lands must not hang on chance: CI tries the same examples every time, everybody else new ones.
settings.register_profile("project", deadline=None, max_examples=80, derandomize=bool(os.environ.get("CI")))
settings.load_profile("project")

# Builds run in processes of their own: they are to be as quick as in an installation, where modules are compiled once.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# The secret that seals caches is that of the tests, in processes that they start too.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="gptimage-state-")


def pytest_xdist_auto_num_workers() -> int:
    """Two workers a core: half of the time, a test waits for a server, a browser or a process that it killed."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture
def service() -> Iterator[gateways.ScriptedService]:
    """A service on loopback that accepts everything, unless a test scripts it otherwise."""
    with gateways.serving() as server:
        yield server


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test pays: the key of the environment is out of reach."""
    monkeypatch.delenv("APIMASTER_API_KEY", raising=False)
