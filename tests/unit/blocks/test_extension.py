from __future__ import annotations

import html
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import markdown
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mkdocs_gptimage.blocks import fence as blocks
from mkdocs_gptimage.blocks.extension import GptImageExtension
from mkdocs_gptimage.blocks.fence import Block, find_blocks, without_prefix

if TYPE_CHECKING:
    from collections.abc import Sequence

CASES = Path(__file__).parent / "cases"
HOST_EXTENSIONS = ("fenced_code",)
"""What MkDocs always adds."""
SUPERFENCES = "pymdownx.superfences"
CONFIGS = {
    "pymdownx.snippets": {"base_path": [str(CASES / "snippets")], "check_paths": True},
    "pymdownx.highlight": {"use_pygments": False},
    "pymdownx.tabbed": {"alternate_style": True},
}
BLOCK = "```gpt-image\nprompt: a cat\n```\n"
FIGURE = '<figure>"prompt: a cat\\n"</figure>'


@dataclass(frozen=True)
class Case:
    """A file of `cases/`: options, one a line, then the page, then the HTML it has to become."""

    options: dict[str, str]
    page: str
    expected: str

    @classmethod
    def read(cls, path: Path) -> Case:
        head, page, expected = re.split(r"^--- (?:input|output)\n", path.read_text("utf-8"), flags=re.MULTILINE)
        options = dict(line.split(": ") for line in head.splitlines())
        if options.get("line_ends") == "crlf":
            page = page.replace("\n", "\r\n")
        if options.get("final_newline") == "no":
            page = page.rstrip("\n")
        return cls(options, page, expected.strip("\n"))


def show(block: Block, _md: markdown.Markdown) -> str:
    body = json.dumps(block.body, ensure_ascii=False)
    return f"<figure>{body}{f' behind {block.header}' if block.header else ''}</figure>"


def converter(extensions: Sequence[str], fence: str = "gpt-image", *, ours_first: bool = False) -> markdown.Markdown:
    ours = GptImageExtension(show, fence)
    all_extensions = [ours, *extensions] if ours_first else [*extensions, ours]
    names = (*extensions, *(["pymdownx.highlight"] if SUPERFENCES in extensions else []))
    return markdown.Markdown(
        extensions=all_extensions, extension_configs={name: CONFIGS[name] for name in names if name in CONFIGS}
    )


def host_extensions(*, superfences: bool) -> tuple[str, ...]:
    return (*HOST_EXTENSIONS, "pymdownx.highlight", SUPERFENCES) if superfences else HOST_EXTENSIONS


def convert(text: str, *, superfences: bool) -> str:
    return converter(host_extensions(superfences=superfences)).convert(text)


def like_fenced_code(converted: str) -> str:
    """Superfences writes the code of everybody a little differently."""
    return converted.replace('<pre class="highlight">', "<pre>").replace("\n</code>", "</code>").replace("&quot;", '"')


def text_of(converted: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", converted))


with_and_without = pytest.mark.parametrize("superfences", [False, True], ids=["alone", "superfences"])


@with_and_without
@pytest.mark.parametrize("path", sorted(CASES.glob("*.md")), ids=lambda path: path.stem)
def test_case(path, superfences):
    """A page becomes the HTML of its case file, with superfences and without."""
    case = Case.read(path)
    extensions = [*host_extensions(superfences=superfences), *case.options.get("extensions", "").split()]

    converted = converter(extensions, case.options.get("fence", "gpt-image")).convert(case.page)

    assert like_fenced_code(converted) == like_fenced_code(case.expected)


@pytest.mark.parametrize("path", sorted(CASES.glob("*-nope.md")), ids=lambda path: path.stem)
def test_negative_case_shows_no_figure(path):
    """A case that is named `-nope` expects no figure and every line of the prompt."""
    case = Case.read(path)

    prompts = re.findall(r"prompt: \S+", case.page)
    assert "<figure" not in case.expected
    assert all(prompt in html.unescape(case.expected) for prompt in prompts)


def test_there_are_cases_of_both_kinds():
    """The glob finds the case files."""
    negatives = list(CASES.glob("*-nope.md"))

    assert len(negatives) >= 15
    assert len(list(CASES.glob("*.md"))) - len(negatives) >= 35


FRAGMENTS = (
    "Some *words* with `code`, a [link](x.md) and <b>HTML</b>.",
    "# Heading",
    "Setext\n======",
    "- one\n- two",
    "- one\n\n    inside\n\n    > quoted",
    "> quoted\n> > twice",
    "```python\nx = 1\n```",
    "~~~\n```gpt-image-not\n```\n~~~",
    "    indented code",
    "| a | b |\n|---|---|\n| c | d |",
    "<div>\n\nraw\n\n</div>",
    "<!-- a comment\n\nwith lines -->",
    "![picture](a.png)",
    "***",
    "Ends with two spaces  \nand `` ` `` more",
    "[^1]: not a footnote",
    "\\`\\`\\`gpt-image",
    "1. one\n2. two\n\n    more",
)


def indented(text: str, prefix: str) -> str:
    return "".join(f"{prefix}{line}" if line.strip() else line for line in text.splitlines(keepends=True))


@pytest.mark.parametrize("prefix", ["", "    ", "> "], ids=["top", "in-a-list", "in-a-quote"])
@with_and_without
@given(before=st.lists(st.sampled_from(FRAGMENTS), max_size=4), after=st.lists(st.sampled_from(FRAGMENTS), max_size=4))
def test_other_text_is_never_changed(prefix, superfences, before, after):
    """A page around a block is converted as if a plain paragraph stood there."""
    container = {"    ": "- item\n\n", "> ": "> said\n>\n"}.get(prefix, "")
    pages = [
        "\n\n".join([*before, container + indented(piece, prefix), *after]) for piece in (BLOCK.strip(), "NEUTRAL")
    ]

    with_block, with_paragraph = (like_fenced_code(convert(page, superfences=superfences)) for page in pages)

    assert with_block == with_paragraph.replace("<p>NEUTRAL</p>", FIGURE)


@with_and_without
@given(text=st.text(st.sampled_from("`~> \t\n-#gpt-image<>!{}.:x|[]*_"), max_size=80))
def test_a_page_without_a_block_is_left_alone(superfences, text):
    """Text that holds no block of ours becomes what it becomes without the extension."""
    if any(find_blocks(text.expandtabs(4).split("\n"))):
        return

    plain = markdown.Markdown(
        extensions=host_extensions(superfences=superfences),
        extension_configs={"pymdownx.highlight": CONFIGS["pymdownx.highlight"]} if superfences else {},
    ).convert(text)
    assert convert(text, superfences=superfences) == plain


@pytest.mark.parametrize("name", ["top-level", "list-tight", "quote-tight", "indented-code-tight-nope", "braces"])
def test_order_of_extensions_is_irrelevant(name):
    """Superfences may stand before or after us in the configuration."""
    page = Case.read(CASES / f"{name}.md").page
    extensions = host_extensions(superfences=True)

    first, last = (converter(extensions, ours_first=ours_first).convert(page) for ours_first in (True, False))

    assert first == last


@with_and_without
def test_one_instance_converts_several_pages(superfences):
    """A Markdown instance that is used for page after page converts each like the first."""
    md = converter(host_extensions(superfences=superfences))
    pages = [Case.read(CASES / f"{name}.md").page for name in ("top-level", "list-tight", "comment-nope", "several")]

    together = [md.reset().convert(page) for page in [*pages, *pages]]

    assert together == [convert(page, superfences=superfences) for page in [*pages, *pages]]


@with_and_without
def test_html_in_a_page_cannot_pass_for_a_marker(superfences):
    """A marker that is written into a page by hand stays what it is, even with the number of a block."""
    rendered = []
    extension = GptImageExtension(lambda block, _md: str(rendered.append(block)), "gpt-image")
    md = markdown.Markdown(extensions=[*host_extensions(superfences=superfences), extension])
    forged = [f'<figure data-gptimage-block="{token}-0"></figure>' for token in ("", "0", "0" * 16, "[0-9a-f]+")]

    converted = md.convert("\n\n".join([*forged, BLOCK, *forged]))

    assert len(rendered) == 1
    assert all(converted.count(marker) == 2 for marker in forged)


def test_tokens_differ():
    """What is learnt from one build does not help to forge a marker in the next."""
    extensions = [GptImageExtension(show) for _ in range(2)]

    one, other = (extension.mark(Block("", ""), markdown.Markdown()) for extension in extensions)

    assert one != other


@with_and_without
def test_a_hidden_block_is_not_rendered(superfences):
    """What no reader sees is never handed to `render`."""
    rendered = []
    extension = GptImageExtension(lambda block, _md: str(rendered.append(block)), "gpt-image")
    md = markdown.Markdown(extensions=[*host_extensions(superfences=superfences), extension])

    for path in CASES.glob("*-nope.md"):
        md.reset().convert(Case.read(path).page)
    seen = list(rendered)
    md.reset().convert(BLOCK)

    assert seen == []
    assert len(rendered) == 1


@with_and_without
def test_reader_gets_the_code_of_a_hidden_block_back(superfences):
    """A block that turns out to be code keeps every character, special ones too."""
    body = """prompt: "<b>&amp;</b> 'q' \\1 \\g<0> *x* {{ y }} 🐈"\nalt: \u00a0"""
    page = f"Text.\n\n    before\n{indented(f'```gpt-image{chr(10)}{body}{chr(10)}```', '    ')}\n    after\n"

    converted = convert(page, superfences=superfences)

    assert text_of(converted).strip() == f"Text.\nbefore\n```gpt-image\n{body}\n```\nafter"


@pytest.mark.parametrize("separator", ["\n", "\n\n", "\n\n\n"])
@with_and_without
def test_a_figure_never_stands_in_a_paragraph(superfences, separator):
    """A block between words closes the paragraph, however many blank lines there are."""
    page = separator.join(["One", BLOCK.strip(), "two", BLOCK.strip(), BLOCK.strip(), "three"])

    converted = convert(page, superfences=superfences)

    assert converted == f"<p>One</p>\n{FIGURE}\n<p>two</p>\n{FIGURE}\n{FIGURE}\n<p>three</p>"


@pytest.mark.parametrize("fence", ["```x", "> ```x", "~~~x", "    ~~~x"])
def test_fences_that_are_never_closed_are_searched_once(monkeypatch, fence):
    """A page of unclosed fences takes time linear in its lines, not quadratic."""
    looked_at = []
    real = without_prefix
    monkeypatch.setattr(blocks, "without_prefix", lambda *given: looked_at.append(given) or real(*given))

    found = list(find_blocks([fence] * 1000))

    assert found == []
    assert 1000 <= len(looked_at) + 1 <= 2000


@pytest.mark.parametrize("left", ["text", "", "# heading"])
def test_a_fence_is_found_behind_one_that_its_container_cuts_off(left):
    """What is known of an open fence ends where its container ends."""
    lines = ["> ```gpt-image", "> prompt: a", left, "> ```gpt-image", "> prompt: b", "> ```"]

    assert [span.block.body for span in find_blocks(lines)] == ["prompt: b\n"]


@pytest.mark.parametrize(
    "line",
    [
        "```" + " " * 200_000 + "`",
        "~" * 200_000 + "`",
        "```a" + " " * 200_000 + "}x",
        "```" + "a" * 200_000 + "}}",
        "```{" + " " * 200_000 + "}}",
    ],
    ids=["spaces", "tildes", "behind-the-language", "long-language", "braces"],
)
def test_long_lines_do_not_take_long(line):
    """A line of 200,000 characters that is no fence of ours is read in moments."""
    start = time.perf_counter()
    found = list(find_blocks([line, "```"]))

    assert found == []
    assert time.perf_counter() - start < 5
