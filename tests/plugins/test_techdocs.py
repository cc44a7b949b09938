"""Backstage's techdocs-core, which pins pymdown-extensions to an early version; `.ci/oldest` installs it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import pytest
from sites import FAST, Site, block


def _is_installed() -> bool:
    try:
        return bool(version("mkdocs-techdocs-core"))
    except PackageNotFoundError:
        return False


@pytest.mark.skipif(not _is_installed(), reason="mkdocs-techdocs-core is not installed")
def test_a_site_of_backstage(tmp_path):
    """A strict build with techdocs-core draws the picture of a block, also inside an admonition."""
    site = Site(tmp_path)
    site.configure(plugins=["techdocs-core"], gptimage={"api": {"base_url": "emulator", **FAST}})
    inner = "".join(f"    {line}\n" for line in block(prompt="a dog").splitlines())
    site.write({"index.md": f"# Home\n\n{block(prompt='a cat')}\n!!! note\n\n{inner}\n"})
    built = site.build("--strict")

    assert built.code == 0, built.err
    assert len(site.figures("index.html")) == 2
    assert len(list(site.store.rglob("*.png"))) == 2
