"""Recognises a lack of memory, open files or threads, whatever error a library has made of it.

Such an error says nothing about the file or the answer that was being read: the same work succeeds on a machine that
has more. https://docs.python.org/3/library/errno.html; the texts are those of Pillow 11 to 13, zlib and OpenSSL.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import ResourceError

if TYPE_CHECKING:
    from collections.abc import Iterator


_MEMORY = "not enough memory; close other programs or allow this one more"
_FILES = "too many open files; allow more, for example with 'ulimit -n 4096', or lower api.max_requests"
_FILES_OF_ALL = "too many open files on this machine; close other programs"
_THREADS = (
    "no more threads or processes can be started; close other programs or allow more, for example with 'ulimit -u'"
)
_BY_NUMBER = {
    errno.ENOMEM: _MEMORY,
    errno.ENOBUFS: _MEMORY,
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES_OF_ALL,
}
_BY_TEXT = {
    re.compile(
        r"(?i)out of memory|malloc|cannot allocate|allocation failed|error -4 |\Aencoding error [12]\Z"
    ): _MEMORY,
    re.compile(r"can't start new thread"): _THREADS,
}
# The text of an error of HTTP may be the server's.
_TEXTS_OF = frozenset({"builtins", "zlib", "ssl", "sqlite3", "PIL.ImageCms"})
_FILES_OF_A_DATABASE = 6
_DEEPEST = 20


def lack_of(error: BaseException, *, memory: int = 0) -> str:
    """Return what an error or its cause lacked and what to do about it; empty for an error of another kind.

    `memory` is how many bytes the work may have needed, where its library reports a lack of them as damage: they are
    tried.
    """
    if isinstance(error, OSError) and error.errno == errno.EAGAIN:  # of `fork`; sockets mean something else by it
        return _THREADS
    return next(filter(None, map(_lack_of_one, _chain(error))), "") or (memory and _lack_of_memory(memory)) or ""


def raise_if_lacking(error: BaseException, what: str, *, memory: int = 0) -> None:
    """Raise `ResourceError` if an error comes from a lack of resources; `what` is a clause that says what failed."""
    if isinstance(error, ResourceError):
        raise error
    lack = lack_of(error, memory=memory)
    if lack:
        raise resource_error(what, lack) from None


def resource_error(what: str, lack: str) -> ResourceError:
    """Return the error for work that failed for a lack of resources."""
    return ResourceError(f"{what}: {lack}, and try again; no file is damaged")


@contextlib.contextmanager
def naming_lack(what: str) -> Iterator[None]:
    """Raise `ResourceError` in place of any error that comes from a lack of resources."""
    try:
        yield
    except Exception as error:
        raise_if_lacking(error, what)
        raise


def lack_of_files(count: int = _FILES_OF_A_DATABASE) -> str:
    """Return what to do if so many more files cannot be opened: SQLite does not say why it cannot open its own."""
    with contextlib.ExitStack() as opened:
        try:
            for _ in range(count):
                handle = os.open(os.devnull, os.O_RDONLY)
                opened.callback(os.close, handle)
        except OSError as error:
            return _lack_of_one(error)
    return ""


def _lack_of_memory(count: int) -> str:
    import mmap  # noqa: PLC0415 - only for work that has failed

    try:
        mmap.mmap(-1, count).close()
    except (OSError, MemoryError):
        return _MEMORY
    return ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, its causes and the members of groups, breadth first."""
    found: list[BaseException | None] = [error]
    for _ in range(_DEEPEST):
        each = found.pop(0) if found else None
        if each is not None:
            yield each
            found += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]


def _lack_of_one(error: BaseException) -> str:
    if isinstance(error, ResourceError):
        return str(error)
    if isinstance(error, MemoryError):
        return _MEMORY
    if isinstance(error, socket.gaierror):
        return _MEMORY if error.errno == socket.EAI_MEMORY else ""
    if isinstance(error, OSError) and error.errno in _BY_NUMBER:
        return _BY_NUMBER[error.errno]
    has_text = type(error).__module__ in _TEXTS_OF and not (isinstance(error, OSError) and error.filename)
    return next((lack for text, lack in _BY_TEXT.items() if has_text and text.search(str(error))), "")
