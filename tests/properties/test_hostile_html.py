"""Whatever an author writes into a field, it comes out as the words of that field and as nothing else."""

from __future__ import annotations

import html
import re
import unicodedata
import xml.etree.ElementTree as ET
from pathlib import PurePosixPath, PureWindowsPath

import markdown
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from properties.hostile import LEFT_OUT, Html, as_shown, assert_harmless, texts, tried

from mkdocs_gptimage.figures.caption import render_caption
from mkdocs_gptimage.figures.figure import FigureImage, render_figure
from mkdocs_gptimage.figures.placeholder import placeholder_svg
from mkdocs_gptimage.spec import prompts
from mkdocs_gptimage.spec.model import ImageSpec, Presentation

LONG = 'x"<b>&\u202e\0' * 12_000
EXTENSIONS = [
    *(
        "attr_list",
        "smarty",
        "abbr",
        "pymdownx.tilde",
        "pymdownx.highlight",
        "pymdownx.inlinehilite",
        "pymdownx.magiclink",
    ),
]


def figure(
    presentation: Presentation, prompt: str = "p", src: str = "a.png", full: str | None = None, **more: str
) -> Html:
    parts = [FigureImage(src, 'width="3" height="2"', full)]
    return Html(render_figure(ImageSpec(prompt), presentation, parts, **more))


@given(prompt=texts, alt=st.none() | texts, identity=texts, css_class=texts, src=texts)
@example(prompt=LONG, alt=None, identity=LONG, css_class=LONG, src=LONG)
@example(prompt="p", alt=LONG, identity="", css_class="", src="")
@tried
def test_attributes_say_what_was_written(prompt, alt, identity, css_class, src):
    """Every attribute of a figure parses back to its field, but for white space and characters that are unfit."""
    page = figure(Presentation(id=identity, alt=alt, css_class=css_class), prompt, src=src, full=src)

    (_, outer), (_, link), (_, image) = page.elements
    assert [tag for tag, _ in page.elements] == ["figure", "a", "img"]
    assert outer == {"class": as_shown(f"gpt-image {css_class}"), **({"id": as_shown(identity)} if identity else {})}
    assert link == {"class": "gpt-image__link", "href": as_shown(src)}
    assert image == {
        "class": "gpt-image__img",
        "src": as_shown(src),
        "width": "3",
        "height": "2",
        "alt": as_shown(prompt if alt is None else alt),
        "decoding": "async",
    }
    assert page.text == ""


links = st.builds(
    "{}[{}]({}{}{}){}".format,
    st.sampled_from(["", "!"]),
    st.sampled_from(["x", "*x*", "`x`", "![x](a.png)"]),
    st.sampled_from(["", " ", "<", "\t", "&Tab;", "&NewLine;", "&#1;", "&#x202e;", "\u00a0", "\x1f", "\\"]),
    st.sampled_from(
        [
            *("javascript", "JaVaScRiPt", "&#106;avascript", "&#x6A;avascript", "&#0000106avascript", "java&#9;script"),
            *(
                "java\tscript",
                "java&NewLine;script",
                "jav&#x0A;ascript",
                "data",
                "vbscript",
                "java\\script",
                "java\u202escript",
            ),
            *(
                "&amp;#106;avascript",
                "javascript&#58",
                "javascript&colon",
                "java&shy;script",
                "java\0script",
                "javas&#8238;cript",
            ),
        ]
    ),
    st.sampled_from([":alert(1)", "&colon;alert(1)", "&#58;alert(1)", "&#x3a;alert(1)", "\\:alert(1)", ":", ": 'x'"]),
    st.sampled_from(
        [
            "",
            '{: onclick="alert(1)" }',
            '{: HREF="javascript:alert(1)" }',
            '{: SRC="javascript:alert(1)" hReF="a" }',
            '{: href="&#106;avascript:alert(1)" class="<b>" }',
            '{: src="java\tscript:1" data-x="javascript:1" }',
            "{: OnError=alert(1) srcdoc='<script>' }",
        ]
    ),
)
captions = st.lists(links | texts, max_size=4).map("".join)


@given(text=captions)
@example(text=LONG)
@example(text="<x@example.com> &copy; <https://example.com/?a&b>")
@tried
def test_a_caption_brings_words_and_harmless_links(text):
    """A caption is inline elements without code, within its figcaption, without what turns text around."""
    rendered = render_caption(text, markdown.Markdown(extensions=EXTENSIONS))
    page = figure(Presentation(), caption=rendered)

    of_caption = page.elements[3 if rendered else 2 :]
    assert_harmless(of_caption)
    assert not LEFT_OUT - {"\n"} & set(page.text)
    assert page.elements[1][1]["alt"] == (as_shown(html.unescape(re.sub("<[^>]*>", "", rendered))) or "p")


@given(text=captions)
@tried
def test_words_of_a_caption_without_markdown_are_kept(text):
    """Letters and digits of a caption are never lost, whatever stands around them."""
    plain = "".join(character for character in text if character.isalnum() or character in "<> \n\"'/=.,;")

    page = figure(Presentation(), caption=render_caption(plain, markdown.Markdown(extensions=["attr_list"])))

    assert page.text == as_shown(plain)
    assert [tag for tag, _ in page.elements][2:] in ([], ["figcaption"])


@given(prompt=texts | st.text(st.characters(min_codepoint=0x3000, max_codepoint=0x9FFF)))
@example(prompt=LONG)
@example(prompt="../../etc/passwd")
@example(prompt="C:\\con")
@example(prompt="\u200b\u00ad\u2060")
@example(prompt="ﬁ" * 400)
@example(prompt="a-" * 300)
@example(prompt="the a an")
@tried
def test_a_slug_is_a_word_and_never_a_path(prompt):
    """A slug has 1 to 40 of `[a-z0-9-]`, begins and ends with a letter or digit, and is one name on every system."""
    slug = prompts.slug(prompt)

    assert re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", slug)
    stem = ImageSpec(prompt.encode("utf-8", "replace").decode()).stem
    assert PurePosixPath(f"{stem}.png").name == PureWindowsPath(f"{stem}.png").name == f"{stem}.png"


@given(
    prompt=texts,
    note=texts,
    size=st.sampled_from(["1:1", "3:1", "1:3", "auto", None, "10x99999", "99999x10"]),
    tier=st.sampled_from(["1k", "4k"]),
)
@example(prompt=LONG, note=LONG, size="21:9", tier="1k")
@example(prompt="\U0001f469\u200d\U0001f4bb" * 2000, note="]]>", size="1:1", tier="1k")
@example(prompt="猫が窓辺で眠る" * 40, note="not generated yet", size="1:3", tier="4k")
@tried
def test_a_card_is_xml_with_the_words_of_the_prompt(prompt, note, size, tier):
    """A card is well-formed XML of known elements for any prompt, in the picture's shape, and names it in full."""
    picture = ImageSpec(prompt, size, tier)
    root = ET.fromstring(placeholder_svg(picture, note))
    width, height = picture.pixels

    assert (root.get("width"), root.get("height")) == (str(width), str(height))
    assert root.get("viewBox") == f"0 0 {width} {height}"

    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags <= {"svg", "style", "rect", "g", "circle", "path", "text"}
    assert root.get("aria-label") == as_shown(prompt)
    assert all(name.rpartition("}")[2] not in ("href", "onload", "src") for e in root.iter() for name in e.attrib)
    rows = root.findall("{http://www.w3.org/2000/svg}text")
    assert all(0 <= float(row.get("y", "nan")) <= height for row in rows)
    assert all(
        unicodedata.category(character) not in ("Cc", "Cf", "Cs") for row in rows for character in row.text or ""
    )


@pytest.mark.parametrize("prompt", ["猫が窓辺で眠る", "🐈🐈🐈", "\u200b\u2060", "…", "é" * 50, "ΑΒΓ", "!?"])
def test_a_prompt_without_latin_words_has_a_name(prompt):
    """A prompt that leaves no word of a-z has a name that says that much, but for letters with accents."""
    expected = "e" * 40 if prompt[0] == "é" else "image"

    assert prompts.slug(prompt) == expected
