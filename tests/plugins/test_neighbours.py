"""Strict builds beside plugins that need nothing special from us.

Not among them: mkdocs-with-pdf and mkdocs-to-pdf, which bring WeasyPrint and need its system libraries (Pango).
"""

from __future__ import annotations

import subprocess

import pytest
from plugins.plugin_sites import THEMES, shown

MODULE = '"""A module.\n{text}"""\n'
SUPERFENCES = ["pymdownx.superfences"]
PRINTS_BLOCK = '```python exec="true"\nprint({text!r})\n```\n'
PAGES = {
    "include-markdown": (["include-markdown"], "{% include '../included.txt' %}\n", {}),
    "mkdocstrings": (["mkdocstrings"], "::: module\n", {"markdown_extensions": SUPERFENCES}),
    "markdown-exec": (["markdown-exec"], PRINTS_BLOCK.format(text=shown("lamp")), {"markdown_extensions": SUPERFENCES}),
    "table-reader": (["table-reader"], "{{ read_csv('table.csv') }}\n" + shown("lamp"), {}),
    "exclude": ([{"exclude": {"glob": ["left-out.md"]}}], shown("lamp"), {}),
    "open-in-new-tab": (["open-in-new-tab"], shown("lamp"), {}),
    "meta-manager": (["meta-manager"], shown("lamp"), {}),
    "mkdocs-video": (["mkdocs-video"], "![type:video](https://example.org/a)\n" + shown("lamp"), {}),
    "swagger-ui-tag": (["swagger-ui-tag"], shown("lamp"), {}),
    "encryptcontent": (["search", {"encryptcontent": {"title_prefix": ""}}], shown("lamp"), {}),
    "git-revision-date-localized": (["git-revision-date-localized"], shown("lamp"), {}),
    "tags, meta": (["tags", "meta"], shown("lamp"), {"theme": THEMES["material"]}),
    "group": ([{"group": {"enabled": True, "plugins": ["typeset"]}}], shown("lamp"), {"theme": THEMES["material"]}),
}


@pytest.mark.parametrize("name", PAGES)
def test_strict_build(site, name):
    """A strict build beside the plugin has the figures of its pages."""
    plugins, page, options = PAGES[name]
    site.configure(plugins=plugins, **options)
    site.write({"index.md": "# Home\n" + shown("harbour"), "two.md": f"# Two\n\n{page}"})
    if name == "exclude":
        site.write({"left-out.md": "```gpt-image\nno-field: 1\n```\n"})
    (site.root / "included.txt").write_text(shown("lamp"))
    (site.root / "module.py").write_text(MODULE.format(text=shown("lamp")))
    (site.root / "docs/table.csv").write_text("a,b\n1,2\n")
    if name.startswith("git"):
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "a"]):
            subprocess.run(["git", *who, *command], cwd=site.root, check=True)

    built = site.build("--strict", env={"PYTHONPATH": str(site.root)})

    assert built.code == 0, built.err
    assert [len(each) for each in site.checked().values()] == [1, 1]
