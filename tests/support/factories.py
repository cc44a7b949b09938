"""Pictures in a store, without a run that makes them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from scripted_service import picture

from mkdocs_gptimage.store.record import ImageFacts, Provenance

if TYPE_CHECKING:
    from mkdocs_gptimage.spec.model import ImageSpec
    from mkdocs_gptimage.store.entry import Entry
    from mkdocs_gptimage.store.store import Store

MADE = Provenance("2026-11-23T21:16:57Z", "api.example", "t", 1.0, None)


def put(store: Store, spec: ImageSpec, data: bytes | None = None) -> Entry:
    """Store a picture of 32×18 pixels for a spec."""
    data = data or picture()
    part = store.root.parent / "part"
    part.write_bytes(data)
    facts = ImageFacts(hashlib.sha256(data).hexdigest(), len(data), 32, 18, "png")
    return store.put(spec.canonical, spec.digest, part, facts, MADE)
