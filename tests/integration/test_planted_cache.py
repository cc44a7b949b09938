"""Repositories that bring a cache of their own: what they publish is what the store holds."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from sites import FAST, Site, block

if TYPE_CHECKING:
    from pathlib import Path

ELSEWHERE = {"XDG_STATE_HOME": "/nonexistent"}
"""The environment of a user who has no secret and can keep none."""


def git(folder: Path, *arguments: str) -> None:
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def red(size: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "red").save(file, "WEBP")
    return file.getvalue()


@pytest.mark.parametrize("env", [None, ELSEWHERE], ids=["with a secret", "without a secret"])
@pytest.mark.parametrize("planted", ["SVG", "another picture"])
def test_a_clone_with_a_cache_that_fits(tmp_path, planted, env):
    """Files that a repository has planted in its cache, with manifests to match, reach no site built from it."""
    origin = Site(tmp_path / "origin")
    origin.root.mkdir()
    origin.configure(gptimage={"api": {"base_url": "emulator", **FAST}})
    origin.write({"index.md": block(prompt="A cat")})
    assert origin.build().code == 0
    honest = {path.name: path.read_bytes() for path in (origin.root / "site/assets/gptimage").glob("*.webp")}
    (manifest,) = (origin.root / ".cache/gptimage/web").glob("*.json")
    content = json.loads(manifest.read_text())
    for listed in content["files"].values():
        file = manifest.with_name(listed["name"])
        data = b"<svg onload='alert(1)'/>" if planted == "SVG" else red((listed["width"], listed["height"]))
        file.unlink()
        file.write_bytes(data)
        listed["bytes"], listed["changed"] = len(data), file.stat().st_mtime_ns
        listed["sha256"] = hashlib.sha256(data).hexdigest()
    manifest.write_text(json.dumps(content))
    git(origin.root, "init", "-b", "main")
    git(origin.root, "add", "-f", "mkdocs.yml", "docs", "gptimage", ".cache")
    git(origin.root, "commit", "-m", "x")
    git(tmp_path, "clone", "origin", "clone")
    clone = Site(tmp_path / "clone")
    built = clone.build("--strict", env=env)

    assert built.code == 0, built.err
    assert {path.name: path.read_bytes() for path in (clone.root / "site/assets/gptimage").glob("*.webp")} == honest
