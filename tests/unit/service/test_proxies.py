from __future__ import annotations

import httpx
import pytest

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.service.proxies import require_readable_exceptions
from mkdocs_gptimage.text import quote

UNREADABLE = ["fe80::/10", "::1/128", "[::1]:80", "[::1]", "*.", "**", "127.*", "a b.example", "a;b", "bücher.de"]
UNREADABLE += ["x:port", "#", "?", "@", "host/path", "10.0.0.0/99", "<local>", "\x7f", "ftp://host", "http://"]
READABLE = ["*", "", " ", ",", "localhost", "localhost:80", ".example.com", "*.example.com", "example.com."]
READABLE += ["10.0.0.0/8", "::1", "fe80::1", "192.168.1.7", "https://api.example:8443", "all://intern", "my_host-1"]


@pytest.fixture(autouse=True)
def no_exceptions(monkeypatch):
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)


@pytest.mark.parametrize("entry", UNREADABLE)
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_an_unreadable_exception_is_named(monkeypatch, name, entry):
    """An entry on which httpx fails, or which it takes for something else, is named with its variable."""
    monkeypatch.setenv(name, f"localhost, {entry},.example.com")
    with pytest.raises(ConfigurationError) as caught:
        require_readable_exceptions()

    assert str(caught.value).startswith(f"{name}: cannot read {quote(entry)}, nothing was submitted")


def test_a_readable_exception_is_accepted(monkeypatch):
    """Names and addresses of hosts are accepted, and httpx reads each of them."""
    for entry in READABLE:
        monkeypatch.setenv("NO_PROXY", entry)
        require_readable_exceptions()
        httpx.Client(verify=False).close()
