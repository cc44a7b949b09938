"""Sites that list other plugins beside gptimage, and the images they show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml
from plugins import built
from scripted_service import KEY
from sites import Site, block

if TYPE_CHECKING:
    from sites import Finished

OURS = "gptimage"
PAID = {"APIMASTER_API_KEY": KEY}
# What some plugins print about MkDocs' future.
QUIET = {"DISABLE_MKDOCS_2_WARNING": "true"}

# As the pictures are 400 pixels wide, where twice as much is expected until they are there, names change on the way.
OUTPUT = {"formats": ["avif", "webp"], "widths": [160, 320, 480]}
PICTURE = (400, 225)

LAMP = "A brass lamp on a pier, and far behind it a xylophone made of driftwood"
HARBOUR = {
    "prompt": "A quiet harbour with sailing boats, seen from a hill, and a zeppelin over all of it",
    "size": "16:9",
    "alt": "Boats & a <low> sun",
    "caption": "The harbour, as **one block**",
    "id": "harbour",
}
THEMES = {
    "mkdocs": {"name": "mkdocs", "highlightjs": False},
    "material": {"name": "material", "font": False},
}
PICTURES = {
    "harbour": HARBOUR,
    "lamp": {"prompt": LAMP, "size": "16:9"},
    "linked": {"prompt": "A map of the bay, drawn with ink by a yeti", "size": "16:9", "alt": "Map", "link": True},
    "twins": {"prompt": "A lighthouse and a vulture", "size": "16:9", "alt": "Light", "id": "twins", "dark": True},
    "plain": {"prompt": "A rope in a coil, lit by a quasar", "size": "16:9", "alt": "", "class": "off-glb"},
}


def shown(name: str, **changes: Any) -> str:
    """A block for one of the pictures; `changes` are words and layout, which leave it the same picture."""
    return "\n" + block(**{**PICTURES[name], **changes}) + "\n"


@dataclass(frozen=True)
class PluginSite(Site):
    """A site with gptimage and other plugins."""

    options: dict = field(default_factory=dict)

    def configure(self, *, plugins: list | None = None, **changes: Any) -> None:
        """Write mkdocs.yml; the plugin stands last, or where the list has its name."""
        listed = [*(plugins or [])] if OURS in (plugins or []) else [*(plugins or []), OURS]
        options = {**self.options, **changes.pop(OURS, {})}
        config = {
            "site_name": "Test",
            "site_url": "https://example.com/docs/",
            "theme": THEMES["mkdocs"],
            "plugins": [{OURS: options} if each == OURS else each for each in listed],
            **changes,
        }
        (self.root / "mkdocs.yml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")

    def build(self, *arguments: str, env: dict[str, str] | None = None) -> Finished:
        return super().build(*arguments, env={**QUIET, **(env or {})})

    def figures(self) -> dict[str, list[built.Figure]]:
        """Build, and return the figures of all pages once they are checked."""
        finished = self.build()
        assert finished.code == 0, finished.err
        return self.checked()

    def checked(self) -> dict[str, list[built.Figure]]:
        config = yaml.safe_load((self.root / "mkdocs.yml").read_text("utf-8"))
        return built.checked(self.root / "site", urlsplit(config["site_url"]).path)
