"""Beside mkdocs-rss-plugin, which takes the beginnings of pages from their Markdown."""

from __future__ import annotations

import json

import pytest
from plugins.plugin_sites import THEMES, shown

PAGE = "---\ndate: 2026-01-02 10:00\n---\n\n# One\n\nWords before it.\n{}\nWords after it.\n"
FEEDS = ("feed_rss_created.xml", "feed_json_created.json", "feed_rss_updated.xml", "feed_json_updated.json")
OF_THE_BLOCK = ("xylophone", "zeppelin", "prompt:", "alt:", "```")


def rss(site, **options):
    """The plugin without git and without requests."""
    dates = {"as_creation": "date", "as_update": "date"}
    return {"rss": {"use_git": False, "date_from_meta": dates, "cache_dir": str(site.root / "feeds"), **options}}


@pytest.mark.parametrize(
    ("options", "after"),
    [({"abstract_chars_count": 90}, ""), ({}, "<!-- more -->"), ({"abstract_chars_count": -1}, "")],
    ids=["so many characters", "up to a mark", "whole pages"],
)
def test_no_prompt_in_a_feed(site, options, after):
    """A feed has the words around a block, but nothing of the block itself."""
    site.configure(plugins=[rss(site, **options)])
    site.write({"index.md": PAGE.format(shown("harbour") + after), "deep/one.md": PAGE.format(shown("lamp", alt="A"))})

    figures = site.figures()

    assert len(figures) == 2
    for name in FEEDS:
        feed = site.page(name)
        assert feed.count("Words before it.") == 2, name
        assert [each for each in OF_THE_BLOCK if each in feed] == [], name


def test_feed_of_a_blog(site):
    """A feed of a blog has nothing of a block, while the excerpts and the posts have their figures."""
    dates = {"as_creation": "date.created", "as_update": "date.created"}
    site.configure(
        plugins=["blog", rss(site, match_path="blog/posts/.*", date_from_meta=dates)], theme=THEMES["material"]
    )
    post = PAGE.replace("date: 2026-01-02 10:00", "date:\n  created: 2026-01-02")
    site.write({"blog/index.md": "# Blog\n", "blog/posts/one.md": post.format(shown("harbour") + "\n<!-- more -->\n")})

    figures = site.figures()

    assert {"blog/index.html", "blog/2026/01/02/one/index.html"} <= figures.keys()
    (item,) = json.loads(site.page("feed_json_created.json"))["items"]
    assert "Words before it." in item["content_html"]
    assert [each for each in OF_THE_BLOCK if each in item["content_html"]] == []
