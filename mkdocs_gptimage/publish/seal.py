"""Seals: how a build recognises what an earlier build of this user on this machine wrote into the cache.

A seal is an HMAC under a secret of the user's, which lies outside of all projects. Manifests that came with a
repository, or were restored by a CI service, lack it.
"""

from __future__ import annotations

import contextlib
import functools
import hmac
import os
import secrets
import stat
from pathlib import Path

from mkdocs_gptimage.fs import atomic_write, read_regular_file, stat_regular_file

_FILE = "mkdocs-gptimage/cache-key"
_BYTES = 32


def seal(data: bytes) -> str:
    """Return the seal of data, in hex; makes the secret. Empty where the user's folder cannot be written to."""
    key = _read() or _make()
    return hmac.digest(key, data, "sha256").hex() if key else ""


def is_sealed(data: bytes, found: str) -> bool:
    """Whether `found` is the seal of data; makes nothing."""
    key = _read()
    return key is not None and hmac.compare_digest(hmac.digest(key, data, "sha256").hex(), found)


def has_secret() -> bool:
    """Whether this user has a secret; makes none."""
    return _read() is not None


def _folder() -> str | None:
    return os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA")


def _path(folder: str | None) -> Path:
    """The file of the secret; raises `RuntimeError` for a user without a home."""
    return Path(folder or Path.home() / ".local" / "state") / _FILE


@functools.lru_cache(maxsize=1)
def _known(folder: str | None) -> bytes:
    """The secret in a file that the user alone can read; raise `OSError`, or as `_path`."""
    path = _path(folder)
    status = stat_regular_file(path)
    key = read_regular_file(path, _BYTES)
    is_private = os.name != "posix" or (status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & 0o077)
    if len(key) != _BYTES or not is_private:
        raise OSError(f"{path} is not a secret")
    return key


def _read() -> bytes | None:
    try:
        return _known(_folder())
    except (OSError, RuntimeError):
        return None


def _make() -> bytes | None:
    """Write a new secret; of two builds that do so at a time, the files of one are inspected once more."""
    with contextlib.suppress(OSError, RuntimeError):
        path = _path(_folder())
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic_write(path, secrets.token_bytes(_BYTES), mode=0o600)
    return _read()
