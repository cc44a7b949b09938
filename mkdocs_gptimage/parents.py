"""A picture of the store as a reference image of another: its bytes, which are those of its record."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from . import references, regular
from .spec import SHORT_DIGEST, UnusableReferenceError
from .store import Damage

if TYPE_CHECKING:
    from .store import Store


def named(digest: str, where: str) -> str:
    """A parent as the subject of a message about its child."""
    return f"its reference, the picture {digest[:SHORT_DIGEST]} at {where},"


def read(digest: str, where: str, store: Store) -> bytes:
    """Return the bytes of a stored picture; raise `UnusableReferenceError` when there are none that can be sent.

    `where` is the page and line that ask for it.
    """
    shown = named(digest, where)
    found = store.verify(digest)
    if found is None:
        raise UnusableReferenceError(f"{shown} is not in the store any more")
    if isinstance(found, Damage):
        raise UnusableReferenceError(f"{shown} is damaged in the store: {found.reason}")
    references.check_size(shown, found.image.bytes)
    try:
        data = regular.read(found.path, references.MAX_BYTES)
    except OSError as error:
        raise UnusableReferenceError(f"{shown} cannot be read: {error.strerror or error}") from None
    if hashlib.sha256(data).hexdigest() != found.image.sha256:
        raise UnusableReferenceError(f"{shown} changes while it is read")
    return data
