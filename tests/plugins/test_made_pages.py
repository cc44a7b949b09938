"""Pages without a file of their own in docs_dir: mkdocs-gen-files, multirepo, monorepo, docstrings."""

from __future__ import annotations

import base64
import json
import subprocess

import pytest
import scripted_service as gateways
from plugins.plugin_sites import PAID, shown
from sites import FAST, block

GEN_FILES = """
import mkdocs_gen_files

with mkdocs_gen_files.open("other/two.md", "w") as page:
    page.write({page!r})
with mkdocs_gen_files.open("other/sketch.png", "wb") as picture, open("sketch.png", "rb") as sketch:
    picture.write(sketch.read())
"""
SKETCH = gateways.picture()
MADE = "docs/other/two.md"
PIER = block(prompt="A pier, drawn after a sketch by a wombat", alt="Pier", id="pier", image_urls=["./sketch.png"])
WRONG = "\n```gpt-image\nprompt: a\nsize: 9:10\n```\n\n```gpt-image\nprompt: b\nimage_urls: [./none.png]\n```\n"


def gen_files(site, page: str) -> dict:
    (site.root / "gen.py").write_text(GEN_FILES.format(page=page))
    (site.root / "sketch.png").write_bytes(SKETCH)
    return {"plugins": [{"gen-files": {"scripts": ["gen.py"]}}]}


def sub_site(root, page: str) -> None:
    """A site with a page and a picture beside it."""
    (root / "docs").mkdir(parents=True)
    (root / "mkdocs.yml").write_text("site_name: other\nnav: [{Two: two.md}]\n")
    (root / "docs/two.md").write_text(page)
    (root / "docs/sketch.png").write_bytes(SKETCH)


def multirepo(site, page: str) -> dict:
    other = site.root.parent / f"{site.root.name}-other"
    sub_site(other, page)
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "a"]):
        subprocess.run(["git", *who, *command], cwd=other, check=True)
    repo = {"section": "other", "import_url": f"file://{other}?branch=main"}
    return {"plugins": [{"multirepo": {"repos": [repo]}}], "edit_uri": "https://example.org/edit/"}


def monorepo(site, page: str) -> dict:
    sub_site(site.root / "parts/other", page)
    return {
        "plugins": ["monorepo"],
        "nav": [{"Home": "index.md"}, {"Other": "!include ./parts/other/mkdocs.yml"}],
    }


makers = pytest.mark.parametrize("make", [gen_files, multirepo, monorepo])


@makers
def test_figures(site, make):
    """A page that another plugin makes or fetches shows its figures, and is named by its place in docs_dir."""
    site.write({"index.md": "# Home\n" + shown("harbour")})
    site.configure(**make(site, "# Two\n" + shown("lamp")))

    figures = site.figures()

    assert [len(each) for each in (figures["other/two/index.html"], figures["index.html"])] == [1, 1]
    listed = site.gptimage("list", "--json")
    assert [page for each in json.loads(listed.out)["pictures"] for page in each["pages"]] == [
        "docs/index.md:3",
        f"{MADE}:3",
    ]


@makers
def test_references(site, service, make):
    """Its local reference images are found beside its place in docs_dir, also where they are made or fetched too."""
    site.write({"index.md": "# Home\n" + shown("harbour")})
    site.configure(
        **make(site, "# Two\n" + PIER),
        gptimage={"on_missing": "generate", "api": {"base_url": service.base_url, **FAST}},
    )
    sent = len(service.of("submit"))

    made = site.gptimage("generate", "--yes", "--only", MADE, env=PAID)

    assert made.code == 0, made.err
    assert [request.json["image_urls"] for request in service.of("submit")[sent:]] == [
        [f"data:image/png;base64,{base64.b64encode(SKETCH).decode()}"]
    ]
    assert site.figures()["other/two/index.html"][0].image["alt"] == "Pier"


@makers
def test_problems(site, make):
    """What is wrong with its blocks is told with its place in docs_dir, and no temporary path."""
    site.write({"index.md": "# Home\n" + shown("harbour")})
    site.configure(**make(site, "# Two\n" + WRONG))

    found = site.build()

    told = found.err.partition("ERROR")[2]
    assert f"{MADE}:5: size: '9:10' is not a size" in told
    assert "image_urls[0]: './none.png' does not exist; looked for docs/other/none.png" in told
    assert site.root.parent.as_posix() not in told
    assert "/tmp/" not in told
