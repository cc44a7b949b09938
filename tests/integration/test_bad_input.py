"""Every mistake is one line with page and line and a non-zero exit: never a traceback, and nothing is paid."""

from __future__ import annotations

import datetime as dt

import httpx
import pytest
from sites import FAST, Site, block, run

from mkdocs_gptimage import emulator

KEY = {"APIMASTER_API_KEY": "sk-for-the-tests"}
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path / "project")
    made.write({"index.md": "# Home\n"})
    return made


@pytest.fixture(scope="module")
def service():
    with emulator.serving(emulator.Settings(speed=200)) as base_url:
        yield base_url


@pytest.fixture(autouse=True)
def nothing_is_paid(service):
    """No test of this file may make a request."""
    url = service.replace("/v1", "/stats")
    before = httpx.get(url).json()
    yield
    assert httpx.get(url).json() == before


def fenced(text: str) -> str:
    return f"```gpt-image\n{text}\n```\n"


BLOCKS = {
    "broken YAML": (fenced("prompt: a: b"), ":4: broken YAML: mapping values are not allowed in this context"),
    "colon in a value": (fenced("prompt: a cat: asleep"), "; a value with ': ' in it needs quotes"),
    "no space": (fenced("prompt:a cat\nsize: 1:1"), "; a space is missing behind the colon"),
    "tab": (fenced("prompt: x\n\talt: y"), "; "),
    "indented": (fenced("prompt: x\n  size: 1:1"), "; all fields begin in the first column"),
    "unknown key": (
        fenced("prompt: x\ncaptoin: y"),
        ":5: captoin: is not a field; did you mean 'caption'?",
    ),
    "alias bomb": (
        fenced(
            "a: &a [x, x, x, x, x, x, x, x]\n"
            + "\n".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 8)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
        ),
        ": more than 2000 values, aliases written out",
    ),
    "unknown size": (fenced("prompt: x\nsize: 16:10"), ":5: size: '16:10' is not a size; did you mean '16:9'?"),
    "oversized reference": (
        block(prompt="x", image_urls=["big.png"]),
        ":5: image_urls[0]: 'big.png' has 21 MB, expected at most 20 MB",
    ),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_bad_block(site, service, name):
    """A bad block fails the build with page, line, what was found and what was expected."""
    text, message = BLOCKS[name]
    (site.root.parent / "secret.png").write_bytes(PNG)
    (site.root / "docs/big.png").write_bytes(PNG + bytes(21 * 1024 * 1024))
    site.configure(gptimage={"api": {"base_url": service, **FAST}})
    site.write({"index.md": f"# Home\n\n{text}"})

    built = site.build(env=KEY)

    assert built.code != 0
    assert f"docs/index.md{message}" in built.err or (not message.startswith(":4") and message in built.err), built.err
    assert "Traceback" not in built.err
    assert not site.store.exists()


def test_all_problems_are_reported_at_once(site, service):
    """One build names every problem of every page, so that none is found only after another is fixed."""
    site.configure(gptimage={"api": {"base_url": service, **FAST}})
    site.write(
        {
            "index.md": fenced("prompt: x\nsize: 16:10\nwidth: wide") + "\n" + fenced("alt: y"),
            "sub/page.md": "---\ntitle: T\n---\n\n- item\n\n"
            "    ```gpt-image\n    prompt: x\n    resolution: 3k\n    ```\n",
        }
    )

    built = site.build(env=KEY)

    assert built.code != 0
    for message in (
        "docs/index.md:3: size: '16:10'",
        "docs/index.md:4: width: 'wide' is text",
        "docs/index.md:8: prompt: is missing",
        "docs/sub/page.md:9: resolution: '3k'",
    ):
        assert message in built.err


OPTIONS = {
    "base_url that is no URL": ({"api": {"base_url": "apimaster"}}, "api.base_url: 'apimaster' is not an http(s) URL"),
    "store inside docs_dir": ({"store": "docs/gptimage"}, "store: 'docs/gptimage' lies inside docs_dir"),
    "cache inside docs_dir": ({"cache": "docs/.cache"}, "cache: 'docs/.cache' lies inside docs_dir"),
    "assets outside the site": ({"assets": "../x"}, "assets: '../x' is not a folder inside the site"),
    "unknown default": ({"defaults": {"sizes": "1:1"}}, "defaults.sizes: is not a field; did you mean 'size'?"),
    "size that YAML 1.1 reads as a number": ({"defaults": {"size": 969}}, "write '16:9', in quotes"),
    "store inside the site": ({"store": "site/pictures"}, "store: 'site/pictures' lies inside site_dir"),
    "password in the address": ({"api": {"base_url": "https://me:pw@host/v1"}}, "is not an http(s) URL"),
    "assets that no URL can name": ({"assets": "a#b"}, "assets: 'a#b' is not a folder inside the site"),
    "defaults that are no text": ({"defaults": {1: "x"}}, "defaults.1: is not a field"),
    "date as a variant": ({"defaults": {"variant": dt.date(2026, 1, 1)}}, "defaults.variant: "),
    "key instead of its variable": ({"api": {"key_env": "sk-123"}}, "api.key_env: expected the name of an environment"),
    "variable of another secret": (
        {"api": {"key_env": "GITHUB_TOKEN"}},
        "api.key_env: 'GITHUB_TOKEN' does not end in _API_KEY; expected a variable like APIMASTER_API_KEY",
    ),
    "key in capitals": (
        {"api": {"key_env": "AKIAIOSFODNN7EXAMPLE"}},
        "api.key_env: expected the name of an environment",
    ),
    "key in plain text": (
        {"api": {"base_url": "http://localhost.example/v1"}},
        "api.base_url: 'http://localhost.example/v1' is not encrypted, and others could read the key; expected https",
    ),
    "key in plain text in the same house": (
        {"api": {"base_url": "http://192.168.0.7:8080/v1"}},
        "api.base_url: 'http://192.168.0.7:8080/v1' is not encrypted",
    ),
    "no requests at a time": ({"api": {"max_requests": 0}}, "api.max_requests: 0 is too small"),
    "unknown tier of a price": ({"prices": {"8k": 1}}, "prices.8k: is not a resolution"),
    "negative price": ({"prices": {"1k": -1}}, "prices.1k: -1 is not a price in USD"),
    "timeout of nothing": ({"api": {"timeout": {"1k": 0}}}, "api.timeout.1k: 0 is not a number of seconds above 0"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_bad_option(site, name):
    """A bad option fails the build with the file, the option's name and what was expected."""
    options, message = OPTIONS[name]
    site.configure(gptimage=options)

    built = site.build(env=KEY)

    assert built.code != 0
    assert f"mkdocs.yml: plugins.gptimage.{message}" in built.err or message in built.err
    assert "Traceback" not in built.err


@pytest.mark.parametrize(
    ("store", "message"),
    [
        ("/proc/gptimage", "the store '/proc/gptimage' cannot be written to: "),
        ("mkdocs.yml", "mkdocs.yml: plugins.gptimage.store: 'mkdocs.yml' is not a folder"),
    ],
)
def test_unwritable_store(site, service, store, message):
    """A store that cannot be written to stops the build before the first submit."""
    site.configure(gptimage={"store": store, "api": {"base_url": service, **FAST}})
    site.write({"index.md": block(prompt="x")})

    built = site.build(env=KEY)

    assert built.code != 0
    assert message in built.err
    assert "Traceback" not in built.err


def test_unreadable_schema(site, service):
    """A schema file that cannot be read is one line that says what to do."""
    site.configure(gptimage={"api": {"base_url": service, **FAST}})
    site.write({"index.md": block(prompt="x")})
    script = "from mkdocs_gptimage.spec import schema; schema.SCHEMA_NAME = 'gone.json'\n"

    built = run("-c", script + "from mkdocs.__main__ import cli; cli(['build'])", cwd=site.root, env=KEY)

    assert built.code != 0
    assert "the schema file 'gone.json' cannot be read" in built.err
    assert "Traceback" not in built.err
