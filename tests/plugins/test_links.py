"""Plugins that rewrite or check links, and addresses of the site: ezlinks, roamlinks, mike, htmlproofer."""

from __future__ import annotations

import subprocess

import pytest
from plugins.plugin_sites import THEMES, shown
from sites import run

BY_ID = """
![One](gpt-image:harbour)

![Two](gpt-image:harbour "A title"){ .small }

[![Three](gpt-image:harbour)](gpt-image:harbour)
"""
HOOK = """
def on_page_context(context, page, config, nav):
    print("image:", page.meta["image"])
"""
ENCODED = [
    "gpt-image%3Aharbour",
    "../gpt-image%3aharbour",
    "../../gpt-image:harbour",
    "gpt%2Dimage%3A%68arbour",
    "./gpt-image%3Aharbour",
]


@pytest.mark.parametrize("plugin", ["ezlinks", "roamlinks"])
@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)], ids=["ours last", "ours first"])
def test_link_plugins(site, plugin, order):
    """Pictures by id are shown where a plugin for links takes their addresses for files."""
    site.configure(plugins=[plugin, "gptimage"][order], markdown_extensions=["attr_list"])
    site.write({"index.md": "# Home\n" + shown("harbour") + BY_ID, "deep/er/two.md": "# Two\n" + BY_ID})

    site.figures()

    assert "harbour)" not in site.page("deep/er/two/index.html")
    assert site.page("deep/er/two/index.html").count("<img") == 3


@pytest.mark.parametrize("address", ENCODED)
def test_encoded_addresses(site, address):
    """A picture by id is shown however its address was encoded, or moved to another folder."""
    site.configure()
    site.write({"index.md": "# Home\n" + shown("harbour"), "two.md": f'# Two\n\n<img src="{address}" alt="a">\n'})

    site.figures()

    assert 'src="../assets/gptimage/' in site.page("two/index.html")


def test_mike(site):
    """In a site with versions, the image of a page's front matter lies in the version that is published."""
    site.configure(plugins=["mike"], hooks=["hook.py"], site_url="https://example.com/docs", theme=THEMES["material"])
    (site.root / "hook.py").write_text(HOOK)
    site.write({"index.md": "---\nimage: gpt-image:harbour\n---\n# Home\n" + shown("harbour")})
    who = (["config", "user.name", "a"], ["config", "user.email", "a@example.org"])
    for command in (["init", "-q"], *who, ["add", "."], ["commit", "-qm", "a"]):
        subprocess.run(["git", *command], cwd=site.root, check=True)

    deployed = run("-c", "from mike.driver import main; main()", "deploy", "2.0", cwd=site.root)

    assert deployed.code == 0, deployed.err
    assert "image: https://example.com/docs/2.0/assets/gptimage/" in deployed.out


IGNORED = {"ignore_urls": ["*assets/gptimage/*"], "raise_error": True, "validate_external_urls": False}


def test_htmlproofer(site):
    """A strict build with htmlproofer passes with the option that README names."""
    site.configure(plugins=[{"htmlproofer": IGNORED}])
    site.write({"index.md": "# Home\n" + shown("harbour") + shown("linked"), "deep/two.md": "# Two\n" + BY_ID})

    assert len(site.figures()["index.html"]) == 2
