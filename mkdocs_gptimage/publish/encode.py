"""Image processing with Pillow: decode to upright sRGB, resize, encode."""

from __future__ import annotations

import io

from PIL import Image, ImageCms, ImageOps, features

from mkdocs_gptimage.resources import raise_if_lacking

_DECODERS = ("PNG", "JPEG", "WEBP")
# From benchmarks/variants.py: more effort saves too few bytes for its time.
WEBP_METHOD = 2
AVIF_SPEED, AVIF_SPEED_LARGE = 7, 8
_LARGE = 1_500_000
"""Pixels from which AVIF is encoded at the faster speed, to keep builds short."""


def encoder_version(kind: str) -> str | None:
    """Return the version of the library that writes a format; None where Pillow was built without it."""
    return features.version(kind) if features.check(kind) else None


def open_upright(data: bytes) -> Image.Image:
    """Return the decoded picture: upright, in sRGB, as RGB, or as RGBA if it has transparency.

    `info["xmp"]` holds its XMP packet, empty if it has none. Raises any exception of Pillow's decoders.
    """
    with Image.open(io.BytesIO(data), formats=_DECODERS) as picture:
        picture.load()
        colours, alpha = _without_alpha(_upright(picture))
        profile, packet = picture.info.get("icc_profile"), picture.info.get("xmp") or b""
    colours = _in_srgb(colours, profile)
    if alpha is not None and alpha.getextrema() != (255, 255):
        colours.putalpha(alpha)
    # Encoders would write every other entry into the file.
    colours.info = {"xmp": packet}
    return colours


def resize(picture: Image.Image, width: int, height: int) -> Image.Image:
    """Return the picture in another size."""
    if picture.size == (width, height):
        return picture
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def encode(picture: Image.Image, kind: str, quality: int, packet: bytes) -> bytes:
    """Return the encoded picture with an XMP packet as its only metadata; raises what encoders raise."""
    file = io.BytesIO()
    # A copy, because `save` sets attributes of the picture, which other threads share.
    picture.copy().save(file, kind, quality=quality, xmp=packet, exif=b"", icc_profile=b"", **_effort(kind, picture))
    return file.getvalue()


def _effort(kind: str, picture: Image.Image) -> dict[str, int]:
    if kind == "webp":
        return {"method": WEBP_METHOD}
    is_large = picture.width * picture.height > _LARGE
    # One thread: other pictures keep the other cores busy.
    return {"speed": AVIF_SPEED_LARGE if is_large else AVIF_SPEED, "max_threads": 1}


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except Exception as error:  # noqa: BLE001 - invalid Exif data, of which Pillow raises anything
        raise_if_lacking(error, "the picture cannot be turned upright", memory=_bytes_of(picture))
        return picture


def _bytes_of(picture: Image.Image) -> int:
    """Memory that a copy of a picture takes at most."""
    return 4 * picture.width * picture.height


def _without_alpha(picture: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Split a picture into its colours (L, RGB or CMYK) and its alpha channel."""
    if picture.mode.startswith("I"):
        # Sixteen bits: Pillow's own conversion would cut them off instead of scaling.
        return picture.convert("I").point(lambda level: level * (1 / 257)).convert("L"), None
    if picture.has_transparency_data:
        picture = picture.convert("LA" if picture.mode == "LA" else "RGBA")
        return picture.convert(picture.mode[:-1]), picture.getchannel("A")
    if picture.mode in ("L", "RGB", "CMYK"):
        return picture, None
    return picture.convert("L" if picture.mode == "1" else "RGB"), None


def _in_srgb(colours: Image.Image, profile: bytes | None) -> Image.Image:
    if profile:
        # A profile that cannot be read, or is for another colour space, is ignored.
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(colours, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError) as error:
            raise_if_lacking(error, "the picture's colours cannot be converted", memory=_bytes_of(colours))
        else:
            return converted or colours
    return colours.convert("RGB")
