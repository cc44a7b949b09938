"""A headless browser that reaches nothing but loopback, and sites for it to look at."""

from __future__ import annotations

import importlib.util
import os
import shutil
from urllib.parse import urljoin

import pytest
from browser import built as sites
from browser import web as webs

CHROMIUM = "chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def chromium():
    """The browser's program; without it, tests are skipped, or fail where GPTIMAGE_BROWSER says that it is required."""
    reasons = [
        *(
            f"the package {name} is not installed: pip install -e '.[dev]'"
            for name in ("playwright", "axe_playwright_python")
            if importlib.util.find_spec(name) is None
        ),
        *([] if shutil.which(CHROMIUM) else [f"there is no '{CHROMIUM}' on the PATH: apt-get install {CHROMIUM}"]),
    ]
    if reasons:
        (pytest.fail if os.environ.get("GPTIMAGE_BROWSER") == "required" else pytest.skip)("; ".join(reasons))
    return shutil.which(CHROMIUM)


@pytest.fixture(scope="module")
def server(chromium, tmp_path_factory):  # noqa: ARG001 - without a browser, nothing is built
    """A server of all sites, which are built once for all workers."""
    root = tmp_path_factory.getbasetemp()
    with webs.serving(sites.built(root.parent if "PYTEST_XDIST_WORKER" in os.environ else root)) as running:
        yield running


@pytest.fixture(scope="module")
def browser(chromium, server):
    """For a module, not for the whole run: while Playwright's loop runs, no other test can run one in this thread."""
    from playwright.sync_api import sync_playwright

    rules = f"--host-resolver-rules=MAP {webs.HOST} 127.0.0.1:{server.port}, MAP * ~NOTFOUND"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=[*ARGUMENTS, rules])
        yield launched
        launched.close()


@pytest.fixture
def web(server):
    """The server, as if nobody had asked it for anything."""
    server.pictures.clear()
    yield server
    server.stop_holding()


@pytest.fixture
def opened(browser, web):  # noqa: ARG001 - a new window begins with nothing asked for
    """A function that opens a page in a window of its own and returns it before its pictures are there.

    `prepare` gets the window before the page is asked for; further options are those of Playwright's contexts.
    """
    contexts = []

    def open_page(path, *, width=1280, height=800, prepare=lambda _: None, **options):
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **options))
        contexts[-1].set_default_timeout(webs.PATIENCE * 1000)
        page = contexts[-1].new_page()
        prepare(page)
        page.goto(urljoin(f"http://{webs.HOST}/", path), wait_until="domcontentloaded")
        return page

    yield open_page
    for context in contexts:
        context.close()
