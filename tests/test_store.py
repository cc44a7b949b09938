"""The store: its layout to the letter, every damage by its name, and nothing lost on the way in."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from pathlib import Path

import pytest
from gateway import picture

from mkdocs_gptimage import store as stores
from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.imagetype import LFS_POINTER
from mkdocs_gptimage.spec import ImageSpec
from mkdocs_gptimage.store import Damage, Entry, ImageFacts, Made, Store

SPEC = ImageSpec("Ein Kätzchen")
DIGEST = SPEC.digest
MADE = Made("2026-11-23T21:16:57Z", "apimaster.ai", "task_1", 12.5, 0.0085)
DATA = picture()
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
    assert store.look(DIGEST) == store.verify(DIGEST) == entry == Entry(DIGEST, image, FACTS, MADE)
    assert not (store.root.parent / "part").exists()


def test_files_are_readable_as_usual(store):
    """Both files have the permissions that the user's other files get."""
    put(store)
    usual = store.root / "usual"
    usual.write_text("")

    assert {path.stat().st_mode for path in paths(store)} == {usual.stat().st_mode}


@pytest.mark.parametrize("made", [Made("2026-11-23T21:16:57Z", "emulator", None, 0, None), MADE])
def test_records_are_read_back(store, made):
    """What is written is what is read, also where the service told nothing."""
    put(store, made=made)
    found = store.look(DIGEST)

    assert found.made == made


def test_nothing_is_not_damage(store, tmp_path):
    """A picture that is not there is neither an entry nor damage, whatever stands in the store's place."""
    (tmp_path / "file").write_text("")

    assert store.look(DIGEST) is store.verify(DIGEST) is None
    assert Store(tmp_path / "file").look(DIGEST) is None


def test_a_put_that_breaks_between_the_files_is_damage(store, monkeypatch):
    """Bytes without a record are not an entry and not missing either; a second put repairs them."""

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(stores, "_write", die)
        with pytest.raises(KeyboardInterrupt):
            put(store)
    found = store.look(DIGEST)
    put(store)

    assert isinstance(found, Damage)
    assert found.reason == f"{DIGEST}.png has no record beside it"
    assert isinstance(store.verify(DIGEST), Entry)


def test_a_write_that_fails_leaves_nothing(store, monkeypatch):
    """When the record cannot be replaced, no temporary file stays in the store."""

    def die(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(stores.os, "fsync", lambda _: None)
        patched.setattr(Path, "chmod", die)
        with pytest.raises(OSError, match="No space"):
            put(store)

    assert [path.name for path in store.root.rglob("*") if path.is_file()] == [f"{DIGEST}.png"]


def test_bytes_and_names_are_durable_before_a_put_returns(store, monkeypatch):
    """The bytes, the record and the folder that names them are flushed to the disk."""
    synced = []
    real = os.fsync

    def fsync(handle):
        synced.append(Path(f"/proc/self/fd/{handle}").resolve().name if Path("/proc/self/fd").exists() else "")
        real(handle)

    monkeypatch.setattr(stores.os, "fsync", fsync)
    put(store)

    assert len(synced) == 3
    assert synced[-1] in (DIGEST[:2], "")


def test_moving_across_file_systems(store, monkeypatch):
    """Where the cache lies on another file system, the bytes are copied beside the target and replaced in one step."""
    real = Path.replace

    def replace(self, target):
        if self.parent != Path(target).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
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


def to_folder(path):
    path.unlink()
    path.mkdir()


DAMAGES = {
    "no record": (lambda _, record: record.unlink(), "has no record beside it"),
    "no picture": (lambda image, _: image.unlink(), "the record has no .* beside it"),
    "shorter": (lambda image, _: image.write_bytes(DATA[:-1]), f"has {len(DATA) - 1} bytes, its record says"),
    "empty": (lambda image, _: image.write_bytes(b""), "has 0 bytes"),
    "pointer": (lambda image, _: image.write_bytes(LFS_POINTER + b"v1\n"), "Git LFS pointer; .*'git lfs pull'"),
    "picture is a folder": (lambda image, _: to_folder(image), "is not a file"),
    "record is a folder": (lambda _, record: to_folder(record), "cannot be read"),
    "not json": (lambda _, record: record.write_text("<<<<<<< HEAD\n"), "is not one"),
    "not utf-8": (lambda _, record: record.write_bytes(b"\xff\xfe"), "cannot be read"),
    "nested": (lambda _, record: record.write_text("[" * 100_000), "is not one"),
    "list": (lambda _, record: record.write_text("[]"), "is not one"),
    "null": (lambda _, record: record.write_text("null"), "is not one"),
    "no parts": (lambda _, record: record.write_text("{}"), "is not one"),
    "newer": (edit(v=2), "version 2, expected 1"),
    "other prompt": (edit(request__prompt="A dog"), "belongs to another picture"),
    "no request": (edit(request=None), "belongs to another picture"),
    "unknown format": (edit(image__format="../../x"), "described wrongly"),
    "width is text": (edit(image__width="32"), "described wrongly"),
    "width is true": (edit(image__width=True), "described wrongly"),
    "no height": (edit(image__height=0), "described wrongly"),
    "cost is text": (edit(made__cost_usd="much"), "described wrongly"),
    "seconds are none": (edit(made__seconds=None), "described wrongly"),
    "unknown field": (edit(image__depth=8), "is not one"),
    "image is a list": (edit(image=[1]), "is not one"),
    "other format": (edit(image__format="jpg"), "the record has no .*jpg beside it"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_has_a_name(store, name):
    """Whatever is wrong with a pair of files is told, by a quick look as by a thorough one."""
    damage, reason = DAMAGES[name]
    put(store)
    damage(*paths(store))
    found = store.look(DIGEST)

    assert isinstance(found, Damage)
    assert store.verify(DIGEST) == found
    assert re.search(reason, found.reason)


@pytest.mark.parametrize("damage", [lambda image: image.write_bytes(bytes(len(DATA))), None])
def test_only_verify_reads_the_bytes(store, damage):
    """A change that keeps the size, or a record with another hash, is seen by `verify`."""
    put(store)
    image, record = paths(store)
    if damage:
        damage(image)
    else:
        edit(image__sha256="0" * 64)(image, record)

    assert isinstance(store.look(DIGEST), Entry)
    assert store.verify(DIGEST) == Damage(DIGEST, f"the bytes of {DIGEST}.png are not those of its record")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_picture_that_may_not_be_read_is_damage(store):
    """A file without permission to read it is told, not raised."""
    put(store)
    paths(store)[0].chmod(0)

    assert "cannot be read" in store.verify(DIGEST).reason


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


def test_an_unwritable_store_is_told(tmp_path):
    """A file in the store's place is a problem of the configuration."""
    (tmp_path / "gptimage").write_text("")
    with pytest.raises(ConfigurationError, match="nothing was submitted"):
        Store(tmp_path / "gptimage").check_writable()


def test_checking_leaves_nothing(store):
    """Whether the store can be written is tried without leaving a file in it."""
    store.check_writable()

    assert list(store.root.iterdir()) == []


@pytest.mark.parametrize("size", [0, 1, 1024 * 1024, 1024 * 1024 + 1])
def test_sha256(tmp_path, size):
    """The hash of a file is that of its bytes, however many."""
    (tmp_path / "file").write_bytes(bytes(size))

    assert stores.sha256(tmp_path / "file") == hashlib.sha256(bytes(size)).hexdigest()
