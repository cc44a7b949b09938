"""The HTTP endpoint that the pages of a development server call to generate pictures.

A page of another site cannot pay: it is of another origin, and it cannot read the token. Another name that
resolves to this machine is not one of the server's hosts. A form cannot set the header, and a script of another origin
may not.
"""

from __future__ import annotations

import hmac
import json
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.addresses import is_loopback
from mkdocs_gptimage.errors import GptImageError
from mkdocs_gptimage.figures.srcset import MEDIA_TYPES
from mkdocs_gptimage.serve.background import PICTURE_FOLDER, UnknownPictureError
from mkdocs_gptimage.serve.candidates import THUMBNAIL_FOLDER, CandidateDesk
from mkdocs_gptimage.spec.digest import Digest, is_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mkdocs_gptimage.serve.background import BackgroundGenerator


ENDPOINT_FOLDER = "serve"
"""Below the site's assets; the script finds it beside itself."""
HEADER = "X-Gpt-Image-Token"
_MOST_BYTES = 256 * 1024
_MOST_DIGESTS = 2_000
_MOST_CANDIDATES = 3
_ROUTES = ("states", "generate", "candidates", "draw", "take")
_HTTP_PORT = 80
_REASONS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
}


class _Refusal(Exception):  # noqa: N818 - an answer, not a fault
    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status


class Endpoint:
    """A WSGI application in front of the server's own: answers below one path, and passes everything else on."""

    def __init__(
        self, site: Callable[..., Iterable[bytes]], generator: BackgroundGenerator, path: str, port: int
    ) -> None:
        """`path` starts and ends with `/`; `port` is the server's."""
        self._site = site
        self._generator = generator
        self._desk = CandidateDesk(generator)
        self._path = path
        names = ("localhost", "127.0.0.1", "[::1]")
        self._hosts = {f"{name}:{port}" for name in names} | (set(names) if port == _HTTP_PORT else set())

    def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not environ.get("PATH_INFO", "").startswith(self._path):
            return self._site(environ, start_response)
        status, kind = 200, "application/json"
        try:
            if environ.get("REQUEST_METHOD") == "GET":
                body, kind = self._picture(environ)
            else:
                body = json.dumps(self._answer(environ)).encode()
        except _Refusal as refusal:
            status, body = refusal.status, json.dumps({"problem": str(refusal)}).encode()
        headers = [
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        start_response(f"{status} {_REASONS[status]}", headers)
        return [body]

    def _answer(self, environ: Mapping[str, Any]) -> dict[str, Any]:
        # All of it before a byte of the body is read.
        self._require_ours(environ)
        name = environ["PATH_INFO"].removeprefix(self._path)
        if name not in _ROUTES:
            raise _Refusal(404, f"expected one of {', '.join(_ROUTES)}")
        asked = _body(environ)
        digests = asked.get("digests")
        if not isinstance(digests, list) or not all(isinstance(each, str) for each in digests):
            raise _Refusal(400, "digests: expected a list of digests")
        if len(digests) > _MOST_DIGESTS or not all(map(is_digest, digests)):
            raise _Refusal(400, f"digests: expected at most {_MOST_DIGESTS} of 64 hexadecimal digits")
        digests = [Digest(each) for each in digests]
        try:
            states = self._do(name, digests, asked)
        except UnknownPictureError as error:
            raise _Refusal(404, str(error)) from None
        except GptImageError as error:
            raise _Refusal(409, str(error)) from None
        return {"states": states, "site": self._generator.summary()}

    def _do(self, name: str, digests: list[Digest], asked: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Do what a page asks for; return the states of these pictures afterwards."""
        is_retry = asked.get("retry") is True
        if name in ("draw", "take") and len(digests) != 1:
            raise _Refusal(400, "digests: expected one digest")
        if name == "draw":
            count = asked.get("count")
            if type(count) is not int or not 1 <= count <= _MOST_CANDIDATES:
                raise _Refusal(400, f"count: expected a number from 1 to {_MOST_CANDIDATES}")
            self._desk.draw(digests[0], count, retry_unknown=is_retry)
        elif name == "take":
            digests = [self._desk.take(digests[0])]
        elif name == "generate":
            self._generator.ask(digests, retry_unknown=is_retry)
        return (self._generator if name in ("states", "generate") else self._desk).states(digests)

    def _picture(self, environ: Mapping[str, Any]) -> tuple[bytes, str]:
        """Return the bytes and the media type of a stored picture of the site, or of a candidate for one.

        An address holds the version of the picture, so that it never shows two.
        """
        self._require_this_machine(environ)
        folder, _, name = environ["PATH_INFO"].removeprefix(self._path).partition("/")
        if folder not in (PICTURE_FOLDER, THUMBNAIL_FOLDER):
            raise _Refusal(405, "expected POST")
        digest, _, version = name.partition("/")
        is_small = folder == THUMBNAIL_FOLDER
        found = self._desk.picture(Digest(digest), version, is_small=is_small) if is_digest(digest) else None
        if found is None:
            raise _Refusal(404, "not a picture of the site")
        data, kind = found
        return data, MEDIA_TYPES[kind]

    def _require_this_machine(self, environ: Mapping[str, Any]) -> str:
        """Refuse other machines, other names of this one, and pages of other sites; return the host's name."""
        if not is_loopback(environ.get("REMOTE_ADDR", "")):
            raise _Refusal(403, "only for this machine")
        host = str(environ.get("HTTP_HOST", "")).lower()
        if host not in self._hosts:
            raise _Refusal(403, "not the host of this server")
        if environ.get("HTTP_SEC_FETCH_SITE", "same-origin") not in ("same-origin", "none"):
            raise _Refusal(403, "only for the pages of this server")
        return host

    def _require_ours(self, environ: Mapping[str, Any]) -> None:
        """Refuse everything but a script of a page of this server, in a browser on this machine."""
        if environ.get("REQUEST_METHOD") != "POST":
            raise _Refusal(405, "expected POST")
        host = self._require_this_machine(environ)
        came_from = environ.get("HTTP_SEC_FETCH_SITE", "same-origin")
        if environ.get("HTTP_ORIGIN") != f"http://{host}" or came_from != "same-origin":
            raise _Refusal(403, "only for the pages of this server")
        token = environ.get(f"HTTP_{HEADER.upper().replace('-', '_')}", "")
        if not hmac.compare_digest(token.encode("utf-8", "replace"), self._generator.token.encode()):
            raise _Refusal(403, "the token is not the one of this server; reload the page")


def _body(environ: Mapping[str, Any]) -> dict[str, Any]:
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != "application/json":
        raise _Refusal(415, "expected application/json")
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > _MOST_BYTES:
        raise _Refusal(413, f"expected at most {_MOST_BYTES} bytes")
    try:
        asked = json.loads(environ["wsgi.input"].read(int(length)))
    except (ValueError, RecursionError):
        raise _Refusal(400, "expected JSON") from None
    if not isinstance(asked, dict):
        raise _Refusal(400, "expected an object")
    return asked
