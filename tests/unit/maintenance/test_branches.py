"""The pictures that other git branches store."""

from __future__ import annotations

from mkdocs_gptimage.maintenance.branches import stored_on_other_branches


def test_without_git_no_branch_stores_anything(tmp_path, monkeypatch):
    """Where git cannot be started, no branch is known, and nothing fails."""
    monkeypatch.setenv("PATH", str(tmp_path))

    assert stored_on_other_branches(tmp_path / "gptimage", tmp_path) == set()
