"""A folder with pictures in every state, and the gallery that shows them."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import re
from typing import TYPE_CHECKING, Any

from harness import catalog, settings
from PIL import Image

from mkdocs_gptimage.gallery.items import gallery_items
from mkdocs_gptimage.gallery.page import write_gallery
from mkdocs_gptimage.journal.snapshot import JournalSnapshot
from mkdocs_gptimage.journal.submission import Stage, Submission
from mkdocs_gptimage.plan.orphans import candidate_variant, find_orphans
from mkdocs_gptimage.plan.plan import decide
from mkdocs_gptimage.plan.status import SiteStatus
from mkdocs_gptimage.spec.model import ImageSpec
from mkdocs_gptimage.store.entry import Entry
from mkdocs_gptimage.store.record import ImageFacts, Provenance
from mkdocs_gptimage.store.snapshot import StoreSnapshot
from mkdocs_gptimage.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://api.example/v1"
PRICES = {"1k": 0.25}
HOSTILE = '</script><script>pwned=1</script><img src=x onerror="pwned=1">{{style}}\u2028&amp;<!--<script>'
CAT, BOAT, HILL, EDITED, FLOWN, LOST, TORN = (
    ImageSpec(prompt)
    for prompt in (
        "A cat on a windowsill",
        HOSTILE,
        "A green hill",
        "A long beach with dunes at noon",
        "A tower",
        "A bridge",
        "A torn map",
    )
)
PREVIOUS = ImageSpec("A long beach with dunes at night")
OLD = ImageSpec("A balloon", variant="2")
CANDIDATES = [ImageSpec(CAT.prompt, variant=candidate_variant(number, CAT.digest)) for number in (1, 2)]
SPECS = (CAT, BOAT, HILL, EDITED, FLOWN, LOST, TORN)

_DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)


def put(store: Store, spec: ImageSpec, day: int, cost: float | None, gateway: str = "api.example") -> Entry:
    """Store a picture that was made on this day of November; its size and colour depend on the day."""
    file = io.BytesIO()
    Image.new("RGB", (600 + 10 * day, 400), (10 * day, 120, 200 - 5 * day)).save(file, "PNG")
    data = file.getvalue()
    store.root.parent.mkdir(parents=True, exist_ok=True)
    part = store.root.parent / "part"
    part.write_bytes(data)
    facts = ImageFacts(hashlib.sha256(data).hexdigest(), len(data), 600 + 10 * day, 400, "png")
    made = Provenance(f"2026-11-{day:02}T09:30:00Z", gateway, "t", 12.6, cost)
    return store.put(spec.canonical, spec.digest, part, facts, made)


def survey(root: Path) -> SiteStatus:
    """Fill a folder with pictures in every state, and look at it."""
    store = Store(root / "gptimage")
    for day, (spec, cost) in enumerate([(CAT, 0.01), (BOAT, None), (HILL, 0.04), (TORN, 0.02)], start=1):
        put(store, spec, day, cost)
    put(store, PREVIOUS, 5, 0.01)
    put(store, OLD, 6, 0.5, gateway="emulator")
    for day, spec in enumerate(CANDIDATES, start=7):
        put(store, spec, day, 0.01)
    torn = store.get(TORN.digest)
    assert isinstance(torn, Entry)
    torn.path.write_bytes(torn.path.read_bytes()[:-1])
    submission = functools.partial(Submission, base_url=URL, idempotency_key="k", submitted_at=0.0)
    unclaimed = ImageSpec("An unclaimed picture")
    submissions = [
        submission(FLOWN.digest, Stage.ACCEPTED, task_id="t1", request=FLOWN.canonical),
        submission(LOST.digest, Stage.UNKNOWN),
        submission(unclaimed.digest, Stage.ACCEPTED, task_id="t2", where="docs/old.md:7", request=unclaimed.canonical),
    ]
    pictures = catalog(*SPECS)
    plan = decide(
        pictures,
        StoreSnapshot(store),
        JournalSnapshot({each.digest: each for each in submissions}),
        prices=PRICES,
        base_url=URL,
    )
    return SiteStatus(plan, find_orphans(store, pictures.pictures))


def written(root: Path, name: str = "gallery.html") -> Path:
    """Write the gallery of such a folder into its cache."""
    config = settings(root, URL)
    target = config.cache / name
    write_gallery(target, gallery_items(survey(root)), [], config)
    return target


def data(text: str) -> dict[str, Any]:
    """Return what the script of a gallery reads."""
    found = _DATA.findall(text)
    assert len(found) == 1
    return json.loads(found[0])
