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
ROOT = f"http://{webs.HOST}/"
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


@pytest.fixture(scope="package")
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


@pytest.fixture(scope="package")
def server(chromium, tmp_path_factory):  # noqa: ARG001 - without a browser, nothing is built
    """A server of all sites, which are built once for all workers."""
    root = tmp_path_factory.getbasetemp()
    with webs.serving(sites.built(root.parent if "PYTEST_XDIST_WORKER" in os.environ else root)) as running:
        yield running


@pytest.fixture(scope="package")
def browser(chromium, server):
    """For this package, not for the whole run: while Playwright's loop runs, no test can run one in this thread."""
    from playwright.sync_api import sync_playwright

    rules = f"--host-resolver-rules=MAP {webs.HOST} 127.0.0.1:{server.port}, MAP * ~NOTFOUND"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=[*ARGUMENTS, rules])
        yield launched
        launched.close()


@pytest.fixture
def web(server):
    """The server, with an empty record of requests."""
    server.pictures.clear()
    yield server
    server.stop_holding()


@pytest.fixture(scope="package")
def windows(browser):
    """A function that gives a window with these options of Playwright's contexts: the same one every time."""
    known = {}

    def window(**options):
        key = tuple(sorted(options.items()))
        if key not in known:
            known[key] = new_window(browser, **options)
        return known[key]

    return window


def new_window(browser, **options):
    context = browser.new_context(**options)
    context.set_default_timeout(webs.PATIENCE * 1000)
    return context.new_page()


@pytest.fixture
def opened(browser, windows, web):  # noqa: ARG001 - a test begins with nothing asked for
    """A function that opens a page and returns its window before its pictures are there.

    A new window takes most of a second, so tests share them, and one page replaces another; no picture is taken from
    a cache. With `prepare`, which gets the window before the page is asked for, it is a new one.
    """
    used = []

    def open_page(path, *, width=1280, height=800, prepare=None, **options):
        window = new_window(browser, **options) if prepare else windows(**options)
        used.append(window)
        window.set_viewport_size({"width": width, "height": height})
        if prepare:
            prepare(window)
        window.goto(urljoin(ROOT, path), wait_until="domcontentloaded")
        return window

    yield open_page
    for window in dict.fromkeys(used):
        window.evaluate("() => localStorage.clear()")
        window.goto(urljoin(ROOT, sites.BLANK))
