"""A build whose pictures come late, damaged at first, behind the key, and in wrongly labelled bodies."""

from __future__ import annotations

import gzip
from collections import Counter

import pytest
from scripted_service import KEY, Answer, accepts, picture, says
from sites import FAST, Site

PICTURE = Answer(body=picture(), headers={"Content-Encoding": "aws-chunked"})
FIRST = {"late": Answer(404), "damaged": Answer(body=picture()[:-9]), "empty": Answer(), "elsewhere": Answer(202)}
PAGE = "".join(f"```gpt-image\nprompt: {prompt}\n```\n\n" for prompt in (*FIRST, "protected"))


@pytest.fixture(params=["tasks", "links"])
def odd_service(request, service):
    """A service that gives tasks, or links without tasks, in answers whose labels mean nothing."""
    asked = Counter()

    def submit(asked_for):
        name = asked_for.json["prompt"]
        link = says({"created": 1, "data": [{"url": f"{service.origin}/images/{name}.png"}]})
        body = (accepts(name) if request.param == "tasks" else link).body
        return Answer(200, gzip.compress(body), {"Content-Encoding": "utf-8, none"})

    def download(asked_for):
        name = asked_for.path.rpartition("/")[2].removesuffix(".png")
        asked[name] += 1
        if name == "protected":
            return PICTURE if asked_for.headers.get("authorization") == f"Bearer {KEY}" else Answer(401)
        return FIRST[name] if asked[name] == 1 else PICTURE

    service.submit, service.download = submit, download
    return service


def test_odd_downloads_end_in_pictures(odd_service, tmp_path):
    """One build has all of them, and each is paid for once."""
    site = Site(tmp_path)
    site.write({"index.md": PAGE})
    site.configure(gptimage={"api": {"base_url": odd_service.base_url, **FAST}})
    built = site.build(env={"APIMASTER_API_KEY": KEY})

    assert built.code == 0, built.err
    assert odd_service.counts()["submit"] == 5
    assert len(list((site.root / "gptimage").glob("*/*.png"))) == 5
