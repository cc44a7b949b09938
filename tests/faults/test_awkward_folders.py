"""Folders that cannot be written to, that are full, oddly named or somewhere else: nothing is paid in vain, or lost."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import os
import re
import shutil
import stat
import subprocess
import sys
import time
import unicodedata
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import harness
import pytest
import scripted_service
import waits
from PIL import Image, ImageChops
from scripted_service import accepts
from sites import FAST, Finished, Site, block, environment

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.hosts.folders import SiteFolders, folder_problems
from mkdocs_gptimage.journal.journal import open_journal
from mkdocs_gptimage.journal.submission import Stage, Submission
from mkdocs_gptimage.owned_folder import PARTS, claim_folder, make_subfolder
from mkdocs_gptimage.plan.states import State
from mkdocs_gptimage.publish.link import PLACEHOLDERS, link_file, write_placeholder
from mkdocs_gptimage.publish.manifest import WEB
from mkdocs_gptimage.publish.renditions import derive_renditions
from mkdocs_gptimage.settings import Output
from mkdocs_gptimage.spec.model import ImageSpec
from mkdocs_gptimage.store.entry import Entry
from mkdocs_gptimage.store.record import ImageFacts, Provenance
from mkdocs_gptimage.store.store import Store

DATA = scripted_service.picture()
FACTS = ImageFacts(hashlib.sha256(DATA).hexdigest(), len(DATA), 32, 18, "png")
MADE = Provenance("2026-11-23T21:16:57Z", "apimaster.ai", "task_1", 12.5, 0.0085)
KEY = {"APIMASTER_API_KEY": scripted_service.KEY}
SPEC, OTHER = ImageSpec("A cat"), ImageSpec("A cow")
NEW = "A dog"
CAPABILITIES = "-dac_override,-dac_read_search"
SETPRIV = ("setpriv", f"--bounding-set={CAPABILITIES}", f"--inh-caps={CAPABILITIES}")


def fill(store: Path, *specs: ImageSpec) -> list[Entry]:
    """Put pictures into a store without a service."""
    entries = []
    for spec in specs or (SPEC,):
        part = store.parent / "part"
        part.write_bytes(DATA)
        entries.append(Store(store).put(spec.canonical, spec.digest, part, FACTS, MADE))
    return entries


@contextlib.contextmanager
def mounted(folder: Path, *options: str):
    """A small file system in memory, where this user may mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        command = ["mount", "-t", "tmpfs", "-o", ",".join(("size=4m", *options)), "tmpfs", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"there is no mount here: {error}")
    if done.returncode:
        pytest.skip(f"this user may not mount: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


# Full disks


def noise(size: int) -> bytes:
    """A picture of about so many bytes."""
    file = io.BytesIO()
    side = int((size / 3) ** 0.5)
    Image.frombytes("RGB", (side, side), os.urandom(3 * side * side)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("full", ["store", "cache"])
def test_nothing_is_submitted_after_a_picture_that_cannot_be_stored(service, tmp_path, monkeypatch, caplog, full):
    """On a full disk the first picture that finds no room is the last that is paid for; all are made when there is."""
    prompts = [f"picture {number}" for number in range(12)]
    site = harness.Site(
        harness.settings(tmp_path, service.base_url, api={"max_requests": 1}), harness.catalog(*prompts)
    )
    service.download = scripted_service.Answer(body=noise(1_300_000))

    def ended():
        """How many pictures the run has stored or failed to store."""
        lines = [each.message for each in caplog.records]
        return sum(": stored: " in line or ": still in flight: " in line for line in lines)

    def submit(_):
        """Accept when what was accepted before has been stored or not."""
        number = len(service.of("submit"))
        waits.until(lambda: ended() >= number - 1)
        return accepts(f"task_{number}")

    caplog.set_level("INFO", "mkdocs.plugins.gptimage")
    service.submit = submit
    with harness.fast_production(monkeypatch):
        with mounted(getattr(site.settings, full)) as folder:
            if full == "cache":
                claim_folder(folder)
            (folder / "others").write_bytes(bytes(1_000_000 if full == "store" else 3_000_000))
            result = site.run()
            problems = [str(problem) for problem in result.problems]
            submits = len(service.of("submit"))
            stored = sum(outcome.entry is not None for outcome in result.outcomes)
            kept = {path: path.read_bytes() for path in site.settings.store.rglob("*") if path.is_file()}
            journal = {
                p: p.read_bytes() for p in site.settings.cache.rglob("*") if p.is_file() and PARTS not in p.parts
            }
        for path, data in (kept | journal).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        service.submit = lambda _: accepts(f"task_{len(service.of('submit'))}")
        again = site.run()

    assert submits <= stored + 2  # one may have been on its way
    assert f"cannot be stored: No space left on device, in the {full}" in problems[0]
    assert "nothing more is submitted, because of another picture: cannot be stored: No space left" in problems[-1]
    assert again.problems == []
    assert len(service.of("submit")) == len(prompts)


# Permissions


def as_anybody(site: Site, *arguments: str) -> Finished:
    """Run without the right of root to read and write everything."""
    command = [*(SETPRIV if os.geteuid() == 0 else ()), sys.executable, "-m", *arguments]
    done = subprocess.run(
        command, cwd=site.root, env=environment(KEY), capture_output=True, text=True, timeout=120, check=False
    )
    return Finished(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def permissions_hold(tmp_path_factory) -> None:
    if os.geteuid() != 0:
        return
    folder = tmp_path_factory.mktemp("closed")
    folder.chmod(0o555)
    tried = subprocess.run([*SETPRIV, "touch", folder / "x"], check=False, capture_output=True, text=True)
    if "Permission denied" not in tried.stderr:
        pytest.skip(f"root cannot give up its rights here: {tried.stderr.strip()}")


def paths(site: Site) -> dict[str, Path]:
    shard = site.store / SPEC.digest[:2]
    return {
        "store": site.store,
        "shard": shard,
        "image": shard / f"{SPEC.digest}.png",
        "other_record": site.store / OTHER.digest[:2] / f"{OTHER.digest}.json",
        "parts": site.root / ".cache" / "gptimage" / "parts",
        "journal": site.store / ".journal",
        "caches": site.root / ".cache",
    }


@contextlib.contextmanager
def shut(mode: int, *closed: Path):
    for path in closed:
        if not path.exists():
            path.mkdir(parents=True)
        path.chmod(mode)
    try:
        yield
    finally:
        for path in closed:
            path.chmod(0o755)


DENIED = "cannot be written to: Permission denied"
# (closed, mode, is a picture missing, was it built before, what is said)
CLOSED = [
    (("store",), 0o555, True, False, [f"the store '.*/gptimage' {DENIED}; nothing was submitted"]),
    (("shard",), 0o555, True, False, ["the store's folder '.*' cannot be written to; .*; nothing was submitted"]),
    (("store",), 0o000, False, False, ["docs/index.md:3: .* is damaged: .*json cannot be read .Permission denied"]),
    (
        ("image", "other_record"),
        0o000,
        True,
        False,
        [
            f"docs/index.md:{line}: .* is damaged: .*{end} cannot be read .Perm"
            for line, end in ((3, "png"), (7, "json"))
        ],
    ),
    (("parts",), 0o555, True, True, [f"the cache '.*/.cache/gptimage/parts' {DENIED}; nothing was submitted"]),
    (
        ("journal",),
        0o555,
        True,
        False,
        ["the journal '.*/gptimage/.journal/journal' cannot be opened .*Permission denied.*nothing was submitted"],
    ),
    (("caches",), 0o555, False, False, [f"the cache '.*gptimage' {DENIED}; .* set 'cache' to another folder"]),
]


@pytest.mark.usefixtures("permissions_hold")
@pytest.mark.parametrize(
    ("closed", "mode", "is_missing", "is_warm", "said"), CLOSED, ids=[f"{row[0]}-{row[1]:o}" for row in CLOSED]
)
def test_permissions(tmp_path, service, closed, mode, is_missing, is_warm, said):  # noqa: PLR0913 - a row
    """A run without the right to read or write names the folder and the reason before anything is paid."""
    site = Site(tmp_path)
    site.write({"index.md": "# Home\n\n" + block(prompt=SPEC.prompt) + "\n" + block(prompt=OTHER.prompt)})
    fill(site.store, SPEC, OTHER)
    api = {"api": {"base_url": service.base_url, **FAST}}
    site.configure(gptimage={"on_missing": "error", **api})
    if is_warm:
        assert site.build().code == 0
    if is_missing:
        site.write({"new.md": block(prompt=NEW)})
        site.configure(gptimage={"on_missing": "generate", **api})
    with shut(mode, *(paths(site)[name] for name in closed)):
        built = as_anybody(site, "mkdocs", "build")

    assert built.code == 1, built.err
    assert [each for each in said if not re.search(each, built.err)] == [], built.err
    assert "Traceback" not in built.err
    # Damage to one picture is no reason not to make another.
    assert len(service.of("submit")) == ("image" in closed)


# Full disks


def stuff(folder: Path) -> None:
    """Leave no room."""
    with contextlib.suppress(OSError), (folder / "stuffing").open("ab", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


@pytest.fixture
def quick(monkeypatch):
    with harness.fast_production(monkeypatch):
        yield


# (what lies on the disk, the request at which it is full, submits, what is said, what the next run says)
FULL = [
    ("store", None, 0, "the store '.*/small/store' cannot be written to: No space left on device; nothing was", ""),
    ("store", "submit", 1, r"\A\Z", ""),  # the journal and this small picture have the room that was kept
    ("store", "batch", 1, "docs/index.md:1: .*: No space left on device, in the store '.*/small/store'", ""),
    ("store", "download", 1, "docs/index.md:1: .*: No space left on device, in the store '.*/small/store'", ""),
    ("cache", None, 0, "'.*/small/cache/.*No space left on device.*nothing was submitted", ""),
    ("cache", "submit", 1, "docs/index.md:1: .*No space left on device, in the cache '.*/small/cache/parts'", ""),
    ("cache", "batch", 1, "docs/index.md:1: .*No space left on device, in the cache '.*/small/cache/parts'", ""),
    ("cache", "download", 1, "docs/index.md:1: .*No space left on device, in the cache '.*/small/cache/parts'", ""),
]


def attempt(site: harness.Site) -> str:
    try:
        return "\n".join(map(str, site.run().problems))
    except ConfigurationError as error:
        return str(error)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("full", "moment", "submits", "said", "said_next"), FULL)
def test_a_full_disk(tmp_path, service, full, moment, submits, said, said_next):  # noqa: PLR0913 - a row
    """Whenever the room runs out, nothing half is left, and the next run pays for nothing that is paid for."""
    with mounted(tmp_path / "small") as small:
        settings = dataclasses.replace(harness.settings(tmp_path, service.base_url), **{full: small / full})
        site = harness.Site(settings, harness.catalog("a"))
        usual = getattr(service, moment) if moment else None

        def when_asked(request):
            stuff(small)
            return usual(request) if callable(usual) else usual

        if moment:
            setattr(service, moment, when_asked)
        else:
            stuff(small)
        first = attempt(site)
        left = site.files()
        (small / "stuffing").unlink()
        if moment:
            setattr(service, moment, usual)
        bought = len(service.of("submit"))
        second = attempt(site)
        bought_next = len(service.of("submit")) - bought
        found = site.store.verify(site.digests[0])

    assert re.search(said, first)
    assert left == ([] if first else [f"{site.digests[0]}.json", f"{site.digests[0]}.png"])
    assert (bought, bought_next) == (submits, 1 - submits)
    assert re.fullmatch(said_next, second)
    assert isinstance(found, Entry) or second


def original(entry: Entry, cache: Path) -> Path:
    """The file that a site shows of a stored picture."""
    return Path(derive_renditions([entry], Output(formats=("original",)), cache)[entry.digest].renditions[0].path)


def same_pixels(one: bytes, other: bytes) -> bool:
    """Whether two files show the same, whatever else they say."""
    return ImageChops.difference(*(Image.open(io.BytesIO(data)) for data in (one, other))).getbbox() is None


@pytest.mark.parametrize("what", ["original", "placeholder"])
def test_a_full_cache_keeps_nothing_half(tmp_path, what):
    """A file or a card that does not fit leaves no part of itself, and is made as soon as there is room."""
    (entry,) = fill(tmp_path / "gptimage")
    with mounted(tmp_path / "small") as small:
        cache = small / "cache"
        for folder in (WEB, PARTS, PLACEHOLDERS):
            make_subfolder(cache, folder)
        (cache / ".gitignore").write_text("")
        stuff(small)

        def make():
            if what == "original":
                return original(entry, cache)
            return write_placeholder(SPEC, "not yet", cache)

        with pytest.raises(OSError, match="No space left"):
            make()
        left = [
            path.name for path in cache.rglob("*") if path.is_file() and path.stat().st_size and path.name[0] != "."
        ]
        (small / "stuffing").unlink()
        made = make()
        is_ignored = (cache / ".gitignore").read_text() == "*\n"
        size = made.stat().st_size

    assert left == []
    assert size > 0
    assert is_ignored


# Read-only file systems


@pytest.mark.parametrize(
    ("is_warm", "code", "said"),
    [
        (True, 0, ""),
        (False, 1, "the cache '.*/.cache/gptimage' cannot be written to: Read-only file system; .* set 'cache' to"),
    ],
    ids=["warm", "cold"],
)
def test_read_only(tmp_path, is_warm, code, said):
    """A frozen project whose pictures and copies are there is built and checked; a cache without copies is named."""
    with mounted(tmp_path / "project") as root:
        site = Site(root)
        site.write({"index.md": block(prompt=SPEC.prompt)})
        site.configure(site_dir=os.fspath(tmp_path / "built"), gptimage={"on_missing": "error"})
        fill(site.store)
        if is_warm:
            assert site.build().code == 0
        subprocess.run(["mount", "-o", "remount,ro", root], check=True)
        built = site.build("--strict")
        checked = site.gptimage("check")

    assert built.code == code, built.err
    assert re.search(said, built.err)
    assert "Traceback" not in built.err
    assert checked.code == 0, checked.err


def test_a_journal_in_a_frozen_store_is_read(tmp_path, service):
    """In a store that is read-only, a plan shows what is in flight, and a build that would pay says why it does not."""
    with mounted(tmp_path / "project") as root:
        site = harness.Site(harness.settings(root, service.base_url, store=root / "gptimage"), harness.catalog("a"))
        (spec,) = (picture.spec for picture in site.pictures.pictures.values())
        with open_journal(site.settings.journal) as journal:
            journal.write(
                Submission(
                    spec.digest, Stage.ACCEPTED, service.base_url, "key", time.time(), "task", request=spec.canonical
                )
            )
        subprocess.run(["mount", "-o", "remount,ro", root], check=True)
        states = site.states()
        with pytest.raises(ConfigurationError, match="cannot be written to: Read-only file system"):
            site.run()

    assert states == [State.IN_FLIGHT]
    assert service.requests == []


# Elsewhere


def link_to(path: Path, target: Path) -> None:
    target.mkdir(parents=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("elsewhere", "how"), [("store", "link"), ("store", "file system"), ("cache", "file system")])
def test_folders_elsewhere(tmp_path, service, elsewhere, how):
    """The store may be a link, and either folder a file system of its own: pictures are whole, none is left behind."""
    project = tmp_path / "project"
    project.mkdir()
    settings = harness.settings(project, service.base_url)
    folder = getattr(settings, elsewhere)
    with contextlib.ExitStack() as stack:
        if how == "link":
            link_to(folder, tmp_path / "elsewhere")
        else:
            stack.enter_context(mounted(folder))
        site = harness.Site(settings, harness.catalog("a", "b"))
        problems = site.run().problems
        found = [site.store.verify(digest) for digest in site.digests]
        copies = [original(entry, settings.cache) for entry in found]
        for number, copy in enumerate(copies):
            link_file(os.fspath(copy), os.fspath(tmp_path / f"{number}.png"))
        files = site.files()

    assert problems == []
    for number in (0, 1):
        assert same_pixels((tmp_path / f"{number}.png").read_bytes(), DATA)
    assert files == sorted(f"{digest}.{ending}" for digest in site.digests for ending in ("json", "png"))


def test_a_worktree_and_a_subfolder(tmp_path):
    """A site in a subfolder of a git worktree is built; git sees its pictures, and neither cache nor journal."""
    if shutil.which("git") is None:
        pytest.skip("there is no git here")
    main, site = tmp_path / "main", Site(tmp_path / "tree" / "sub")
    # A hook of git, in which tests may run, has a repository of its own.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}

    def git(folder: Path, *arguments: str) -> str:
        command = ["git", "-C", folder, "-c", "user.name=x", "-c", "user.email=x@example.com", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=plain).stdout

    git(tmp_path, "init", "-q", "main")
    git(main, "commit", "-q", "--allow-empty", "-m", "x")
    git(main, "worktree", "add", "-q", "../tree")
    site.write({"index.md": block(prompt=SPEC.prompt)})
    site.configure(gptimage={"on_missing": "error"})
    fill(site.store)
    built = site.build("--strict")
    seen = git(site.root, "status", "--porcelain", "-uall")

    assert built.code == 0, built.err
    assert f"sub/gptimage/{SPEC.digest[:2]}/{SPEC.digest}.png" in seen
    assert (site.store / ".journal").is_dir()
    assert ".cache" not in seen
    assert ".journal" not in seen


# Names

ODD = [
    'it\'s "a b" & <c>',
    unicodedata.normalize("NFC", "Kätzchen") + unicodedata.normalize("NFD", "é 50%25 #1?x=1&y=2;z"),
    "line\nbreak",
]


@pytest.mark.parametrize("odd", ODD)
def test_odd_names(tmp_path, odd):
    """Whatever project, docs, store and pages are called, URLs in the site lead to files, and damage is one line."""
    site = Site(tmp_path / odd)
    (site.root / odd / odd).mkdir(parents=True)
    broken = ImageSpec("Broken")
    page = site.root / odd / odd / f"{odd}.md"
    page.write_text(block(prompt=SPEC.prompt, link=True) + "\n" + block(prompt=broken.prompt), encoding="utf-8")
    (site.root / odd / "index.md").write_text("# Home\n", encoding="utf-8")
    site.configure(docs_dir=odd, gptimage={"on_missing": "placeholder", "store": f"{odd} store"})
    _, damaged = fill(site.root / f"{odd} store", SPEC, broken)
    os.truncate(damaged.path, 5)
    built = site.build()
    html = (site.root / "site" / odd / odd / "index.html").read_text(encoding="utf-8")
    base = (site.root / "site" / odd / odd / "x").as_uri()
    urls = re.findall(r'(?:src|href)="([^"]*assets/gptimage/[^"]*(?:png|webp|svg))"', html)
    files = [Path(unquote(urlsplit(urljoin(base, url)).path)) for url in urls]

    assert built.code == 0, built.err
    assert len(files) == 3
    assert all(path.is_file() for path in files)
    assert any(re.search(r":\d+: the picture .* has 5 bytes, .* made anew$", line) for line in built.lines)


AWKWARD = ["con", "NUL", "aux.", "com1", "LPT9", "prn ", "…", "a" * 500, "x" * 39 + " y.", "Ünï cödé", "../../etc", "."]


@pytest.mark.parametrize("prompt", AWKWARD)
def test_names_of_ours_are_names_everywhere(tmp_path, service, monkeypatch, prompt):
    """No file of ours is called as Windows forbids, differs from another by case only, or has a name without bound."""
    with harness.fast_production(monkeypatch):
        site = harness.Site(harness.settings(tmp_path, service.base_url), harness.catalog(prompt))
        assert site.run().problems == []
    (digest,) = site.digests
    original(site.store.get(digest), site.settings.cache)
    write_placeholder(ImageSpec(prompt), "", site.settings.cache)
    published = f"{ImageSpec(prompt).stem}.png"
    found = [*site.settings.store.rglob("*"), *site.settings.cache.rglob("*"), tmp_path / published]
    names = [path.relative_to(tmp_path).as_posix() for path in found]
    parts = {part for name in names for part in name.split("/")}

    assert len({name.casefold() for name in names}) == len(names)
    assert not {part for part in parts if re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", part, re.IGNORECASE)}
    assert not {part for part in parts if re.search(r"[. ]$|[<>:\"\\|?*\x00-\x1f]", part) or not part.isascii()}
    assert max(len(name) for name in names) <= 130


# Places

PLACES = [
    ("gptimage", ".cache/gptimage", []),
    ("./gptimage/", ".cache/../.cache/gptimage", []),
    ("../pictures", "../cache", []),
    ("{root}/pictures", "{root}/cache", []),
    ("gptimage", "gptimage/.cache", []),
    ("docs-pictures", "site-cache", []),
    ("docs/pictures", "x", ["store: 'docs/pictures' lies inside docs_dir"]),
    ("pictures/../docs", "x", ["store: 'pictures/../docs' lies inside docs_dir"]),
    ("{root}/project/docs/a", "x", ["store: '{root}/project/docs/a' lies inside docs_dir"]),
    ("site/pictures", "site/cache", ["store: .* lies inside site_dir", "cache: .* lies inside site_dir"]),
    ("site", "x", ["store: 'site' lies inside site_dir, which every build empties; expected a folder beside it"]),
    ("link-to-site/a", "x", ["store: .* lies inside site_dir"]),
    ("site/link-out", "x", ["store: .* lies inside site_dir"]),
    ("docs/link-out", "x", ["store: .* lies inside docs_dir"]),
    ("linked/../pictures", "x", []),
    (".", "x", ["store: '.' is not a folder of its own"]),
    ("", "", ["store: '' is not a folder of its own", "cache: '' is not a folder of its own"]),
    ("..", "x", ["store: '..' is not a folder of its own"]),
    ("/", "x", ["store: '/' is not a folder of its own"]),
    ("gptimage", ".", ["cache: '.' is not a folder of its own"]),
    ("same", "same", ["store: 'same' lies inside the cache, which is never committed"]),
    ("x/store", "x", ["store: 'x/store' lies inside the cache"]),
    ("x", "x/.journal/c", ["cache: 'x/.journal/c' lies inside the store's .journal"]),
    ("file", "x", ["store: 'file' is not a folder"]),
    ("file/below", "x", ["store: 'file/below' cannot be used: it lies below a file, '.*/project/file'"]),
    ("dangling", "x", ["store: 'dangling' is a symbolic link to .*, which is not there; mount or create it"]),
    ("loop", "x", ["store: 'loop' .*"]),
    ("a\0b", "x", ["store: 'a.b' is not a path"]),
    ("a" * 300, "x", ["store: 'a+…' is too long a path, .*; expected a shorter one"]),
    ("a/" * 2000, "x", ["store: 'a/[a/]+…' is too long a path"]),
]


@pytest.mark.parametrize(("store", "cache", "expected"), PLACES, ids=lambda value: repr(value)[:30])
def test_places(tmp_path, store, cache, expected):
    """Where what was paid for would be published, emptied or ignored, or swept with others' files, is refused."""
    project, docs, site = (tmp_path / name for name in ("project", "project/docs", "project/site"))
    for folder in (docs, site, tmp_path / "elsewhere"):
        folder.mkdir(parents=True)
    (project / "file").write_text("")
    for link, target in {
        "link-to-site": site,
        "site/link-out": tmp_path / "elsewhere",
        "docs/link-out": tmp_path / "elsewhere",
        "linked": tmp_path / "elsewhere",
        "dangling": tmp_path / "nowhere",
        "loop": project / "loop",
    }.items():
        (project / link).symlink_to(target)
    root = os.fspath(tmp_path)
    folders = SiteFolders(project, docs, site, store.replace("{root}", root), cache.replace("{root}", root))
    found = folder_problems(folders)

    assert len(found) == len(expected)
    assert all(re.match(each.replace("{root}", root), problem) for each, problem in zip(expected, found, strict=True))
    assert all(problem.isprintable() and len(problem) < 400 for problem in found)


def test_a_folder_under_another_name(tmp_path):
    """Where two names are one folder, as letters of another case can be, the store in it is inside it all the same."""
    (tmp_path / "Site").mkdir()
    with mounted(tmp_path / "site"):
        subprocess.run(["mount", "--bind", tmp_path / "site", tmp_path / "Site"], check=True)
        try:
            found = folder_problems(SiteFolders(tmp_path, tmp_path / "docs", tmp_path / "site", "Site/a", "cache"))
        finally:
            subprocess.run(["umount", "-l", tmp_path / "Site"], check=True)

    assert len(found) == 1
    assert found[0].startswith("store: 'Site/a' lies inside site_dir")


def test_a_store_in_the_site_outlives_the_refusal(tmp_path):
    """The build is refused before MkDocs empties the folder with what was paid for."""
    site = Site(tmp_path)
    site.write({"index.md": block(prompt=SPEC.prompt)})
    site.configure(gptimage={"store": "site/pictures"})
    (site.root / "site").mkdir()
    (entry,) = fill(site.root / "site" / "pictures")
    built = site.build()

    assert built.code == 1
    assert "plugins.gptimage.store: 'site/pictures' lies inside site_dir, which every build empties" in built.err
    assert entry.path.read_bytes() == DATA


def test_a_project_at_the_end_of_a_long_path(tmp_path):
    """A path too long for the names below it is reported as such, in one line per folder."""
    folder, here = tmp_path, Path.cwd()
    try:
        while (left := 4000 - len(os.fspath(folder)) - 1) > 0:
            os.chdir(folder if folder == tmp_path else folder.name)
            name = "d" * min(left if left <= 200 else min(200, left - 2), 200)
            Path(name).mkdir()
            folder = folder / name
        os.chdir(folder.name)
        Path("docs").mkdir()
        Path("docs/index.md").write_text(block(prompt="x"))
        Path("mkdocs.yml").write_text("site_name: x\nplugins: [gptimage]\n")
        done = subprocess.run(
            [sys.executable, "-m", "mkdocs", "build"], env=environment(), capture_output=True, text=True, check=False
        )
    finally:
        os.chdir(here)

    assert done.returncode == 1
    assert "plugins.gptimage.store: 'gptimage' is too long a path, 4009 characters with its folder" in done.stderr
    assert "Traceback" not in done.stderr


# Permissions of what we write


@pytest.mark.parametrize(
    ("umask", "stored", "cache"), [(0o022, 0o644, 0o750), (0o077, 0o600, 0o700), (0o000, 0o666, 0o770)]
)
@pytest.mark.usefixtures("quick")
def test_umask(tmp_path, service, umask, stored, cache):
    """The store's files are as readable as the user's others; the cache is closed to strangers whatever the umask."""
    before = os.umask(umask)
    try:
        site = harness.Site(harness.settings(tmp_path, service.base_url), harness.catalog(*"abcdef"))
        problems = site.run().problems
        after = os.umask(umask)
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in site.settings.store.glob("??/*")}

    assert problems == []
    assert after == umask
    assert modes == {stored}
    assert stat.S_IMODE(site.settings.cache.stat().st_mode) == cache


@pytest.mark.usefixtures("quick")
def test_a_store_that_fills_up_between_two_pictures(tmp_path, service):
    """Of two pictures, the one that fits is stored whole, and the other one is collected later without a submit."""
    numbers = iter("12")
    service.submit = lambda _: accepts(f"t{next(numbers)}")
    usual = service.download
    with mounted(tmp_path / "small") as small:
        settings = harness.settings(tmp_path, service.base_url, api={"max_requests": 1}, store=small / "store")
        site = harness.Site(settings, harness.catalog("a", "b"))

        def second_is_too_much(_):
            if len(service.of("download")) == 2:
                while not any(settings.store.glob("*/*.json")):
                    time.sleep(0.01)
                stuff(small)
            return usual

        service.download = second_is_too_much
        first = site.run().problems
        kinds = [type(site.store.verify(digest)) for digest in site.digests]
        (small / "stuffing").unlink()
        second = site.run().problems
        again = [type(site.store.verify(digest)) for digest in site.digests]

    assert len(first) == 1
    assert sorted(kinds, key=str) == sorted([Entry, type(None)], key=str)
    assert (second, again) == ([], [Entry, Entry])
    assert len(service.of("submit")) == 2
