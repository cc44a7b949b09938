"""Files beside mkdocs.yml that are named like a configuration, and have no end."""

from __future__ import annotations

import os

import pytest

from mkdocs_gptimage.hosts.key_variables import key_variables


@pytest.mark.parametrize("kind", ["a device", "a pipe"])
def test_no_device_is_read(tmp_path, kind):
    """A link to a device that never ends, which a repository may hold, or a pipe, is passed over."""
    (tmp_path / "mkdocs.yml").write_text("plugins: [{gptimage: {api: {key_env: OTHER_API_KEY}}}]\n")
    if kind == "a pipe":
        os.mkfifo(tmp_path / "mkdocs.en.yml")
    else:
        (tmp_path / "mkdocs.en.yml").symlink_to("/dev/zero")

    assert key_variables(tmp_path / "mkdocs.yml") == {"APIMASTER_API_KEY", "OTHER_API_KEY"}
