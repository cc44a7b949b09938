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
    path = _secret_path()
    key = None if path is None else _read(path) or _make(path)
    return hmac.digest(key, data, "sha256").hex() if key else ""


def is_sealed(data: bytes, found: str) -> bool:
    """Whether `found` is the seal of data; makes nothing."""
    path = _secret_path()
    key = None if path is None else _read(path)
    return key is not None and hmac.compare_digest(hmac.digest(key, data, "sha256").hex(), found)


def has_secret() -> bool:
    """Whether this user has a secret; makes none."""
    path = _secret_path()
    return path is not None and _read(path) is not None


def _secret_path() -> Path | None:
    return _path_below(os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA"))


@functools.lru_cache(maxsize=1)
def _path_below(folder: str | None) -> Path | None:
    with contextlib.suppress(RuntimeError):  # a user without a home
        return Path(folder or Path.home() / ".local" / "state") / _FILE
    return None


@functools.lru_cache(maxsize=1)
def _known(path: Path) -> bytes:
    """The secret in a file that the user alone can read; raise `OSError`."""
    status = stat_regular_file(path)
    key = read_regular_file(path, _BYTES)
    is_private = os.name != "posix" or (status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & 0o077)
    if len(key) != _BYTES or not is_private:
        raise OSError(f"{path} is not a secret")
    return key


def _read(path: Path) -> bytes | None:
    with contextlib.suppress(OSError):
        return _known(path)
    return None


def _make(path: Path) -> bytes | None:
    """Write a new secret; of two builds that do so at a time, the files of one are inspected once more."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic_write(path, secrets.token_bytes(_BYTES), mode=0o600)
    return _read(path)
