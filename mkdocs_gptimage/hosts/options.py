"""Checks the options of a site and converts them to settings, independent of the site generator."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mkdocs_gptimage.addresses import is_private_connection
from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.fs import existing_spelling
from mkdocs_gptimage.hosts.folders import SiteFolders, cache_folder, folder_problems
from mkdocs_gptimage.settings import EMULATOR, KEY_SUFFIX, Api, Budget, Output, Settings, avif_quality
from mkdocs_gptimage.spec import sizes
from mkdocs_gptimage.spec.references import ReferenceResolver
from mkdocs_gptimage.spec.schema import violations
from mkdocs_gptimage.spec.styles import default_style_problems, read_styles
from mkdocs_gptimage.text import one_line_each, quote

if TYPE_CHECKING:
    from collections.abc import Mapping

ON_MISSING = ("auto", "generate", "placeholder", "error")
FORMATS = ("webp", "avif", "original")
ENCODED = ("webp", "avif")
TIMEOUTS = {"1k": 600, "2k": 900, "4k": 1800}
"""Seconds from submit, by resolution, unless a site sets others."""

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_LONGEST_PLAIN_NAME = 15
"""Characters of a variable's name without `_`; anything longer may be a key, which no message shows."""


@dataclass(frozen=True)
class Surroundings:
    """What the site generator knows of a site beside the options of this plugin."""

    project: Path
    """The folder of the configuration file."""
    configuration: Path | None
    """The configuration file, links resolved; None for standard input."""
    config_file: str
    """The name of the configuration file, as messages show it."""
    docs: Path
    site: Path
    has_palette_toggle: bool
    """Whether readers choose light or dark on the page."""
    unknown_options: tuple[str, ...] = ()
    """As in `Settings`."""


def settings_from(options: Mapping[str, Any], surroundings: Surroundings) -> Settings:
    """Check and normalise the options of a site; raise `ConfigurationError` that lists all problems.

    `options` are nested mappings with a value of the right type for every option, defaults filled in.
    """
    project = surroundings.project
    options = {**options, "store": _store_as_spelt(options["store"], project)}
    resolver = ReferenceResolver(project, surroundings.docs)
    styles = read_styles(options["styles"], lambda entry: resolver.resolve(entry, project))
    wrong = [*_problems(options, surroundings), *styles.problems]
    if wrong:
        name = surroundings.config_file
        raise ConfigurationError(one_line_each([f"{name}: plugins.gptimage.{problem}" for problem in wrong]))
    return Settings(
        project=project,
        configuration=surroundings.configuration,
        config_file=surroundings.config_file,
        docs=surroundings.docs,
        store=project / options["store"],
        cache=cache_folder(project, options["cache"]),
        assets=options["assets"].strip("/"),
        fence=options["fence"],
        require_alt=options["require_alt"],
        defaults={key: value for key, value in options["defaults"].items() if value is not None},
        styles=styles.styles,
        specs=tuple(options["specs"]),
        api=_api(options["api"]),
        budget=Budget(images=options["budget"]["images"], usd=options["budget"]["usd"]),
        prices=_prices(options),
        output=_output(options["output"]),
        dark_instruction=options["dark_instruction"],
        has_palette_toggle=surroundings.has_palette_toggle,
        unknown_options=surroundings.unknown_options,
    )


def _api(api: Mapping[str, Any]) -> Api:
    return Api(
        base_url=api["base_url"].rstrip("/"),
        submit_path="/" + api["submit_path"].lstrip("/"),
        key_env=api["key_env"],
        max_requests=api["max_requests"],
        first_poll=float(api["first_poll"]),
        poll_interval=float(api["poll_interval"]),
        timeout=_timeouts(api["timeout"]),
    )


def _output(output: Mapping[str, Any]) -> Output:
    return Output(
        formats=tuple(output["formats"]),
        widths=tuple(sorted(set(output["widths"]))),
        quality=_qualities(output["quality"]),
        sizes=output["sizes"],
        disclosure=output["disclosure"],
    )


def _prices(options: Mapping[str, Any]) -> dict[str, float]:
    """What pictures cost; the built-in emulator is free, unless a site rehearses with prices of its own."""
    if options["api"]["base_url"] == EMULATOR and not options["prices"]:
        return dict.fromkeys(sizes.TIERS, 0.0)
    return {str(tier): float(price) for tier, price in options["prices"].items()}


def _problems(options: Mapping[str, Any], surroundings: Surroundings) -> list[str]:
    """Everything that is wrong with the options, as `name: what was found, what was expected`."""
    return [
        *(f"defaults.{violation}" for violation in violations(options["defaults"], partial=True)),
        *default_style_problems(options["defaults"], options["styles"]),
        *_pattern_problems(options["specs"]),
        *_folder_problems(options, surroundings),
        *_api_problems(options["api"]),
        *_money_problems(options),
        *_output_problems(options["output"]),
        *([] if options["fence"].strip() and not options["fence"].split()[1:] else ["fence: expected one word"]),
    ]


def _pattern_problems(patterns: list[str]) -> list[str]:
    return [
        f"specs[{index}]: {quote(pattern)} is not a pattern of files below the folder of mkdocs.yml; "
        "expected one like images/*.yml"
        for index, pattern in enumerate(patterns)
        if not _is_pattern(pattern)
    ]


def _is_pattern(pattern: str) -> bool:
    parts = Path(pattern).parts
    is_below = bool(pattern.strip() and parts) and not Path(pattern).anchor and ".." not in parts
    return is_below and not any("**" in part and part != "**" for part in parts)


def _store_as_spelt(option: str, project: Path) -> str:
    """The option `store` as its folder is spelt on the disk: a store that is taken for missing is paid for again."""
    found = existing_spelling(project / option)
    return option if found == project / option else os.path.relpath(found, project)


def _folder_problems(options: Mapping[str, Any], surroundings: Surroundings) -> list[str]:
    folders = SiteFolders(
        project=surroundings.project,
        docs=surroundings.docs,
        site=surroundings.site,
        store=options["store"],
        cache=options["cache"],
    )
    problems = folder_problems(folders)
    parts = options["assets"].strip("/").split("/")
    is_inside = not any(part in ("", ".", "..") for part in parts)
    if not is_inside or set(options["assets"]) & set("\\#?%") or not options["assets"].isprintable():
        problems.append(
            f"assets: {quote(options['assets'])} is not a folder inside the site; expected one like assets/gptimage"
        )
    return problems


def _api_problems(api: Mapping[str, Any]) -> list[str]:
    problems = []
    if api["base_url"] == EMULATOR:
        pass
    elif not _is_http_url(api["base_url"]):
        problems.append(f"api.base_url: '{api['base_url']}' is not an http(s) URL; expected one, or '{EMULATOR}'")
    elif not is_private_connection(api["base_url"]):
        problems.append(
            f"api.base_url: '{api['base_url']}' is not encrypted, and others could read the key; expected https "
            "(http is for localhost only)"
        )
    problems += _key_env_problems(api["key_env"])
    if api["max_requests"] < 1:
        problems.append(f"api.max_requests: {api['max_requests']} is too small, expected at least 1")
    if not _is_positive(api["first_poll"], zero=True):
        problems.append(f"api.first_poll: {api['first_poll']} is not a number of seconds")
    if not _is_positive(api["poll_interval"]):
        problems.append(f"api.poll_interval: {api['poll_interval']} is not a number of seconds above 0")
    timeouts = api["timeout"].items() if isinstance(api["timeout"], dict) else [("", api["timeout"])]
    for tier, seconds in timeouts:
        name = f"api.timeout.{tier}".rstrip(".")
        if tier and tier not in sizes.TIERS:
            problems.append(f"{name}: is not a resolution, expected {', '.join(sizes.TIERS)}")
        elif not _is_positive(seconds):
            problems.append(f"{name}: {quote(seconds)} is not a number of seconds above 0")
    return problems


def _key_env_problems(name: str) -> list[str]:
    """A repository must not choose which of its readers' secrets is sent: only keys of APIs are."""
    if not _VARIABLE.fullmatch(name) or (len(name) > _LONGEST_PLAIN_NAME and "_" not in name):
        return ["api.key_env: expected the name of an environment variable, in capitals; a key does not belong here"]
    if not name.endswith(KEY_SUFFIX):
        return [f"api.key_env: '{name}' does not end in {KEY_SUFFIX}; expected a variable like {Api.key_env}"]
    return []


def _money_problems(options: Mapping[str, Any]) -> list[str]:
    problems = []
    for tier, price in options["prices"].items():
        if tier not in sizes.TIERS:
            problems.append(f"prices.{tier}: is not a resolution, expected {', '.join(sizes.TIERS)}")
        elif not _is_positive(price, zero=True):
            problems.append(f"prices.{tier}: {quote(price)} is not a price in USD")
    if options["budget"]["images"] is not None and options["budget"]["images"] < 0:
        problems.append(f"budget.images: {options['budget']['images']} is not a number of pictures")
    if options["budget"]["usd"] is not None and not _is_positive(options["budget"]["usd"], zero=True):
        problems.append(f"budget.usd: {options['budget']['usd']} is not a number of USD")
    return problems


def _output_problems(output: Mapping[str, Any]) -> list[str]:
    problems = []
    if not output["formats"] or len(set(output["formats"])) < len(output["formats"]):
        problems.append(f"output.formats: expected one or more of {', '.join(FORMATS)}, each once")
    if not output["widths"] or min(output["widths"]) < 1:
        problems.append("output.widths: expected one or more numbers of pixels, such as [480, 960, 1440]")
    qualities = output["quality"] if isinstance(output["quality"], dict) else {"": output["quality"]}
    for name, quality in qualities.items():
        where = f"output.quality.{name}".rstrip(".")
        if name and name not in ENCODED:
            problems.append(f"{where}: is not a format with a quality, expected {' or '.join(ENCODED)}")
        elif type(quality) is not int or not 1 <= quality <= 100:
            problems.append(f"{where}: {quote(quality)} is not a quality, expected 1 to 100")
    return problems


def _is_positive(value: Any, *, zero: bool = False) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return False
    return value > 0 or (zero and value == 0)


def _is_http_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_address = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and is_address and not parts.query


def _qualities(option: Any) -> dict[str, int]:
    """Quality by format; one number means equal looks."""
    if isinstance(option, dict):
        return {**Output().quality, **option}
    return {"webp": option, "avif": avif_quality(option)}


def _timeouts(option: Any) -> dict[str, float]:
    if isinstance(option, dict):
        return {tier: float({**TIMEOUTS, **option}[tier]) for tier in sizes.TIERS}
    return dict.fromkeys(sizes.TIERS, float(option))
