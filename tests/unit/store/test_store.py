"""The store: its layout to the letter, every damage by its name, and nothing lost on the way in."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import re
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from scripted_service import picture

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.fs import read_regular_file, sha256_of_file
from mkdocs_gptimage.plan.orphans import candidate_variant
from mkdocs_gptimage.spec.model import ImageSpec
from mkdocs_gptimage.store import landing, lookup
from mkdocs_gptimage.store.entry import Damage, DamageKind, Entry
from mkdocs_gptimage.store.record import ImageFacts, Provenance
from mkdocs_gptimage.store.store import Store

SPEC = ImageSpec("Ein Kätzchen")
DIGEST = SPEC.digest
MADE = Provenance("2026-11-23T21:16:57Z", "apimaster.ai", "task_1", 12.5, 0.0085)
DATA = picture()
OTHER = picture(size=(32, 18)) + b"another"
FACTS = ImageFacts(hashlib.sha256(DATA).hexdigest(), len(DATA), 32, 18, "png")

RECORD = f"""{{
  "image": {{
    "bytes": {len(DATA)},
    "format": "png",
    "height": 18,
    "sha256": "{FACTS.sha256}",
    "width": 32
  }},
  "made": {{
    "at": "2026-11-23T21:16:57Z",
    "cost_usd": 0.0085,
    "gateway": "apimaster.ai",
    "seconds": 12.5,
    "task_id": "task_1"
  }},
  "request": {{
    "model": "gpt-image-2",
    "prompt": "Ein Kätzchen",
    "resolution": "1k",
    "size": "1:1",
    "v": 1
  }},
  "v": 1
}}
"""


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "gptimage")


def put(store, spec=SPEC, data=DATA, made=MADE):
    part = store.root.parent / "part"
    part.write_bytes(data)
    facts = ImageFacts(hashlib.sha256(data).hexdigest(), len(data), 32, 18, "png")
    return store.put(spec.canonical, spec.digest, part, facts, made)


def paths(store, digest=DIGEST):
    """(picture, record) of a digest."""
    return store.root / digest[:2] / f"{digest}.png", store.root / digest[:2] / f"{digest}.json"


def test_layout_and_record_to_the_letter(store):
    """A picture is two files below the first two digits of its digest, and its record is written one way only."""
    entry = put(store)
    files = sorted(path for path in store.root.rglob("*") if path.is_file())
    image, record = paths(store)

    assert files == sorted([image, record])
    assert image.read_bytes() == DATA
    assert record.read_bytes().decode() == RECORD
    assert store.get(DIGEST) == store.verify(DIGEST) == entry == Entry(DIGEST, image, FACTS, MADE)
    assert not (store.root.parent / "part").exists()


def test_files_are_readable_as_usual(store):
    """Both files have the permissions that the user's other files get."""
    put(store)
    usual = store.root / "usual"
    usual.write_text("")

    assert {path.stat().st_mode for path in paths(store)} == {usual.stat().st_mode}


@pytest.mark.parametrize("made", [Provenance("2026-11-23T21:16:57Z", "emulator", None, 0, None), MADE])
def test_records_are_read_back(store, made):
    """What is written is what is read, also where the service sent no metadata."""
    put(store, made=made)
    found = store.get(DIGEST)

    assert found.made == made


def test_nothing_is_not_damage(store, tmp_path):
    """A picture that is not there is neither an entry nor damage, whatever stands in the store's place."""
    (tmp_path / "file").write_text("")

    assert store.get(DIGEST) is store.verify(DIGEST) is None
    assert Store(tmp_path / "file").get(DIGEST) is None


@pytest.mark.parametrize(
    "broken",
    [
        (landing, "move_beside"),
        (landing, "write_beside"),
        (Path, "replace"),
    ],
    ids=["bytes", "record", "names"],
)
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_a_put_that_breaks_leaves_nothing(store, monkeypatch, broken, error):
    """Both files land or neither does, and no temporary file stays; a second put is whole."""

    def die(*_):
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(*broken, die)
        with pytest.raises(type(error)):
            put(store)
    left = [path for path in store.root.rglob("*") if path.is_file()]
    put(store)

    assert left == []
    assert isinstance(store.verify(DIGEST), Entry)


def test_a_put_whose_record_cannot_be_named_takes_the_bytes_back(store, monkeypatch):
    """Half a pair is never left behind by a run that lives to tell, which says where it wanted to write."""
    real = Path.replace

    def replace(self, target):
        if Path(target).suffix == ".json":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(OSError, match=f"No space left on device, in the store '{store.root}'"):
        put(store)

    assert [path for path in store.root.rglob("*") if path.is_file()] == []


def test_a_replacement_that_breaks_leaves_the_old_pair(store, monkeypatch):
    """A new picture whose record cannot be named does not stay beside the record of the old one."""
    put(store)
    real = Path.replace

    def replace(self, target):
        if Path(target).suffix == ".json":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", replace)
        with pytest.raises(OSError, match="No space left on device"):
            put(store, data=OTHER)
    files = sorted(path.name for path in store.root.rglob("*") if path.is_file())

    assert files == [f"{DIGEST}.json", f"{DIGEST}.png"]
    assert store.verify(DIGEST).image == FACTS


def test_a_replacement_is_whole_where_there_are_no_hard_links(store, monkeypatch):
    """Where the old picture cannot be kept by a second name, it is kept by a copy, and none of it stays."""
    put(store)

    def fail(*_, **__):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", fail)
    put(store, data=OTHER)
    files = sorted(path.name for path in store.root.rglob("*") if path.is_file())

    assert files == [f"{DIGEST}.json", f"{DIGEST}.png"]
    assert paths(store)[0].read_bytes() == OTHER


def half_replaced(store):
    """Put the bytes of a new picture beside the record of the old one; return what completes the replacement."""
    image, record = paths(store)
    put(store, data=OTHER)
    complete = record.read_bytes()
    put(store)
    image.write_bytes(OTHER)
    return lambda *_: record.write_bytes(complete)


@pytest.mark.parametrize("ask", ["get", "verify"])
def test_a_picture_is_read_once_more_before_it_is_called_damaged(store, monkeypatch, ask):
    """Between the two moves of another process a picture is not damaged: it is whole a moment later."""
    finish = half_replaced(store)
    monkeypatch.setattr(lookup, "time", SimpleNamespace(time=time.time, sleep=finish))

    assert getattr(Store(store.root), ask)(DIGEST).image.bytes == len(OTHER)


def test_bytes_that_change_while_they_are_compared_are_compared_again(store, monkeypatch):
    """A picture that another process replaces after its record was read is the new one, and not damaged."""
    entry = put(store)

    def read_late(path, limit):
        monkeypatch.undo()
        put(Store(store.root), data=OTHER)
        return read_regular_file(path, limit)

    monkeypatch.setattr("mkdocs_gptimage.store.verify.read_regular_file", read_late)

    assert store.compare(entry).image.bytes == len(OTHER)


@pytest.mark.parametrize("ask", ["get", "verify"])
def test_the_damage_of_a_cut_off_replacement_names_its_candidate(store, ask):
    """Bytes in place of which a candidate knows the record: the message says which command completes that."""
    half_replaced(store)
    candidate = dataclasses.replace(SPEC, variant=candidate_variant(1, DIGEST))
    stranger = dataclasses.replace(SPEC, variant=candidate_variant(1, ImageSpec("another").digest))
    put(store, spec=stranger, data=OTHER)
    without = getattr(store, ask)(DIGEST).remedy
    put(store, spec=candidate, data=OTHER)
    with_candidate = getattr(store, ask)(DIGEST).remedy

    assert "regenerate" not in without
    assert f"'gptimage regenerate --accept {candidate.digest.short}' completes that" in with_candidate
    assert "delete" not in with_candidate


def test_a_file_that_cannot_be_read_is_not_to_be_deleted(store, monkeypatch):
    """A bad disk or a wrong permission is no reason to have a picture made anew, and to pay for it."""
    put(store)

    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(lookup, "stat_regular_file", fail)
    found = store.get(DIGEST)

    assert found.kind is DamageKind.UNREADABLE
    assert "delete" not in found.remedy


def test_a_put_replaces_a_picture_of_another_format(store):
    """What an interrupted run has left of a picture that now came as PNG does not lie beside it for ever."""
    image, _ = paths(store)
    image.parent.mkdir(parents=True)
    image.with_suffix(".webp").write_bytes(b"half")
    put(store)

    assert isinstance(store.verify(DIGEST), Entry)
    assert not image.with_suffix(".webp").exists()


def test_bytes_and_names_are_durable_before_a_put_returns(store, monkeypatch):
    """The bytes, the record and the folder that names them are flushed to the disk."""
    synced = []
    real = os.fsync

    def fsync(handle):
        synced.append(Path(f"/proc/self/fd/{handle}").resolve().name if Path("/proc/self/fd").exists() else "")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    put(store)

    assert len(synced) == 3
    assert synced[-1] in (DIGEST[:2], "")


def test_moving_across_file_systems(store, monkeypatch):
    """Where the cache lies on another file system, the bytes are copied beside the target and replaced in one step."""

    def rename(*_):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(Path, "rename", rename)
    put(store)

    assert isinstance(store.verify(DIGEST), Entry)
    assert not (store.root.parent / "part").exists()
    assert len([path for path in store.root.rglob("*") if path.is_file()]) == 2


def edit(**changes):
    """A damage of the record: fields of its parts, as `image__bytes=1`."""

    def apply(_, record):
        value = json.loads(record.read_text())
        for name, new in changes.items():
            part, _, field = name.partition("__")
            if field:
                value[part][field] = new
            else:
                value[part] = new
        record.write_text(json.dumps(value))

    return apply


DAMAGES = {
    "not json": (lambda _, record: record.write_text("not JSON"), "is not one"),
    "list": (lambda _, record: record.write_text("[]"), r"is not one \(\[\], expected an object\)"),
    "null": (lambda _, record: record.write_text("null"), "is not one"),
    "no parts": (lambda _, record: record.write_text("{}"), "version None, expected 1"),
    "version is true": (edit(v=True), "version true, expected 1"),
    "no request": (edit(request=None), "belongs to another picture"),
    "no words": (edit(request__prompt="\ud800"), "surrogates not allowed"),
    "unknown format": (edit(image__format="../../x"), "image.format is '../../x', expected one of png, jpg, webp"),
    "format is a list": (edit(image__format=[]), "image.format is"),
    "hash is short": (edit(image__sha256="0" * 63), "image.sha256 is .*, expected 64 hexadecimal digits"),
    "width is text": (edit(image__width="32"), "image.width is '32', expected a whole number above 0"),
    "width is true": (edit(image__width=True), "image.width is true, expected"),
    "no height": (edit(image__height=0), "image.height is 0, expected"),
    "cost is text": (edit(made__cost_usd="much"), "made.cost_usd is 'much', expected a number or null"),
    "cost is not finite": (edit(made__cost_usd=float("inf")), "made.cost_usd is inf, expected"),
    "seconds are none": (edit(made__seconds=None), "made.seconds is None, expected a number"),
    "seconds are large": (edit(made__at=5, made__seconds=10**400), "made.at is 5, expected a text"),
    "unknown field": (edit(image__depth=8), "'image.depth' is not a field"),
    "image is a list": (edit(image=[1]), r"image is \[1\], expected an object"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_has_a_name(store, name):
    """Any mistake in a record is reported, by `get` as well as by `verify`."""
    damage, reason = DAMAGES[name]
    put(store)
    damage(*paths(store))
    found = store.get(DIGEST)

    assert isinstance(found, Damage)
    assert found.kind is DamageKind.RECORD
    assert store.verify(DIGEST) == found
    assert re.search(reason, found.reason)


def test_stores_merge_by_copying(tmp_path):
    """Two stores with different pictures become one by putting their files together."""
    specs = [ImageSpec(f"picture {number}") for number in range(20)]
    halves = [Store(tmp_path / "a" / "gptimage"), Store(tmp_path / "b" / "gptimage")]
    for number, spec in enumerate(specs):
        half = halves[number % 2]
        half.root.mkdir(parents=True, exist_ok=True)
        put(half, spec)
    shutil.copytree(halves[1].root, halves[0].root, dirs_exist_ok=True)

    assert all(isinstance(halves[0].verify(spec.digest), Entry) for spec in specs)


def test_an_unwritable_store_is_reported(tmp_path):
    """A file in the store's place is a problem of the configuration."""
    (tmp_path / "gptimage").write_text("")
    with pytest.raises(ConfigurationError, match="nothing was submitted"):
        Store(tmp_path / "gptimage").check_writable()


def test_only_files_of_the_store_are_swept(store):
    """What a run has left is removed after an hour; other folders and other names are not the store's business."""
    ours, theirs = f".{'3f' * 6}{'0' * 16}.part", ".notes.part"
    for folder in (store.root / "shelf", store.root / "3f" / "sub"):
        folder.mkdir(parents=True)
    parts = [store.root / folder / ours for folder in ("shelf", "3f", "3f/sub")] + [store.root / "3f" / theirs]
    for part in parts:
        part.write_text("")
        os.utime(part, (1, 1))
    store.check_writable()

    assert [part for part in parts if not part.exists()] == [store.root / "3f" / ours]


def test_a_linked_shard_is_refused(tmp_path, store):
    """A symbolic link in place of one of the store's folders is never followed: not to read, write, sweep or delete."""
    other = tmp_path / "other"
    put(store)
    (store.root / DIGEST[:2]).rename(other)
    (store.root / DIGEST[:2]).symlink_to(other)
    stale = other / f".{DIGEST[:12]}{'0' * 16}.part"
    stale.write_text("")
    os.utime(stale, (1, 1))
    before = sorted(other.iterdir())
    afresh = Store(store.root)
    found = afresh.get(DIGEST)

    with pytest.raises(ConfigurationError, match=f"{DIGEST[:2]}' is a symbolic link, .*; nothing was submitted"):
        afresh.check_writable()
    with pytest.raises(ConfigurationError, match="is a symbolic link, expected a folder"):
        afresh.remove(DIGEST)
    with pytest.raises(OSError, match="is a symbolic link, expected a folder"):
        put(afresh)
    assert isinstance(found, Damage)
    assert found.kind is DamageKind.NOT_A_FILE
    assert sorted(other.iterdir()) == before


def test_checking_leaves_nothing(store):
    """Whether the store can be written is tried without leaving a file in it."""
    store.check_writable()

    assert list(store.root.iterdir()) == []


@pytest.mark.parametrize("size", [0, 1, 1024 * 1024, 1024 * 1024 + 1])
def test_sha256(tmp_path, size):
    """The hash of a file is that of its bytes, however many."""
    (tmp_path / "file").write_bytes(bytes(size))

    assert sha256_of_file(tmp_path / "file") == hashlib.sha256(bytes(size)).hexdigest()
