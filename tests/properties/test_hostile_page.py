"""Sites whose blocks hold hostile text in every field, built by a real mkdocs."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from properties.hostile import DIRECTIONS, PARTS, Html, as_shown, assert_harmless, quoted
from sites import Site

from mkdocs_gptimage.spec.prompts import normalise

TEXTS = [
    *(f"a {part} b" for part in PARTS if part != "\ufffe"),
    "".join(part for part in PARTS if part != "\ufffe"),
    '"><script>alert(1)</script><img src="',
    "```\n\n```gpt-image\nprompt: another",
    "猫" * 5000,
    f"{DIRECTIONS}left",
]
ODD_CLASS = "javascript:x onclick;{}()[]\\ \u202ex--"
CONTENT_ONLY = "{{ page.content }}"


def written(text: str, index: int) -> str:
    fields = {
        "prompt": f"{index} {text}",
        "alt": text,
        "caption": text,
        "class": ODD_CLASS,
        "id": f"javascript:alert.{index}" if index else "javascript:",
        "variant": f"{index} {text}"[:200],
    }
    lines = [f"{quoted(name)}: {quoted(value)}" for name, value in fields.items()]
    return "\n".join(["```gpt-image", *lines, "link: true", "width: 480", "```", ""])


@pytest.fixture(params=[[], ["pymdownx.superfences"]], ids=["alone", "superfences"])
def site(request, tmp_path):
    made = Site(tmp_path)
    made.write({"index.md": "# Title\n\n" + "\n".join(map(written, TEXTS, range(len(TEXTS)))) + "\nlast\n"})
    (tmp_path / "theme").mkdir()
    (tmp_path / "theme" / "main.html").write_text(CONTENT_ONLY)
    made.configure(
        theme={"name": None, "custom_dir": "theme"},
        markdown_extensions=["attr_list", *request.param],
        gptimage={"on_missing": "placeholder"},
    )
    return made


def test_a_page_has_exactly_its_figures(site):
    """Each block is one figure whose attributes are its words; nothing else comes out of any field."""
    done = site.build()
    page = Html(site.page("index.html"))
    tags = [tag for tag, _ in page.elements]
    starts = [index for index, tag in enumerate(tags) if tag == "figure"]

    assert done.code == 0, done.err
    assert tags[: starts[0]] == ["h1"]
    assert tags[-1] == "p"
    assert len(starts) == len(TEXTS)
    for index, (start, end) in enumerate(zip(starts, [*starts[1:], len(tags) - 1], strict=True)):
        figure, link, image, figcaption, *in_caption = page.elements[start:end]
        assert [figure[0], link[0], image[0], figcaption[0]] == ["figure", "a", "img", "figcaption"]
        assert figure[1] == {"class": as_shown(f"gpt-image {ODD_CLASS}"), "id": written_id(index)}
        assert image[1]["alt"] == as_shown(TEXTS[index])
        assert image[1]["src"] == link[1]["href"]
        expected = {"class", "src", "width", "height", "alt", "loading", "decoding", "style"}
        assert set(image[1]) == expected | ({"fetchpriority"} if index == 0 else set())
        assert_harmless(in_caption)


def written_id(index: int) -> str:
    return f"javascript:alert.{index}" if index else "javascript:"


def test_cards_are_xml_under_plain_names(site):
    """Every published card has a plain name and is well-formed, with the words of its prompt."""
    done = site.build()
    cards = sorted((site.root / "site" / "assets" / "gptimage").glob("*.svg"))
    labels = {ET.fromstring(card.read_text("utf-8")).get("aria-label") for card in cards}

    assert done.code == 0, done.err
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}-[0-9a-f]{12}\.svg", card.name) for card in cards)
    assert labels == {as_shown(normalise(f"{index} {text}")) for index, text in enumerate(TEXTS)}
