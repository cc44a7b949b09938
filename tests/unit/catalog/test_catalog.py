from __future__ import annotations

from typing import TYPE_CHECKING

import markdown
import pytest

from mkdocs_gptimage.blocks.extension import GptImageExtension
from mkdocs_gptimage.blocks.fence import Block
from mkdocs_gptimage.catalog.catalog import Catalog, Use
from mkdocs_gptimage.catalog.location import Source
from mkdocs_gptimage.figures.renderer import PageContext, PageRenderer
from mkdocs_gptimage.settings import Api, Budget, Settings
from mkdocs_gptimage.spec.model import ImageSpec, ParsedBlock, Presentation
from mkdocs_gptimage.store.store import Store
from mkdocs_gptimage.text import Problem

if TYPE_CHECKING:
    from pathlib import Path

BAD_SIZE = "size: '16:10' is not a size; did you mean '16:9'?"
EXTENSIONS = ["fenced_code", "admonition", "pymdownx.details", "pymdownx.tabbed", "pymdownx.snippets"]
with_and_without = pytest.mark.parametrize("superfences", [False, True], ids=["alone", "superfences"])


class Site:
    """Converts pages as the plugin does."""

    def __init__(self, project: Path, *, superfences: bool = False, **changes: object) -> None:
        fields = {"require_alt": False, "defaults": {}, **changes}
        self.project = project
        settings = Settings(
            project=project,
            config_file="mkdocs.yml",
            docs=project / "docs",
            store=project / "store",
            cache=project / "cache",
            assets="assets/gptimage",
            fence="gpt-image",
            api=Api("https://example.com"),
            budget=Budget(),
            prices={},
            **fields,
        )
        self.renderer = PageRenderer(settings, Store(settings.store), may_generate=False)
        self.extensions = [*EXTENSIONS, *(["pymdownx.superfences"] if superfences else [])]
        (project / "docs").mkdir(exist_ok=True)

    def read(self, text: str, name: str = "docs/page.md") -> str:
        """Read a page; its front matter is taken off before the conversion, as MkDocs does."""
        self.renderer.page = PageContext(
            Source(name, lambda: text, "gpt-image"), str(self.project / "docs"), lambda url: url
        )
        md = markdown.Markdown(
            extensions=[*self.extensions, GptImageExtension(self.renderer.render)],
            extension_configs={"pymdownx.snippets": {"base_path": [str(self.project)]}},
        )
        body = text.split("---\n", 2)[2] if text.startswith("---\n") else text
        html = md.convert(body)
        self.renderer.collect(html)
        return html

    @property
    def catalog(self) -> Catalog:
        return self.renderer.collector.catalog

    @property
    def problems(self) -> list[str]:
        return [str(problem) for problem in self.catalog.problems]


def bad(indent: str = "", before: str = "prompt: a\n") -> str:
    lines = f"```gpt-image\n{before}size: 16:10\n```\n".splitlines(keepends=True)
    return "".join(f"{indent}{line}" for line in lines)


PLACES = {
    "first": (bad(), 3),
    "later": (f"# Title\n\nText.\n\n{bad()}", 7),
    "front-matter": (f"---\ntitle: x\n---\n\n{bad()}", 7),
    "field-further-down": (bad(before="# comment\nprompt: |\n  a\n\n  b\n"), 7),
    "list": (f"- one\n\n{bad('    ')}", 5),
    "nested-list": (f"- one\n    - two\n\n{bad('        ')}", 6),
    "quote": (f"> said\n>\n{bad('> ')}", 5),
    "nested-quote": (f"> > said\n> >\n{bad('> > ')}", 5),
    "admonition": (f"!!! note\n    Text.\n\n{bad('    ')}", 6),
    "details": (f"??? note\n{bad('    ')}", 4),
    "tab": (f'=== "One"\n\n    Text.\n\n=== "Two"\n\n{bad("    ")}', 9),
    "tab-characters": ("-\tone\n\n\t```gpt-image\n\tprompt: a\n\tsize: 16:10\n\t```\n", 5),
    "tildes": ("~~~ {.gpt-image}\nprompt: a\nsize: 16:10\n~~~\n", 3),
    "windows": (bad().replace("\n", "\r\n"), 3),
    "odd-line-ends": (f"a\u2028b\x0cc\x85d\n\n{bad()}", 5),
    "after-code": (f"````\n{bad()}````\n\n```\nx\n```\n\n{bad()}", 14),
}


@with_and_without
@pytest.mark.parametrize(("text", "line"), PLACES.values(), ids=list(PLACES))
def test_line(tmp_path, superfences, text, line):
    """A problem has the line of the field in the page's file, wherever the block stands."""
    site = Site(tmp_path, superfences=superfences)

    site.read(text)

    assert site.catalog.problems == [Problem(BAD_SIZE, "docs/page.md", line)]


@with_and_without
def test_the_same_block_twice(tmp_path, superfences):
    """Blocks with the same text are reported each at its own line, however they are indented."""
    site = Site(tmp_path, superfences=superfences)

    site.read(f"{bad()}\n{bad()}\n- one\n\n{bad('    ')}\n> said\n>\n{bad('> ')}")

    assert site.problems == [f"docs/page.md:{line}: {BAD_SIZE}" for line in (3, 8, 15, 22)]


def test_the_same_block_with_other_white_space(tmp_path):
    """White space inside of a block does not mix up two blocks."""
    site = Site(tmp_path)

    site.read(bad() + "\n" + bad().replace("size: 16:10", "size:   16:10"))

    assert site.problems == [f"docs/page.md:{line}: {BAD_SIZE}" for line in (3, 8)]


@with_and_without
def test_included_block(tmp_path, superfences):
    """A problem of a block that a snippet brings has no line: its message names the block."""
    (tmp_path / "part.md").write_text(bad(before="prompt: from a snippet\n"))
    site = Site(tmp_path, superfences=superfences)

    site.read('# Title\n\n--8<-- "part.md"\n')

    assert site.catalog.problems == [
        Problem(f"in included or generated text, the block 'prompt: from a snippet': {BAD_SIZE}", "docs/page.md")
    ]


@pytest.mark.parametrize(
    ("block", "problems"),
    [
        ("```gpt-image\n```", ["2: the block is empty; expected fields, as in 'prompt: a red kite'"]),
        ("```gpt-image\nsize: 1:1\n```", ["2: prompt: is missing"]),
        ("```gpt-image\nprompt: a\nprompt: b\n```", ["3: the key 'prompt' is given twice"]),
        (
            '```gpt-image title="A cat"\nprompt: a\n```',
            ["1: unexpected 'title=\"A cat\"' after the language; write options as lines in the block"],
        ),
        (
            "```gpt-image\nprompt: a\nimage_urls:\n  - ../x.png\n  - y.png\n```",
            [
                "3: image_urls[0]: '../x.png' does not exist; looked for x.png",
                "3: image_urls[1]: 'y.png' does not exist; looked for docs/y.png",
            ],
        ),
    ],
)
@with_and_without
def test_problems_of_a_page(tmp_path, superfences, block, problems):
    """Problems of the whole block stand at its first line, those of the fence at the fence."""
    site = Site(tmp_path, superfences=superfences)

    site.read(f"{block}\n")

    assert site.problems == [f"docs/page.md:{problem}" for problem in problems]


@pytest.mark.parametrize(("line", "is_fine"), [("alt: x", True), ('alt: ""', True), ("caption: x", False), ("", False)])
def test_required_alt(tmp_path, line, is_fine):
    """A site that requires alt accepts words and the decorative mark, nothing else."""
    site = Site(tmp_path, require_alt=True)

    site.read(f"```gpt-image\nprompt: a\n{line}\n```\n")

    message = 'docs/page.md:2: alt: is missing, and this site requires it; `alt: ""` marks a decorative picture'
    assert site.problems == ([] if is_fine else [message])
    assert len(site.catalog.pictures) == is_fine


def test_problems_of_all_pages_are_kept(tmp_path):
    """One bad block hides neither the next one nor the good ones."""
    site = Site(tmp_path)

    site.read(f"{bad()}\n```gpt-image\nprompt: a cat\n```\n", "docs/one.md")
    site.read(bad(), "docs/two.md")

    assert site.problems == [f"docs/one.md:3: {BAD_SIZE}", f"docs/two.md:3: {BAD_SIZE}"]
    assert [picture.spec.prompt for picture in site.catalog.pictures.values()] == ["a cat"]


def test_one_picture_for_all_uses(tmp_path):
    """Blocks that describe the same picture share it, across pages, and it is located at the first of them."""
    site = Site(tmp_path)

    site.read("Text.\n\n```gpt-image\nprompt: a cat\nalt: x\n```\n", "docs/one.md")
    site.read("```gpt-image\nsize: 1:1\nprompt: ' a cat'\n```\n\n```gpt-image\nprompt: a dog\n```\n", "docs/two.md")

    cat, dog = site.catalog.pictures.values()
    assert [use.where() for use in cat.uses] == ["docs/one.md:3", "docs/two.md:1"]
    assert [use.presentation.alt for use in cat.uses] == ["x", None]
    assert (cat.where, dog.where) == ("docs/one.md:3", "docs/two.md:6")


@with_and_without
def test_hidden_blocks_are_not_collected(tmp_path, superfences):
    """A block in a comment or in a code sample is neither validated nor collected."""
    site = Site(tmp_path, superfences=superfences)

    site.read(f"<!--\n{bad()}-->\n\n````\n{bad()}````\n\n<pre>\n{bad()}</pre>\n\nText.\n\n{bad('    ')}")

    assert (site.catalog.pictures, site.problems) == ({}, [])


def test_what_another_plugin_hides_is_not_collected(tmp_path):
    """A figure that another plugin put into a comment or removed is not collected; one that it copied is, once."""
    site = Site(tmp_path)
    html = site.read("```gpt-image\nprompt: a cat\n```\n")
    count = len(next(iter(site.catalog.pictures.values())).uses)

    again = [site.renderer.collect(text) for text in (f"<!-- {html} -->", f"<template>{html}</template>", "", html)]

    assert count == 1
    assert [len(uses) for uses in again] == [0, 0, 0, 1]
    assert len(site.catalog.pictures) == 1


def test_the_file_is_only_read_when_needed():
    """A page without problems is not read again for its line numbers."""

    def refuse() -> str:
        raise AssertionError("the file was read")

    catalog = Catalog()
    use = Use(
        Source("docs/page.md", refuse, "gpt-image"),
        Block("prompt: a\n", ""),
        0,
        ParsedBlock(ImageSpec("a"), Presentation()),
    )

    catalog.add(use)

    assert len(catalog.pictures) == 1


@pytest.mark.parametrize("body", ["", "\n \n"])
def test_included_block_without_words(body):
    """A block without any text is named, too."""
    use = Use(
        Source("docs/page.md", lambda: "Text.", "gpt-image"), Block(body, ""), 0, ParsedBlock(None, Presentation())
    )

    assert use.where() == "docs/page.md: in included or generated text, the block ''"


@pytest.mark.parametrize("header", ['title="\x1b[2J\u202e"', f'title="{"x" * 5000}"'], ids=["steering", "long"])
def test_what_a_message_quotes_is_printable_and_short(tmp_path, header):
    """Neither a header nor the text of an included block steers the terminal or fills it."""
    site = Site(tmp_path)
    site.read(f"```{{ .gpt-image {header} }}\nprompt: a\n```\n")
    body = "prompt: \x9b2J \u202e" + "x" * 5000
    use = Use(Source("docs/a.md", lambda: "", "gpt-image"), Block(body, body), 0, ParsedBlock(None, Presentation()))
    lines = [*site.problems, use.where()]

    assert len(lines) == 2
    assert all(line.isprintable() and len(line) < 500 for line in lines)


@pytest.mark.parametrize(
    ("alt", "said"),
    [
        ("A cat,  asleep.", "'A cat, asleep.' repeats the prompt"),
        ("cat_01.PNG", "'cat_01.PNG' is the name of a file"),
        ("A cat", None),
        ('""', None),
        ("See cat.png for more", None),
        (None, None),
    ],
)
def test_useless_alt_texts_are_hinted_at(tmp_path, alt, said):
    """An alt text that only repeats the prompt or names a file gets a line with its place; others get none."""
    site = Site(tmp_path)
    site.read(f"```gpt-image\nprompt: a cat, asleep\n{f'alt: {alt}' if alt else ''}\n```\n")
    hints = site.catalog.hints()

    assert len(hints) == (said is not None)
    assert all(said in hint and hint.startswith("docs/page.md:1: alt: ") for hint in hints)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("prompt: a\ndark: true\n", "docs/page.md:1 (dark): damaged"),
        ("prompt: b\n", "docs/page.md: in included or generated text, the block 'prompt: a' (dark): damaged"),
    ],
    ids=["page", "included"],
)
def test_a_problem_of_a_twin_has_its_role(text, printed):
    """A problem of a dark twin is located at its block and printed with its role, also where there is no line."""
    page = f"```gpt-image\n{text}```\n"
    body = "prompt: a\ndark: true\n"
    catalog = Catalog()
    light, dark = ImageSpec("a"), ImageSpec("a by night")
    parsed = ParsedBlock(light, Presentation(), dark=dark)
    catalog.add(Use(Source("docs/page.md", lambda: page, "gpt-image"), Block(body, ""), 0, parsed))

    problem = catalog.pictures[dark.digest].problem("damaged")

    assert str(problem) == printed
    assert str(catalog.pictures[light.digest].problem("damaged")) == printed.replace(" (dark)", "")
