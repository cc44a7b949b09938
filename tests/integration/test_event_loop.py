"""Builds that are started where an event loop runs, as under pytest-asyncio and in Jupyter."""

from __future__ import annotations

import pytest
from scripted_service import KEY
from sites import FAST, Site, block, run

BUILD = """
import asyncio
from mkdocs.commands.build import build
from mkdocs.config import load_config

async def main():
    build(load_config("mkdocs.yml"))

asyncio.run(main())
"""


@pytest.mark.parametrize("base_url", ["service", "emulator"])
def test_build_in_an_event_loop(tmp_path, service, base_url):
    """A build inside a running event loop makes what is missing."""
    address = service.base_url if base_url == "service" else base_url
    site = Site(tmp_path)
    site.configure(gptimage={"on_missing": "generate", "api": {"base_url": address, **FAST}})
    site.write({"index.md": block(prompt="A cat on a wall")})

    built = run("-c", BUILD, cwd=tmp_path, env={"APIMASTER_API_KEY": KEY})

    assert built.code == 0, built.err
    assert len(list(site.store.glob("*/*.png"))) == 1
    assert len(site.figures("index.html")) == 1
