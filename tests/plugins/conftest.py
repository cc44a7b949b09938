from __future__ import annotations

import shutil

import pytest
import scripted_service as gateways
from plugins.plugin_sites import OUTPUT, PAID, PICTURE, PICTURES, PluginSite, shown
from sites import FAST


@pytest.fixture(scope="session")
def service():
    with gateways.serving() as server:
        server.download = gateways.Answer(body=gateways.picture(size=PICTURE), headers={"Content-Type": "image/png"})
        yield server


@pytest.fixture(scope="session")
def store(tmp_path_factory, service):
    """A store with all pictures, filled by a build."""
    site = PluginSite(tmp_path_factory.mktemp("first"), {"api": {"base_url": service.base_url, **FAST}})
    site.configure()
    site.write({"index.md": "".join(map(shown, PICTURES))})
    built_once = site.build(env=PAID)
    assert built_once.code == 0, built_once.err
    return site.store


@pytest.fixture
def site(tmp_path, store):
    """A site with all pictures in its store, which fails when one is missing."""
    shutil.copytree(store, tmp_path / "gptimage")
    return PluginSite(tmp_path, {"on_missing": "error", "output": OUTPUT})
