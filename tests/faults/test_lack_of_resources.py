"""Too little memory, too many open files, no more threads: said by name, and never taken for damage or for nothing."""

from __future__ import annotations

import builtins
import errno
import os
import tempfile

import factories
import harness
import limited
import pytest
from scripted_service import KEY, accepts, encoded, picture, says
from sites import FAST, Site, block

from mkdocs_gptimage.errors import ConfigurationError, ResourceError
from mkdocs_gptimage.fs import write_beside
from mkdocs_gptimage.imagefile import verify as verifying
from mkdocs_gptimage.publish import build
from mkdocs_gptimage.resources import lack_of
from mkdocs_gptimage.service import body, protocol
from mkdocs_gptimage.spec.model import ImageSpec
from mkdocs_gptimage.spec.references import ReferenceResolver
from mkdocs_gptimage.store.store import Store

NO_THREAD = RuntimeError("can't start new thread")
LACKS = [
    MemoryError(),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    OSError(errno.EMFILE, "Too many open files"),
    OSError(errno.ENFILE, "Too many open files in system"),
    NO_THREAD,
]


@pytest.fixture
def site(tmp_path, service, monkeypatch):
    monkeypatch.setattr(body, "_PAUSES", (0.01, 0.01))
    with harness.fast_production(monkeypatch):
        yield harness.Site(harness.settings(tmp_path, service.base_url, api={"max_requests": 1}), harness.catalog("a"))


@pytest.mark.parametrize("what", ["memory", "files"])
def test_whatever_is_lacking_is_said_and_nothing_is_called_damaged(tmp_path, what):
    """However little there is, work on pictures, store and journal succeeds or says by name what it lacked."""
    found = limited.outcomes(what, tmp_path)
    ends = {said.partition(":")[0] for _, _, said in found}

    assert {"ok", "ResourceError"} <= ends
    # What is not caught on its way up is translated by the host and the command line.
    allowed = ("ok", "ResourceError", "MemoryError", "OSError: [Errno 24]")
    assert [each for each in found if not each[2].startswith(allowed)] == []
    assert all("no file is damaged" in said for _, _, said in found if said.startswith("ResourceError"))


@pytest.mark.parametrize(
    ("error", "is_lack"),
    [
        *[(each, True) for each in LACKS],
        (OSError("out of memory error when reading image file"), True),
        (ValueError("encoding error 1"), True),
        (RuntimeError("Pixel allocation failed: Out of memory"), True),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), True),
        (builtins.ExceptionGroup("connecting", [OSError(errno.EMFILE, "Too many open files")]), True),
        (ValueError("encoding error 10"), False),
        (OSError("broken data stream when reading image file"), False),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "out of memory.png"), False),
    ],
)
def test_a_lack_is_recognised_behind_other_errors(error, is_lack):
    """What the libraries make of a lack is recognised, as itself and as a cause; their words for damage are not."""
    wrapped = ValueError("the picture is damaged")
    wrapped.__cause__ = error

    assert bool(lack_of(error)) == is_lack
    assert bool(lack_of(wrapped)) == (is_lack and error.__class__ is not BlockingIOError)


@pytest.mark.parametrize("error", LACKS[:3], ids=str)
def test_a_decoder_without_memory_finds_no_damage(tmp_path, monkeypatch, error):
    """A picture that could not be decoded for a lack is neither a bad download nor damage in the store."""
    entry = factories.put(Store(tmp_path / "gptimage"), ImageSpec("a"))

    def explode(*_, **__):
        raise error

    monkeypatch.setattr("PIL.Image.open", explode)
    with pytest.raises(ResourceError, match="and try again; no file is damaged"):
        verifying.verify_image(entry.path)
    with pytest.raises(ResourceError):
        Store(tmp_path / "gptimage").verify(entry.digest)
    with pytest.raises(ResourceError):
        build._SourceImage(entry, picture(), 0).opened()


def _fails_once(work, error):
    left = [error]

    def fail(*arguments, **named):
        if left:
            raise left.pop()
        return work(*arguments, **named)

    return fail


STEPS = {
    "decode": ("mkdocs_gptimage.generate.collect.verify_image", verifying.verify_image),
    "store": ("mkdocs_gptimage.store.landing.write_beside", write_beside),
}
ANSWERS = {"task": accepts("task_1"), "base64": says({"data": [{"b64_json": encoded(picture())}]})}


@pytest.mark.parametrize("fault", [(step, answer) for step in STEPS for answer in ANSWERS], ids="-".join)
@pytest.mark.parametrize("error", LACKS, ids=repr)
def test_a_picture_that_is_paid_for_is_stored_when_the_lack_has_passed(site, service, monkeypatch, fault, error):
    """A passing lack loses nothing: the same run tries again, also with bytes that came once and cannot be fetched."""
    step, answer = fault
    where, work = STEPS[step]
    monkeypatch.setattr(where, _fails_once(work, error))
    service.submit = ANSWERS[answer]
    result = site.run()

    assert result.problems == []
    assert service.counts()["submit"] == 1
    assert [state.name for state in site.states()] == ["CACHED"]


@pytest.mark.parametrize("error", LACKS, ids=repr)
def test_an_answer_that_lacked_memory_is_read_again(site, service, monkeypatch, error):
    """The answer that names the task is read when the lack has passed, and its outcome is not unknown."""
    monkeypatch.setattr(protocol, "submitted", _fails_once(protocol.submitted, error))
    result = site.run()

    assert result.problems == []
    assert service.counts()["submit"] == 1


@pytest.mark.parametrize("error", LACKS, ids=repr)
def test_a_request_that_could_not_leave_is_not_an_unknown_outcome(site, service, monkeypatch, error):
    """Without memory, files or threads for a connection nothing was submitted, which is said by name."""

    async def fail(*_, **__):
        raise error

    monkeypatch.setattr("anyio.connect_tcp", fail)
    with monkeypatch.context() as patched:
        patched.setattr("mkdocs_gptimage.generate.retry.SUBMIT_ATTEMPTS", 2)
        problems = [str(problem) for problem in site.run().problems]

    assert service.requests == []
    assert site.submissions() == {}
    assert len(problems) == 1
    assert lack_of(error) in problems[0]
    assert "check the network" not in problems[0]


def test_a_picture_is_collected_later_when_the_lack_lasts(site, service, monkeypatch):
    """A lack that lasts leaves the picture in flight, and the next run collects it without paying."""

    def fail(*_):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr("mkdocs_gptimage.generate.collect.verify_image", fail)
        problems = [str(problem) for problem in site.run().problems]
    again = site.run()

    assert "still in flight: cannot be stored: not enough memory" in problems[0]
    assert again.problems == []
    assert service.counts()["submit"] == 1


def test_no_thread_for_a_submit_with_references_pays_for_nothing(site, monkeypatch, service, tmp_path):
    """A reference image that cannot be encoded for a lack of memory is said before anything is submitted."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.png").write_bytes(picture())
    reference = ReferenceResolver(tmp_path, tmp_path / "docs").resolve("a.png", tmp_path / "docs")
    site.pictures = harness.catalog(ImageSpec("a", references=(reference,)))

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr("mkdocs_gptimage.generate.request_bodies.encode_references", fail)
    problems = [str(problem) for problem in site.run().problems]

    assert service.requests == []
    assert site.submissions() == {}
    assert "not submitted: the reference images cannot be encoded: not enough memory" in problems[0]


@pytest.mark.parametrize("command", [["mkdocs", "build"], ["gptimage", "check"], ["gptimage", "generate"]])
def test_commands_say_what_they_lack(tmp_path, service, monkeypatch, command):
    """A command that may open no more files ends with one line, without a trace, and pays for nothing."""
    for name in [name for name in os.environ if name.startswith("COV")]:
        monkeypatch.delenv(name)  # measuring needs a file of its own at the end
    site = Site(tmp_path)
    site.configure(gptimage={"api": {"base_url": service.base_url, **FAST}})
    site.write({"index.md": block(prompt="a")})
    assert site.build(env={"APIMASTER_API_KEY": KEY}).code == 0
    service.requests.clear()
    (tmp_path / "hook.py").write_text(HOOK)
    config = (tmp_path / "mkdocs.yml").read_text()
    (tmp_path / "mkdocs.yml").write_text(f"{config}hooks: [hook.py]\n")
    done = (site.build if command[0] == "mkdocs" else site.gptimage)(
        *command[1:][command[0] == "mkdocs" :], env={"APIMASTER_API_KEY": KEY}
    )

    assert done.code in (1, 2)
    assert "too many open files" in done.err
    assert "damaged;" not in done.err
    assert "delete both" not in done.err
    assert "Traceback" not in done.err
    assert service.requests == []


HOOK = """
import contextlib, os, resource
from mkdocs.plugins import event_priority
@event_priority(1000)
def on_env(env, config, files):
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with contextlib.suppress(OSError):
        while True:
            os.dup(0)
"""


def test_answers_that_cannot_be_kept_stop_the_run(site, service, monkeypatch):
    """When the folder for temporary files is full, the first picture that comes with its answer is the last."""
    site.pictures = harness.catalog(*(f"picture {number}" for number in range(8)))
    service.submit = says({"data": [{"b64_json": "A" * 100_000}]})

    works = tempfile.TemporaryFile

    def fail(**options):
        if options.get("dir") is not None:  # of the store
            return works(**options)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    problems = [str(problem) for problem in site.run().problems]

    assert service.counts()["submit"] == 1
    assert "unknown outcome" in problems[0]
    assert all("not submitted: nothing more is submitted, because of another picture" in each for each in problems[1:])


# Locks


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS])
@pytest.mark.parametrize("kind", ["flock", "lockf"])
def test_a_file_system_without_locks_is_named(site, service, monkeypatch, kind, number):
    """Without locks builds could pay twice: the folder is named, nothing is submitted, and no file is left."""
    import fcntl

    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, kind, fail)
    with pytest.raises(ConfigurationError, match=r"runs' lies on a file system without locks .*; nothing was") as found:
        site.run()

    assert service.requests == []
    assert "\n" not in str(found.value)
    assert list(site.settings.cache.rglob("*.lock")) == []
