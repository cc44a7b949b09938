"""Configuration files of other sites, read as YAML: which of them use the plugin, and with which folders."""

from __future__ import annotations

import contextlib
import subprocess

import pytest

from mkdocs_gptimage import configurations
from mkdocs_gptimage.configurations import UnreadableError, find_configurations, read_configuration

SITE = "site_name: x\n"
# (text, the store; None for no configuration with the plugin)
TEXTS = {
    "a list": ("plugins:\n  - search\n  - gptimage\n", "gptimage"),
    "a list with options": ("plugins:\n  - gptimage:\n      store: ../pictures\n", "../pictures"),
    "a mapping": ("plugins:\n  gptimage:\n    store: p\n", "p"),
    "a mapping without options": ("plugins:\n  gptimage:\n", "gptimage"),
    "a merge key": ("x: &x\n  store: p\nplugins:\n  - gptimage:\n      <<: *x\n", "p"),
    "a variable": ("plugins: [{gptimage: {store: !ENV [NOT_SET, STORE, gptimage]}}]\n", "of the environment"),
    "a default": ("plugins: [{gptimage: {store: !ENV [NOT_SET, p]}}]\n", "p"),
    "tags of others": ("plugins: [gptimage]\nx: !!python/name:os.system\ny: !relative $docs\n", "gptimage"),
    "inherited": ("INHERIT: base.yml\ndocs_dir: other\n", "of base"),
    "inherited and changed": ("INHERIT: base.yml\nplugins:\n  gptimage:\n    store: own\n", "own"),
    "inherited and replaced": ("INHERIT: base.yml\nplugins: [search]\n", None),
    "inherited in a circle": ("INHERIT: mkdocs.yml\nplugins: [gptimage]\n", "gptimage"),
    "a comment": ("plugins:\n  - search # not gptimage\n", None),
    "another name": ("plugins:\n  - gptimages\n", None),
    "a workflow": ("script:\n  - gptimage check\n", None),
}


@pytest.mark.parametrize(("text", "store"), TEXTS.values(), ids=TEXTS)
def test_the_store_of_a_configuration(tmp_path, monkeypatch, text, store):
    """The folders of a site are resolved as MkDocs does it, with INHERIT, !ENV and both ways to list plugins."""
    monkeypatch.setenv("STORE", "of the environment")
    (tmp_path / "base.yml").write_text("plugins:\n  gptimage:\n    store: of base\n    cache: c\n")
    path = tmp_path / "mkdocs.yml"
    path.write_text(SITE + text)

    found = read_configuration(path)

    assert (found and found.store) == (store and (tmp_path / store).resolve())


BROKEN = {
    "not YAML": "plugins: [gptimage\n",
    "a template": "{% if x %}\nplugins: [gptimage]\n",
    "too deep": "plugins: gptimage\nx: " + "[" * 5000,
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_file_that_cannot_be_read(tmp_path, text):
    """A file that names the plugin and is no YAML, or nested without bound, is an error and no crash."""
    path = tmp_path / "mkdocs.yml"
    path.write_text(text)

    with pytest.raises(UnreadableError, match=r"'mkdocs.yml' is not YAML"):
        read_configuration(path)


def test_aliases_that_expand(tmp_path):
    """Merge keys that stand for billions of values are read or refused, and not expanded."""
    levels = (f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 12))
    path = tmp_path / "mkdocs.yml"
    path.write_text(f"{SITE}plugins: [gptimage]\na0: &a0 {{k: 1}}\n{''.join(levels)}")

    with contextlib.suppress(UnreadableError):
        assert read_configuration(path).store == tmp_path / "gptimage"


def test_where_configurations_are_looked_for(tmp_path):
    """In the repository, new files included and ignored ones not; bases are left out, a default name is not."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    ours = SITE + "plugins: [gptimage]\n"
    files = {"docs.yml": ours, "mkdocs.yml": "INHERIT: docs.yml\n", "mkdocs.de.yml": "INHERIT: mkdocs.yml\n"}
    files |= {"sub/mkdocs.yaml": ours, "ignored/mkdocs.yml": ours, ".gitignore": "ignored\n", "sub/ci.yml": "a: 1\n"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    found = find_configurations(tmp_path / "sub", tmp_path / "sub/gptimage")

    names = {site.path.relative_to(tmp_path).as_posix() for site in found.sites}
    assert names == {"mkdocs.yml", "mkdocs.de.yml", "sub/mkdocs.yaml"}
    assert (found.unreadable, found.unsearched) == ({}, None)


def test_a_folder_that_is_too_large(tmp_path, monkeypatch):
    """The folder of a store that lies elsewhere, and holds too many folders to search, is named."""
    monkeypatch.setattr(configurations, "_MAX_FOLDERS", 2)
    for name in "abc":
        (tmp_path / "shared" / name).mkdir(parents=True)
    (tmp_path / "project").mkdir()

    found = find_configurations(tmp_path / "project", tmp_path / "shared/pictures")

    assert found.unsearched == tmp_path / "shared"


def test_a_configuration_in_utf_16(tmp_path):
    """YAML may be in UTF-16, and MkDocs reads it."""
    path = tmp_path / "mkdocs.yml"
    path.write_text(SITE + "plugins: [gptimage]\n", encoding="utf-16")

    assert read_configuration(path) is not None


def test_a_configuration_that_is_too_long(tmp_path):
    """What comes after the first megabyte is not passed over in silence."""
    path = tmp_path / "mkdocs.yml"
    path.write_text(SITE + "#" * 1024 * 1024 + "\nplugins: [gptimage]\n")

    with pytest.raises(UnreadableError, match="more than 1 MiB"):
        read_configuration(path)


def test_a_long_file_of_another_program(tmp_path):
    """A description of an API, for example, is no reason to delete nothing."""
    path = tmp_path / "openapi.yml"
    path.write_text("plugins: [none]\n" + "#" * 1024 * 1024 + "\nINHERIT: base.yml\n")

    assert read_configuration(path) is None
