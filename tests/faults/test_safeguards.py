"""What stops a build before it pays: pages that were not read, options that do not exist, the plugin listed twice."""

from __future__ import annotations

import pytest
import scripted_service as gateways
import sites
from sites import block
from waits import until

KEY = {"APIMASTER_API_KEY": gateways.KEY}


@pytest.fixture
def site(service, tmp_path):
    made = sites.Site(tmp_path)
    configure(made, service)
    made.write({"index.md": block(prompt="a"), "b.md": block(prompt="b")})
    return made


def configure(site, service, **options):
    site.configure(gptimage={"api": {"base_url": service.base_url, **sites.FAST}, **options})


@pytest.mark.parametrize("on_missing", ["auto", "generate"])
def test_a_dirty_build_pays_for_nothing(service, site, on_missing):
    """A build that reads only the pages that have changed pays for nothing, as the others may ask for anything."""
    configure(site, service, on_missing="placeholder")
    assert site.build().code == 0
    configure(site, service, on_missing=on_missing)
    until(lambda: site.page("index.html"))
    site.write({"c.md": block(prompt="c")})
    done = site.build("--dirty", env=KEY)

    assert service.of("submit") == []
    assert "--dirty" in done.err
    assert "Traceback" not in done.err
    assert done.code == (1 if on_missing == "generate" else 0)


def test_a_hook_that_builds_dirty_pays_for_nothing(service, site):
    """A partial build is recognised by the pages that it read, whoever started it."""
    configure(site, service, on_missing="placeholder")
    assert site.build().code == 0
    configure(site, service, on_missing="generate")
    site.write({"c.md": block(prompt="c")})
    code = "from mkdocs.config import load_config; from mkdocs.commands.build import build\n"
    code += "build(load_config(), dirty=True)"
    done = sites.run("-c", code, cwd=site.root, env=KEY)

    assert service.of("submit") == []
    assert "not all pages were read" in done.err


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"bugdet": {"images": 1}}, "plugins.gptimage.bugdet: is not an option; did you mean 'budget'?"),
        ({"budget": {"image": 1}}, "plugins.gptimage.budget.image: is not an option; did you mean 'images'?"),
        ({"api": {"base_ulr": "x"}}, "plugins.gptimage.api.base_ulr: is not an option; did you mean 'base_url'?"),
        ({"outptu": {}}, "plugins.gptimage.outptu: is not an option; did you mean 'output'?"),
    ],
)
def test_a_misspelt_option_stops_a_build_that_would_pay(service, site, options, named):
    """A limit that is misspelt does not hold, so nothing is paid, and the nearest name is told."""
    api = {"base_url": service.base_url, **sites.FAST, **options.pop("api", {})}
    configure(site, service, api=api, **options)
    done = site.build(env=KEY)

    assert done.code == 1
    assert named in done.err
    assert "Nothing was submitted" in done.err
    assert service.of("submit") == []
    assert site.gptimage("generate", env=KEY).code == 2


def test_a_misspelt_option_does_not_stop_a_build_that_pays_nothing(service, site):
    """Where everything is stored, an option of a later version is only warned of."""
    assert site.build(env=KEY).code == 0
    configure(site, service, colour="red")

    assert site.build(env=KEY).code == 0


def test_a_plugin_that_is_listed_twice_is_refused(service, site):
    """Two lists of options cannot both hold."""
    site.configure(plugins=[{"gptimage": {"budget": {"images": 0}}}], gptimage={"api": {"base_url": service.base_url}})
    done = site.build(env=KEY)

    assert done.code == 1
    assert "plugins: gptimage is listed 2 times" in done.err
    assert "Traceback" not in done.err
    assert site.gptimage("plan").code == 2
    assert service.requests == []
