"""Checks that an image file is complete, still and of bounded size: one that was downloaded, or is in the store.

Pillow finds damage; files that would cost it unbounded time or memory are rejected before.
"""

from __future__ import annotations

import contextlib
import mmap
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import ImageLimitError, PictureError
from mkdocs_gptimage.imagefile.containers import BY_FORMAT, SCAN
from mkdocs_gptimage.imagefile.sniff import sniff
from mkdocs_gptimage.resources import naming_lack, raise_if_lacking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mkdocs_gptimage.imagefile.containers import Chunk, Data


MAX_BYTES = 40 * 1024 * 1024
"""The service's largest picture has 8.3 million pixels: 33 MB with four bytes each, not compressed at all."""
MAX_PIXELS = 4096 * 2160
"""Width × height, slightly above the service's largest, 3840×2160. Decoding WebP takes 16 bytes per pixel."""
DECODING_BYTES = 16 * MAX_PIXELS
"""Memory that decoding the largest picture takes."""
MAX_TRAILING = 64 * 1024
"""Bytes allowed after the end of an image; a file with more may be of another type as well."""
MAX_SCANS = 100
"""Scans of a JPEG. Decoding each takes as long as the whole image; progressive JPEGs have about ten."""
MAX_METADATA = 1024 * 1024
"""Inflated bytes of a PNG's colour profile or text; the same limit as Pillow's."""
_CHECK = "the picture cannot be checked"
_STEP = 64 * 1024
"""Bytes to inflate at a time; deflate expands at most about a thousandfold."""
_WEBP_ANIMATED = 0x02
_COMPRESSED_METADATA = (b"iCCP", b"zTXt", b"iTXt")
# Keyword and method, or in iTXt: keyword, flag, method, language and translated keyword.
_BEFORE_COMPRESSED = re.compile(rb"[^\x00]{0,79}\x00(?:\x01\x00[^\x00]*\x00[^\x00]*\x00|\x00)")
_DECODERS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}
_OTHERS = {b"<": "HTML, SVG or another text", b"{": "JSON", b"PK": "a ZIP archive", b"GIF8": "a GIF", b"%PDF": "a PDF"}


@dataclass(frozen=True)
class ImageInfo:
    """Format and size of an image file."""

    format: str
    """`png`, `jpg` or `webp`."""
    width: int
    """Pixels, as the height."""
    height: int


def verify_image(path: Path) -> ImageInfo:
    """Check a PNG, JPEG or WebP file and return its format and size; raise `PictureError`, or `ResourceError`.

    Needs up to 16 bytes of memory per pixel (WebP), or the size of the file (PNG): check one file at a time.
    """
    with naming_lack(_CHECK):
        return _verify(path)


def _verify(path: Path) -> ImageInfo:
    with path.open("rb") as file:
        head = file.read(16)
        kind = sniff(head)
        if kind not in _DECODERS:
            raise PictureError(f"what was downloaded is not a PNG, JPEG or WebP picture{_but(head)}")
        # Mapped, because the memory of a read would stay allocated to the thread.
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            check_limits(kind, data)
    return ImageInfo(kind, *_decode(kind, path))


def check_limits(kind: str, data: Data) -> None:
    """Walk through a `png`, `jpg` or `webp` file, without decoding it.

    Raises `ImageLimitError` for one beyond the limits of this module, and `PictureError` for one that is cut off.
    """
    pixels, end = _check_chunks(kind, data)
    if len(data) - end > MAX_TRAILING:
        raise ImageLimitError(f"{len(data) - end} bytes follow the end of the picture; expected at most {MAX_TRAILING}")
    if kind == "png":
        _check_pixel_data(data, pixels)


def check_size(width: int, height: int) -> None:
    """Raise `ImageLimitError` for more pixels than the service's largest picture has."""
    if width * height > MAX_PIXELS:
        raise ImageLimitError(f"the picture has {width}×{height} pixels, more than is sensible")


def _but(head: bytes) -> str:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return next((f" but {what}" for start, what in _OTHERS.items() if text.startswith(start)), "")


def _check_chunks(kind: str, data: Data) -> tuple[list[Chunk], int]:
    """Reject a too large, animated or cut off image; return a PNG's header and pixel chunks, and the image's end."""
    pixels, end, scans = [], 0, 0
    for chunk in BY_FORMAT[kind].chunks(data):
        width, height = BY_FORMAT[kind].size(chunk) or (0, 0)
        check_size(width, height)
        if _is_animated(chunk):
            raise ImageLimitError("the picture is animated; expected a still one")
        if chunk.name in _COMPRESSED_METADATA:
            _check_metadata(data, chunk)
        if chunk.name in (b"IHDR", b"IDAT"):
            pixels.append(chunk)
        end, scans = max(end, chunk.end), scans + (chunk.name == SCAN)
        if scans > MAX_SCANS:
            raise ImageLimitError(f"the picture has more than {MAX_SCANS} scans")
    return pixels, end


def _check_metadata(data: Data, chunk: Chunk) -> None:
    """Reject a bomb in a PNG's profile or text: behind the pixels, Pillow reads it only when a site is built."""
    found = _BEFORE_COMPRESSED.match(data, chunk.start + 8, chunk.end - 4)
    content = data[found.end() : min(found.end() + MAX_METADATA, chunk.end - 4)] if found else b""
    with contextlib.suppress(zlib.error):  # decoders ignore metadata that do not inflate
        if len(zlib.decompressobj().decompress(content, MAX_METADATA + 1)) > MAX_METADATA:
            raise ImageLimitError(f"the picture's {chunk.name.decode()} chunk inflates to more than 1 MiB")


def _is_animated(chunk: Chunk) -> bool:
    is_apng = chunk.name == b"acTL" and chunk.head[:4] != b"\0\0\0\1"
    return is_apng or (chunk.name == b"VP8X" and bool(chunk.head) and bool(chunk.head[0] & _WEBP_ANIMATED))


def _check_pixel_data(data: Data, chunks: list[Chunk]) -> None:
    """Reject a PNG whose compressed pixels are far more than its size allows.

    Stops as soon as the total, extrapolated from the part inflated, is allowed: for most images after one step.
    """
    width, height = next(filter(None, map(BY_FORMAT["png"].size, chunks)), (0, 0))
    # A pixel has at most 8 bytes; the addition covers the filter bytes of interlaced rows.
    allowed = 8 * (width + 8) * (height + 8)
    inflater, read, inflated = zlib.decompressobj(), 0, 0
    try:
        for piece in _pixel_data(data, chunks):
            inflated += len(inflater.decompress(piece, allowed + 1 - inflated))
            if inflated > allowed:
                raise ImageLimitError(f"the picture holds far more than its {width}×{height} pixels")
            read += len(piece)
            if inflated * len(data) <= allowed * read:
                return
    except zlib.error as error:
        raise_if_lacking(error, _CHECK)
        raise PictureError(f"the picture is damaged ({error})") from None
    if not inflated:
        raise PictureError("the picture has no pixels")


def _pixel_data(data: Data, chunks: list[Chunk]) -> Iterator[bytes]:
    for chunk in chunks:
        if chunk.name == b"IDAT":
            start, end = chunk.start + 8, chunk.end - 4
            yield from (data[position : min(position + _STEP, end)] for position in range(start, end, _STEP))


def _decode(kind: str, path: Path) -> tuple[int, int]:
    """Find damage by a PNG's checksums, or by decoding a JPEG (at an eighth of its size) or a WebP; return the size."""
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - slow to import

    try:
        with Image.open(path, formats=(_DECODERS[kind],)) as image:
            size = image.size
            if kind == "png":
                image.verify()
            else:
                image.draft("L", (1, 1))
                image.load()
            return size
    except UnidentifiedImageError:  # its message names the temporary file
        raise PictureError("the picture is damaged (its header cannot be read)") from None
    except Exception as error:  # noqa: BLE001 - decoders raise anything for malformed files
        raise_if_lacking(error, _CHECK, memory=DECODING_BYTES)
        raise PictureError(f"the picture is damaged ({error})") from None
