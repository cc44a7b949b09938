"""Pictures shown by the id of the block that declared them: in text, in front matter, and what is wrong with an id."""

from __future__ import annotations

import re

import pytest
from scripted_service import KEY
from sites import FAST, Site, block

ENV = {"APIMASTER_API_KEY": KEY}
IMAGE = re.compile(r"<img[^>]*>")


@pytest.fixture
def site(service, tmp_path):
    made = Site(tmp_path)
    made.configure(
        gptimage={"api": {"base_url": service.base_url, **FAST}},
        markdown_extensions=["attr_list"],
        site_url="https://docs.example/manual/",
    )
    return made


def src_of(image):
    return re.search(r'src="([^"]*)"', image)[1]


def test_an_image_shows_the_picture_of_a_block_on_any_page(site, service):
    """A picture that a block declares is shown elsewhere, before and after it, without another submit."""
    site.write(
        {
            "a.md": "![An owl](gpt-image:owl)\n",
            "index.md": block(prompt="An owl", id="owl") + "\n![Again](gpt-image:owl)\n",
            "deep/z.md": "![An owl](gpt-image:owl){ .round width=120 title='Hoo' }\n",
        }
    )
    built = site.build("--strict", env=ENV)

    assert built.code == 0, built.err
    assert len(service.of("submit")) == 1
    images = {path: IMAGE.findall(site.page(path))[-1] for path in ("a/index.html", "index.html", "deep/z/index.html")}
    for path, image in images.items():
        assert ((site.root / "site" / path).parent / src_of(image)).resolve().is_file()
        assert 'height="18"' in image
    assert 'alt="Again"' in images["index.html"]
    assert all(part in images["deep/z/index.html"] for part in ('class="round"', 'width="120"', 'title="Hoo"'))
    assert "gpt-image:" not in "".join(map(site.page, images))


def test_ids_that_mean_nothing_are_problems(site, service):
    """An unknown id, and one of two pictures, are reported with page, line and what to do, and nothing is submitted."""
    site.write(
        {
            "a.md": block(prompt="One", id="same"),
            "b.md": block(prompt="Two", id="same") + "\n![x](gpt-image:same)\n",
            "c.md": "# C\n\nText\n\n![x](gpt-image:sane)\n",
            "d.md": "---\nimage: gpt-image:same\n---\n\nD\n",
        }
    )
    built, checked = site.build(env=ENV), site.gptimage("check")

    assert (built.code, checked.code) == (1, 1)
    assert service.requests == []
    for said in (built.err, checked.err):
        assert "docs/c.md:5: gpt-image:sane is not the id of a block; did you mean 'same'?" in said
        assert "docs/d.md:2: gpt-image:same is declared for different pictures on docs/a.md and docs/b.md" in said
        assert "docs/b.md" not in said.replace("docs/a.md and docs/b.md", "")


def test_hidden_text_is_no_mention(site):
    """An id in a code sample or a comment stays as it is."""
    site.write(
        {"index.md": "```\n![x](gpt-image:none)\n```\n\n`![x](gpt-image:none)`\n\n<!-- <img src='gpt-image:x'> -->\n"}
    )

    assert site.build("--strict").code == 0


def test_front_matter_becomes_an_absolute_url(site):
    """`image: gpt-image:ID` is the absolute URL of the published original, for any reader of the page's meta."""
    (site.root / "overrides").mkdir()
    (site.root / "overrides/main.html").write_text(
        '{% extends "base.html" %}{% block extrahead %}<meta property="og:image" content="{{ page.meta.image }}">'
        "{% endblock %}"
    )
    config = (site.root / "mkdocs.yml").read_text()
    (site.root / "mkdocs.yml").write_text(config + "theme: {name: mkdocs, custom_dir: overrides}\n")
    site.write({"index.md": block(prompt="An owl", id="owl"), "a.md": "---\nimage: gpt-image:owl\n---\n\nA\n"})
    built = site.build("--strict", env=ENV)
    url = re.search(r'og:image" content="([^"]*)"', site.page("a/index.html"))[1]

    assert built.code == 0, built.err
    assert url.startswith("https://docs.example/manual/assets/gptimage/owl-")
    assert (site.root / "site" / url.removeprefix("https://docs.example/manual/")).is_file()
    assert url.endswith(".png")


def test_front_matter_needs_the_address_of_the_site(service, tmp_path):
    """Without `site_url` there is no absolute URL, and that is said with the page."""
    site = Site(tmp_path)
    site.configure(gptimage={"api": {"base_url": service.base_url, **FAST}})
    site.write({"index.md": "---\nimage: gpt-image:owl\n---\n\n" + block(prompt="An owl", id="owl")})
    built = site.build(env=ENV)

    assert built.code == 1
    assert "docs/index.md:2: image: an absolute URL needs 'site_url' in mkdocs.yml" in built.err
    assert service.requests == []


def test_excerpts_of_a_blog_show_it_too(service, tmp_path):
    """An excerpt that Material renders again on another page points to the same file from there."""
    site = Site(tmp_path)
    site.configure(
        plugins=["search", "blog"],
        gptimage={"api": {"base_url": service.base_url, **FAST}},
        theme={"name": "material"},
        nav=[{"Home": "index.md"}, {"Blog": "blog/index.md"}],
    )
    site.write(
        {
            "index.md": block(prompt="An owl", id="owl"),
            "blog/index.md": "# Blog\n",
            "blog/posts/one.md": "---\ndate: 2026-01-01\n---\n\n# One\n\n![Owl](gpt-image:owl)\n\n<!-- more -->\n\nX\n",
        }
    )
    built = site.build("--strict", env=ENV)
    image = next(image for image in IMAGE.findall(site.page("blog/index.html")) if 'alt="Owl"' in image)

    assert built.code == 0, built.err
    assert (site.root / "site/blog" / src_of(image)).resolve().is_file()
