"""Beside mkdocs-jupyter, which converts notebooks by itself."""

from __future__ import annotations

import json

import pytest
from plugins.plugin_sites import shown

HIDDEN = "\n<!--\n```gpt-image\nprompt: hidden\n```\n-->\n\n````md\n```gpt-image\nprompt: quoted\n```\n````\n"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
JUPYTEXT = "---\njupyter:\n  kernelspec:\n    display_name: a\n    language: python\n    name: python3\n---\n# Three\n"


def notebook(text: str) -> str:
    cells = [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": text},
        {
            "cell_type": "code",
            "id": "b",
            "metadata": {},
            "execution_count": 1,
            "outputs": [],
            "source": f"a = '''{shown('twins')}'''",
        },
    ]
    return json.dumps({"cells": cells, "metadata": {"kernelspec": KERNEL}, "nbformat": 4, "nbformat_minor": 5})


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)], ids=["ours last", "ours first"])
def test_notebooks(site, order):
    """Blocks and pictures by id in the Markdown of notebooks become figures, also from the cache of that plugin."""
    site.configure(plugins=["mkdocs-jupyter", "gptimage"][order])
    commented = "".join(f"# {line}\n" for line in ("# Two\n" + shown("lamp")).splitlines())
    site.write(
        {
            "index.md": "# Home\n",
            "one.ipynb": notebook("# One\n" + shown("harbour") + HIDDEN + "\n![Again](gpt-image:harbour)\n"),
            "two.py": f"# %% [markdown]\n{commented}# %%\n1 + 1\n",
            "three.md": JUPYTEXT + shown("linked"),
        }
    )
    expected = {"one/index.html": "Boats & a <low> sun", "three/index.html": "Map"}

    for _ in range(2):
        figures = site.figures()

        assert {path: each[0].image["alt"] for path, each in figures.items() if path in expected} == expected
        assert [len(each) for each in figures.values()] == [1, 1, 1]
        assert "as <strong>one block</strong>" in site.page("one/index.html")


def test_problems_in_notebooks(site):
    """What is wrong with a block of a notebook is told with the notebook's name."""
    site.configure(plugins=["mkdocs-jupyter"])
    site.write({"index.md": "# Home\n", "one.ipynb": notebook("```gpt-image\nprompt: a cat\nsize: 9:10\n```\n")})

    found = site.build()

    assert found.code == 1
    assert "docs/one.ipynb: in included or generated text, the block 'prompt: a cat'" in found.err
    assert "'9:10' is not a size" in found.err
