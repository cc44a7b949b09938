"""Settings of a site as plain values: absolute paths, times in seconds, money in USD."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.owned_folder import JOURNAL
from mkdocs_gptimage.spec import sizes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mkdocs_gptimage.spec.model import Style


KEY_SUFFIX = "_API_KEY"
"""How the name of every variable ends that may hold the key."""
EMULATOR = "emulator"
"""The `base_url` that stands for the built-in emulator."""
# (WebP, AVIF) of equal mean SSIM, measured by benchmarks/variants.py from WebP 50 to 90; linear outside.
_EQUAL_QUALITY = ((1, 1), (50, 46), (60, 49), (70, 52), (75, 53), (82, 62), (90, 75), (100, 100))
_NEAR_FULL = 0.9
"""Share of the picture's width from which a web version replaces one of full width."""


@dataclass(frozen=True)
class Api:
    base_url: str
    """Without a trailing slash; or `emulator`."""
    submit_path: str = "/images/generations"
    key_env: str = "APIMASTER_API_KEY"
    max_requests: int = 8
    """Concurrent submits, and concurrent downloads."""
    first_poll: float = 10
    """Seconds from submit to the first poll of a task."""
    poll_interval: float = 3
    """Seconds between polls."""
    timeout: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(sizes.TIERS, 600.0))
    """Seconds from submit, by resolution."""

    @property
    def emulated(self) -> bool:
        return self.base_url == EMULATOR


@dataclass(frozen=True)
class Budget:
    images: int | None = None
    usd: float | None = None


@dataclass(frozen=True)
class Output:
    """How a site publishes pictures."""

    formats: tuple[str, ...] = ("webp",)
    """`webp`, `avif`, `original`; the format that browsers should prefer comes first."""
    widths: tuple[int, ...] = (480, 960, 1440)
    """Pixels; widths beyond the picture's are left out."""
    quality: Mapping[str, int] = field(default_factory=lambda: {"webp": 82, "avif": 62})
    """1 to 100, by format."""
    sizes: str = "(min-width: 48em) 44em, 100vw"
    disclosure: str | None = None
    """`label` for a visible label on generated pictures."""


@dataclass(frozen=True)
class Settings:
    project: Path
    """The folder of mkdocs.yml."""
    config_file: str
    """The name of the configuration file, as messages show it."""
    docs: Path
    store: Path
    cache: Path
    assets: str
    """Folder in the built site, separated by `/`, without one at either end."""
    fence: str
    require_alt: bool
    defaults: Mapping[str, Any]
    api: Api
    budget: Budget
    prices: Mapping[str, float]
    """USD per picture, by resolution."""
    styles: Mapping[str, Style] = field(default_factory=dict)
    """By name."""
    specs: tuple[str, ...] = ()
    """Patterns of the files with specs, relative to the project."""
    output: Output = field(default_factory=Output)
    dark_instruction: str = ""
    """Text appended to a picture's prompt for its dark twin."""
    configuration: Path | None = None
    """The configuration file, links resolved; None for one that is read from standard input."""
    has_palette_toggle: bool = False
    """Whether readers choose light or dark on the page (Material's `#only-light`), not by their system."""

    unknown_options: tuple[str, ...] = ()
    """What the configuration sets and this version does not know, as `budegt: is not an option; …`."""

    @property
    def origin(self) -> Path:
        """The file that uses the store, for its root; no file has the name of standard input's."""
        return self.configuration or self.project / "-"

    @property
    def journal(self) -> Path:
        """The folder of the journal, the leases of runs, and the roots; it lies with the pictures that it protects."""
        return self.store / JOURNAL

    @property
    def has_earlier_journal(self) -> bool:
        """Whether an earlier version has left its journal in the cache folder."""
        return os.path.exists(self.cache / "journal" / "cache.db")  # noqa: PTH110 - `Path.exists` raises where it may not look

    def has_key(self, environment: Mapping[str, str]) -> bool:
        """Whether pictures can be requested: the emulator needs no key."""
        return self.api.emulated or bool(environment.get(self.api.key_env, "").strip())


def rendition_widths(picture: int, wanted: Sequence[int]) -> list[int]:
    """Return the widths of a picture's web versions, ascending, in pixels; none is wider than the picture.

    `wanted` are the site's, ascending. A picture narrower than the widest of them also gets its own width, unless the
    next narrower one comes close.
    """
    kept = [width for width in wanted if width < picture]
    is_covered = bool(kept) and kept[-1] >= _NEAR_FULL * picture
    return kept if is_covered or picture > wanted[-1] else [*kept, picture]


def avif_quality(webp: int) -> int:
    """Return the AVIF quality equal to a WebP quality; both from 1 to 100."""
    points = itertools.pairwise(_EQUAL_QUALITY)
    (low, from_), (high, to) = next(pair for pair in points if webp <= pair[1][0])
    return round(from_ + (to - from_) * (webp - low) / (high - low))
