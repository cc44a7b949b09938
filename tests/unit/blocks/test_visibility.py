from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mkdocs_gptimage.blocks.visibility import _HIDDEN, visible_pieces

TOKEN = "token"
HIDING = ("pre", "code", "script", "style", "textarea", "template")
PARTS = (
    TOKEN,
    "text ",
    "\n",
    "<!--",
    "-->",
    "<p>",
    "</p>",
    "<code-group>",
    "</code-group>",
    "<PRE\tclass='x'>",
    "</pre >",
    *(f"<{tag}>" for tag in HIDING),
    *(f"</{tag}>" for tag in HIDING),
)
pages = st.lists(st.sampled_from(PARTS), max_size=14).map("".join)


def seen(page: str) -> list[bool]:
    """Whether a reader sees each token of a page."""
    return [is_visible for piece, is_visible in visible_pieces(page, TOKEN) for _ in range(piece.count(TOKEN))]


@pytest.mark.parametrize(
    ("page", "visible"),
    [
        ("<p>token</p>", [True]),
        ("<!-- token --> token", [False, True]),
        ("<!-- token", [False]),
        *((f"<{tag}>token</{tag}>token", [False, True]) for tag in HIDING),
        ("<pre><b>token</b></pre><p>token</p>", [False, True]),
        ("<PRE\nclass='x'>token</Pre >token", [False, True]),
        ("<script/src=x>token</script>", [False]),
        ("<code-group>token</code-group> token", [True, True]),
        ("<code-group> token", [True]),
        ("<code></code-group>token", [False]),
        ("<prelude>token</prelude>", [True]),
        ("<pre>a</pre>" + "token" * 3, [True] * 3),
    ],
)
def test_what_a_reader_sees(page, visible):
    """Comments, code, scripts and templates hide what is in them; elements that only begin like them do not."""
    assert seen(page) == visible


@given(page=pages)
def test_nothing_is_lost(page):
    """The pieces of a page are the page."""
    assert "".join(piece for piece, _ in visible_pieces(page, TOKEN)) == page


@given(page=pages)
def test_the_quick_look_agrees_with_the_full_one(page):
    """A page that is not split has no token where the full search finds something hidden."""
    hidden = [found.span() for found in _HIDDEN.finditer(page)]
    positions = [index for index in range(len(page)) if page.startswith(TOKEN, index)]

    assert seen(page) == [not any(start <= index < end for start, end in hidden) for index in positions]
