"""The proxies that the environment names: which hosts are called directly, and whether that can be told."""

from __future__ import annotations

import ipaddress
import os
import re
from urllib.parse import urlsplit
from urllib.request import getproxies

from mkdocs_gptimage.addresses import is_loopback
from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.text import quote

_VARIABLE = "NO_PROXY"
_HOST = re.compile(r"((https?|all)://)?(\*?\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?(:[0-9]{1,5})?", re.IGNORECASE)


def is_called_directly(url: str) -> bool:
    """Whether no proxy is used for a URL, whatever the environment says: one on this machine, which may hold a key."""
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False


def require_readable_exceptions() -> None:
    """Raise `ConfigurationError` for entries of NO_PROXY that httpx fails on, or takes for something else."""
    listed = getproxies().get("no", "")
    unreadable = [entry for each in listed.split(",") if (entry := each.strip()) and not _is_readable(entry)]
    if unreadable:
        spellings = (name for name, value in os.environ.items() if name.upper() == _VARIABLE and value == listed)
        name = next(spellings, _VARIABLE)
        # Without a user and password that an address may hold.
        named = ", ".join(quote(entry.rpartition("@")[2] or entry) for entry in unreadable)
        raise ConfigurationError(
            f"{name}: cannot read {named}, nothing was submitted; expected names and addresses of hosts, with commas "
            "between them, such as 'localhost,.example.com,192.168.1.7,fe80::1'"
        )


def _is_readable(entry: str) -> bool:
    """Whether an entry is `*`, a host with or without a port, an IP address, or a network of IPv4."""
    if entry == "*" or _HOST.fullmatch(entry):
        return True
    try:
        network = ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
    return network.version == 4 or "/" not in entry
