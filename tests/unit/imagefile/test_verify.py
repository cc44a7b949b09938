"""Bytes that claim to be a picture: decoded, or refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scripted_service import picture

from mkdocs_gptimage.errors import PictureError
from mkdocs_gptimage.imagefile.verify import ImageInfo, verify_image

KINDS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}
WHOLE = {kind: picture(kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_whole_pictures(tmp_path, kind):
    """A picture is recognised by its content, whatever its name."""
    (tmp_path / "part").write_bytes(WHOLE[kind])

    assert verify_image(tmp_path / "part") == ImageInfo(KINDS[kind], 32, 18)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_pictures_that_broke_off(tmp_path, kind, share):
    """A picture whose end is missing is not one."""
    (tmp_path / "part").write_bytes(WHOLE[kind][: int(len(WHOLE[kind]) * share)])
    with pytest.raises(PictureError):
        verify_image(tmp_path / "part")


def test_any_wrong_byte_of_a_png_is_found(tmp_path):
    """Whichever byte of a PNG has changed, up to its end mark, the picture is refused."""
    for place in range(len(WHOLE["PNG"]) - len("IEND") - 4):
        spoiled = bytearray(WHOLE["PNG"])
        spoiled[place] ^= 4
        (tmp_path / "part").write_bytes(spoiled)
        with pytest.raises(PictureError):
            verify_image(tmp_path / "part")


@given(kind=st.sampled_from(sorted(KINDS)), data=st.data())
@pytest.mark.filterwarnings("default")
def test_spoiled_pictures_are_refused_by_name(tmp_path_factory, kind, data):
    """Whatever is wrong with the bytes, they decode or raise a `PictureError`, and nothing else."""
    spoiled = bytearray(WHOLE[kind])
    for _ in range(data.draw(st.integers(1, 8))):
        spoiled[data.draw(st.integers(8, len(spoiled) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "spoiled"
    path.write_bytes(spoiled)
    try:
        found = verify_image(path)
    except PictureError as error:
        found = error

    assert isinstance(found, (ImageInfo, PictureError))


@pytest.mark.parametrize("error", [IndexError, RuntimeError, AttributeError])
def test_decoders_that_break_do_not_break_us(tmp_path, monkeypatch, error):
    """Whatever a decoder raises is a damaged picture, not the end of the run."""

    def explode(*_, **__):
        raise error

    (tmp_path / "part").write_bytes(WHOLE["JPEG"])
    monkeypatch.setattr(Image, "open", explode)
    with pytest.raises(PictureError, match="damaged"):
        verify_image(tmp_path / "part")
