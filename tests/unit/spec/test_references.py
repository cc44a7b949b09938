from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path

import pytest

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.spec import references
from mkdocs_gptimage.spec.model import ImageSpec, Reference, UnusableReferenceError, reference_to
from mkdocs_gptimage.spec.references import MAX_REFERENCE_BYTES, ReferenceResolver, check_total_size, encode_references

PNG = b"\x89PNG\r\n\x1a\n the rest does not matter"
DATA_URI = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
OUTSIDE = "lies outside the project; only files below mkdocs.yml's folder"
UNKNOWN_TYPE = "is not a PNG, JPEG, WebP or GIF image"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "docs" / "guide").mkdir(parents=True)
    (tmp_path / "outside.png").write_bytes(PNG)
    return folder


def put(path: Path, data: bytes = PNG) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def resolve(project: Path, entry: str) -> Reference:
    return ReferenceResolver(project, project / "docs").resolve(entry, project / "docs" / "guide")


def refusal(project: Path, entry: str) -> str:
    with pytest.raises(UnusableReferenceError) as caught:
        resolve(project, entry)
    return str(caught.value)


@pytest.mark.parametrize(
    ("entry", "where"),
    [
        ("cat.png", "docs/guide/cat.png"),
        ("./cat.png", "docs/guide/cat.png"),
        ("  cat.png ", "docs/guide/cat.png"),
        ("sub/cat.png", "docs/guide/sub/cat.png"),
        ("../cat.png", "docs/cat.png"),
        ("../../art/cat.png", "art/cat.png"),
        ("/cat.png", "docs/cat.png"),
        ("//cat.png", "docs/cat.png"),
        ("/guide/../cat.png", "docs/cat.png"),
        ("/../art/cat.png", "art/cat.png"),
        ("ein Kätzchen 🐈.png", "docs/guide/ein Kätzchen 🐈.png"),
        ("100%20.png", "docs/guide/100%20.png"),
        ("no-ending", "docs/guide/no-ending"),
    ],
)
def test_local_path(project, entry, where):
    """A path is relative to the page, or to docs_dir with a leading slash, and is known by its bytes."""
    path = put(project / where)

    found = resolve(project, entry)

    assert found == Reference(f"sha256:{hashlib.sha256(PNG).hexdigest()}", None, path.resolve(), "image/png", len(PNG))


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0" + b"x" * 20, "image/jpeg"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"GIF89a....", "image/gif"),
    ],
)
def test_media_type(project, data, media_type):
    """The format of an image is recognised by its content, not by its name."""
    put(project / "docs/guide/picture.txt", data)

    assert resolve(project, "picture.txt").media_type == media_type


@pytest.mark.parametrize(
    "entry",
    [
        "../../../outside.png",
        "/../../outside.png",
        "../../../project-two/a.png",
        "../../../missing.png",
        "link.png",
        "folder/a.png",
    ],
)
def test_outside_of_the_project(project, entry):
    """What lies outside the folder of mkdocs.yml is refused, whether it exists or not, symbolic links resolved."""
    (project / "docs/guide/link.png").symlink_to(project.parent / "outside.png")
    (project / "docs/guide/folder").symlink_to(project.parent)
    put(project.parent / "project-two" / "a.png")
    put(project.parent / "a.png")

    assert refusal(project, entry) == f"'{entry}' {OUTSIDE}"


def test_absolute_path_is_one_in_docs(project):
    """A leading slash never means the root of the machine."""
    outside = project.parent / "outside.png"

    assert refusal(project, str(outside)).startswith(f"'{outside}' does not exist; looked for docs/")


def test_link_inside_the_project(project):
    """A symbolic link to a file of the project is that file."""
    path = put(project / "art/cat.png")
    (project / "docs/guide/link.png").symlink_to(path)

    assert resolve(project, "link.png").path == path.resolve()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("cat.png", "'cat.png' does not exist; looked for docs/guide/cat.png"),
        ("/cat.png", "'/cat.png' does not exist; looked for docs/cat.png"),
        ("x" * 300, f"'{'x' * 199}…' cannot be read: File name too long"),
        ("text.png/a.png", "'text.png/a.png' does not exist; looked for docs/guide/text.png/a.png"),
        ("folder", "'folder' is not a file"),
        (".", "'.' is not a file"),
        ("pipe", "'pipe' is not a file"),
        ("text.png", f"'text.png' {UNKNOWN_TYPE}"),
        ("empty.png", f"'empty.png' {UNKNOWN_TYPE}"),
        ("picture.svg", f"'picture.svg' {UNKNOWN_TYPE}"),
        ("a\0b", "'a�b' is not a path"),
        ("file:///etc/passwd", "'file:///etc/passwd' is neither an http(s) URL nor a path of a local image"),
        ("ftp://example.com/a.png", "'ftp://example.com/a.png' is neither an http(s) URL nor a path of a local image"),
        ("file:/etc/passwd", "'file:/etc/passwd' does not exist; looked for docs/guide/file:/etc/passwd"),
        ("data:", "'data:' is not a 'data:image/...;base64,' URI"),
        ("data:text/plain;base64,aGk=", "'data:text/plain;base64,aGk=' is not a 'data:image/...;base64,' URI"),
        ("data:image/png,hi", "'data:image/png,hi' is not a 'data:image/...;base64,' URI"),
        ("data:image/png;base64", "'data:image/png;base64' is not a 'data:image/...;base64,' URI"),
        ("data:image/png;base64,a", "'data:image/png;base64,a' is not valid base64"),
        ("data:image/png;base64,ä!", "'data:image/png;base64,ä!' is not valid base64"),
        ("data:image/png;base64,", f"'data:image/png;base64,' {UNKNOWN_TYPE}"),
        ("data:image/png;base64,aGk=", f"'data:image/png;base64,aGk=' {UNKNOWN_TYPE}"),
    ],
)
def test_unusable(project, entry, message):
    """What cannot be sent is refused with the reason, and with where it was looked for."""
    (project / "docs/guide/folder").mkdir()
    os.mkfifo(project / "docs/guide/pipe")
    put(project / "docs/guide/text.png", b"just words")
    put(project / "docs/guide/empty.png", b"")
    put(project / "docs/guide/picture.svg", b"<svg/>")

    assert refusal(project, entry) == message


def test_link_to_itself(project):
    """A symbolic link without an end is refused like a file that is not there."""
    (project / "docs/guide/loop").symlink_to("loop")

    assert refusal(project, "loop").startswith("'loop' ")


def test_message_is_short_and_printable(project):
    """A path of any length or shape makes a message that can be read."""
    message = refusal(project, "\x1b[31m" + "x" * 100_000)

    assert message.isprintable()
    assert len(message) < 600


def test_long_data_uri_is_not_quoted_in_full(project):
    """Of a data URI, a message shows the beginning."""
    assert refusal(project, f"data:image/png;base64,{'A' * 4000}") == (
        f"'data:image/png;base64,{'A' * 17}…' {UNKNOWN_TYPE}"
    )


@pytest.mark.parametrize(
    ("size", "is_fine"),
    [(MAX_REFERENCE_BYTES, True), (MAX_REFERENCE_BYTES + 1, False)],
    ids=["just-fits", "one-byte-more"],
)
def test_size_of_a_file(project, size, is_fine):
    """20 MB are the most that one reference image may have."""
    path = put(project / "docs/guide/large.png")
    os.truncate(path, size)

    if is_fine:
        assert resolve(project, "large.png").size == size
    else:
        assert refusal(project, "large.png") == "'large.png' has 21 MB, expected at most 20 MB"


def test_size_of_a_data_uri(project, monkeypatch):
    """The limit holds for data URIs too."""
    monkeypatch.setattr(references, "MAX_REFERENCE_BYTES", len(PNG) - 1)

    assert "expected at most 20 MB" in refusal(project, DATA_URI)


@pytest.mark.parametrize(
    "url", ["https://example.com/a.png", "http://example.com/a b.png?x=1#y", "HTTPS://Example.com/ä.png"]
)
def test_url_is_kept(project, url):
    """A URL is its own identity, and is sent as it was written."""
    assert resolve(project, f" {url} ") == Reference(url, url)


def test_data_uri(project):
    """A data URI is known by its bytes, and sent without the line breaks of its author."""
    broken = "\n ".join(DATA_URI[start : start + 30] for start in range(0, len(DATA_URI), 30))

    found = resolve(project, broken)

    assert found == Reference(f"sha256:{hashlib.sha256(PNG).hexdigest()}", DATA_URI, size=len(PNG))


def test_a_file_is_read_once(project, monkeypatch):
    """A file that many pages use is read and hashed once."""
    put(project / "docs/cat.png")
    reads = []
    original = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: (reads.append(path), original(path))[1])
    resolver = ReferenceResolver(project, project / "docs")

    found = {resolver.resolve("/cat.png", project / "docs" / page) for page in ("", "guide", "guide")}

    assert len(found) == len(reads) == 1


def test_a_file_that_changes_is_read_again(project):
    """A changed file is another picture, in the same run too."""
    path = put(project / "docs/guide/cat.png")
    resolver = ReferenceResolver(project, project / "docs")
    before = resolver.resolve("cat.png", path.parent)
    put(path, PNG + b"!")

    assert resolver.resolve("cat.png", path.parent) != before


def nothing_stored(parent: ImageSpec) -> bytes:
    raise AssertionError(f"{parent.digest} was asked for")


def test_other_pictures_are_sent_as_their_bytes():
    """Another picture is read once, however often it is a reference, and sent as a data URI in its place."""
    parent, jpeg = ImageSpec("a"), ImageSpec("b")
    files = {parent.digest: PNG, jpeg.digest: b"\xff\xd8\xff\xe0" + b"x" * 20}
    reads = []
    picture = ImageSpec("c", references=tuple(map(reference_to, (parent, jpeg, parent))))
    sent = encode_references(picture, lambda spec: (reads.append(spec.digest), files[spec.digest])[1])

    assert sent == [DATA_URI, f"data:image/jpeg;base64,{base64.b64encode(files[jpeg.digest]).decode()}", DATA_URI]
    assert reads == [parent.digest, jpeg.digest]
    assert picture.canonical["references"] == [f"spec:{spec.digest}" for spec in (parent, jpeg, parent)]


def test_other_pictures_count_together(monkeypatch):
    """What other pictures weigh counts with the rest, each time that they are sent."""
    picture = ImageSpec("c", references=(reference_to(ImageSpec("a")), Reference("sha256:0", DATA_URI, size=len(PNG))))
    monkeypatch.setattr(references, "MAX_TOTAL_BYTES", 2 * len(PNG))

    assert encode_references(picture, lambda _: PNG) == [DATA_URI, DATA_URI]
    with pytest.raises(UnusableReferenceError, match="of reference images together, expected at most 0 MB"):
        encode_references(picture, lambda _: PNG + b"!")


def test_to_send(project):
    """Files are sent as data URIs, everything else as it is, in the order of the block."""
    put(project / "docs/guide/cat.png")
    entries = ["https://example.com/a.png", "cat.png", DATA_URI]
    picture = ImageSpec("a", references=tuple(resolve(project, entry) for entry in entries))

    assert encode_references(picture, nothing_stored) == ["https://example.com/a.png", DATA_URI, DATA_URI]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: path.write_bytes(PNG + b"!"), "changed during the build; build again"),
        (lambda path: path.unlink(), "cannot be read any more: No such file or directory"),
    ],
    ids=["changed", "removed"],
)
def test_changed_between_reading_and_sending(project, change, message):
    """A picture is never asked for with other bytes than its digest names."""
    path = put(project / "docs/guide/cat.png")
    picture = ImageSpec("a", references=(resolve(project, "cat.png"),))
    change(path)

    with pytest.raises(ConfigurationError) as caught:
        encode_references(picture, nothing_stored)

    assert str(caught.value) == f"{path.resolve()}: {message}"


def test_together(project, monkeypatch):
    """The images of one request, files and data URIs, are bounded together."""
    put(project / "docs/guide/cat.png")
    found = [resolve(project, entry) for entry in ("cat.png", DATA_URI, "https://example.com/a.png")]
    monkeypatch.setattr(references, "MAX_TOTAL_BYTES", 2 * len(PNG))

    check_total_size(found)
    with pytest.raises(UnusableReferenceError, match=r"^0 MB of reference images together, expected at most 0 MB$"):
        check_total_size([*found, found[0]])


def test_limit_together():
    """The limit of the service is 256 MB."""
    too_much = [Reference("sha256:0", None, size=20 * 1024 * 1024)] * 13

    check_total_size(too_much[:12])
    with pytest.raises(UnusableReferenceError, match=r"^260 MB of reference images together, expected at most 256 MB$"):
        check_total_size(too_much)


@pytest.mark.parametrize(
    ("there", "entry"),
    [
        ("Gr\u00f6\u00dfe.png", "Gro\u0308\u00dfe.png"),
        ("Gro\u0308\u00dfe.png", "Gr\u00f6\u00dfe.png"),
        ("a cat.png", "a%20cat.png"),
        ("Gro\u0308\u00dfe/a cat.png", "Gr%C3%B6%C3%9Fe/a%20cat.png"),
        ("a%20cat.png", "a%20cat.png"),
        ("100%.png", "100%25.png"),
    ],
)
def test_a_file_is_found_by_another_spelling(project, there, entry):
    """Another Unicode form, and the encoding of URLs, find the file that is there."""
    path = put(project / "docs/guide" / there)

    assert resolve(project, entry).path == path


def test_the_name_as_it_is_written_comes_first(project):
    """A file of exactly this name is taken before one that an encoded name would mean."""
    put(project / "docs/guide/a cat.png")
    path = put(project / "docs/guide/a%20cat.png")

    assert resolve(project, "a%20cat.png").path == path


@pytest.mark.parametrize("entry", ["%2e%2e/%2e%2e/%2e%2e/outside.png", "..%2f..%2f..%2foutside.png", "a%00.png"])
def test_an_encoded_path_leads_nowhere_else(project, entry):
    """Encoded dots and slashes name no folder."""
    assert "does not exist" in refusal(project, entry)


def test_the_file_that_was_meant_is_named(project):
    """A file that is not there is named with the nearest one beside it."""
    put(project / "docs/guide/black-cat.png")

    assert "looked for docs/guide/blackcat.png; did you mean 'black-cat.png'?" in refusal(project, "blackcat.png")
