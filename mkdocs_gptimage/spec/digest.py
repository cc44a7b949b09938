"""The digest of a picture: SHA-256 of the canonical form of its request."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1
"""Version of the canonical form; any change of digests needs a new one, and a migration of stores."""
SHORT_LENGTH = 12
"""Hexadecimal digits of a digest in file names and messages."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_CANONICAL_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class Digest(str):
    """64 hexadecimal digits in lower case that name a picture."""

    __slots__ = ()

    @property
    def short(self) -> str:
        """The first 12 digits, as file names and messages show it."""
        return self[:SHORT_LENGTH]


def is_digest(text: str) -> bool:
    """Whether a text from outside has the form of a digest."""
    return _DIGEST.fullmatch(text) is not None


def digest_of(canonical: Mapping[str, Any]) -> Digest:
    """Return the digest of a canonical form: of its UTF-8 JSON with sorted keys, no spaces and non-ASCII kept."""
    return Digest(hashlib.sha256(_CANONICAL_JSON.encode(canonical).encode()).hexdigest())
