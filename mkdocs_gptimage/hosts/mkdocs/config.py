"""The plugin's options in mkdocs.yml, typed by MkDocs' own configuration, and what they mean for the core."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional
from urllib.parse import urlsplit

from mkdocs.config import base
from mkdocs.config import config_options as c

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.hosts.folders import SiteFolders, folder_problems
from mkdocs_gptimage.settings import EMULATOR, Api, Budget, Output, Settings, avif_quality
from mkdocs_gptimage.spec import sizes
from mkdocs_gptimage.spec.prompts import DARK_INSTRUCTION
from mkdocs_gptimage.spec.references import ReferenceResolver
from mkdocs_gptimage.spec.schema import violations
from mkdocs_gptimage.spec.styles import default_style_problems, read_styles
from mkdocs_gptimage.text import one_line_each, quote

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig


ON_MISSING = ("auto", "generate", "placeholder", "error")
FORMATS = ("webp", "avif", "original")
ENCODED = ("webp", "avif")
_THEME_WITH_TOGGLE = "material"
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_TIMEOUTS = {"1k": 600, "2k": 900, "4k": 1800}


class ApiOptions(base.Config):
    base_url = c.Type(str, default="https://apimaster.ai/v1")
    submit_path = c.Type(str, default="/images/generations")
    key_env = c.Type(str, default="APIMASTER_API_KEY")
    max_requests = c.Type(int, default=8)
    first_poll = c.Type((int, float), default=10)
    poll_interval = c.Type((int, float), default=3)
    timeout = c.Type((dict, int, float), default=_TIMEOUTS)


class Limit(base.BaseConfigOption[Optional[int]]):  # noqa: UP045 - evaluated, and MkDocs runs on Python 3.8's typing
    """A whole number with a default, where null, unlike with MkDocs' own options, means that there is no limit."""

    def __init__(self, default: int) -> None:
        super().__init__()
        self.default = default

    def run_validation(self, value: object) -> int | None:
        if value is None or type(value) is int:
            return value
        raise base.ValidationError(f"Expected a whole number or null, but received: {value!r}")


class BudgetOptions(base.Config):
    images = Limit(default=50)
    usd = c.Optional(c.Type((int, float)))


class OutputOptions(base.Config):
    formats = c.ListOfItems(c.Choice(FORMATS), default=["webp"])
    widths = c.ListOfItems(c.Type(int), default=[480, 960, 1440])
    quality = c.Type((int, dict), default=82)
    sizes = c.Type(str, default="(min-width: 48em) 44em, 100vw")
    disclosure = c.Optional(c.Choice(("label",)))


class Options(base.Config):
    enabled = c.Type(bool, default=True)
    fence = c.Type(str, default="gpt-image")
    store = c.Type(str, default="gptimage")
    cache = c.Type(str, default=".cache/gptimage")
    assets = c.Type(str, default="assets/gptimage")
    on_missing = c.Choice(ON_MISSING, default="auto")
    require_alt = c.Type(bool, default=False)
    gallery = c.Type(bool, default=False)
    defaults = c.Type(dict, default={})
    styles = c.Type(dict, default={})
    specs = c.ListOfItems(c.Type(str), default=[])
    api = c.SubConfig(ApiOptions)
    budget = c.SubConfig(BudgetOptions)
    prices = c.Type(dict, default={})
    dark_instruction = c.Type(str, default=DARK_INSTRUCTION)
    output = c.SubConfig(OutputOptions)


def settings_of(options: Options, config: MkDocsConfig) -> Settings:
    """Return what the options mean; raise `ConfigurationError` that lists all that is wrong with them."""
    project = project_folder(config)
    resolver = ReferenceResolver(project, Path(config.docs_dir))
    found = read_styles(options.styles, lambda entry: resolver.resolve(entry, project))
    wrong = [*_problems(options, config), *found.problems]
    if wrong:
        name = config_name(config)
        raise ConfigurationError(one_line_each([f"{name}: plugins.gptimage.{problem}" for problem in wrong]))
    api = options.api
    return Settings(
        project=project,
        config_file=config_name(config),
        docs=Path(config.docs_dir),
        store=project / options.store,
        cache=project / options.cache,
        assets=options.assets.strip("/"),
        fence=options.fence,
        require_alt=options.require_alt,
        defaults={key: value for key, value in options.defaults.items() if value is not None},
        styles=found.styles,
        specs=tuple(options.specs),
        api=Api(
            base_url=api.base_url.rstrip("/"),
            submit_path="/" + api.submit_path.lstrip("/"),
            key_env=api.key_env,
            max_requests=api.max_requests,
            first_poll=float(api.first_poll),
            poll_interval=float(api.poll_interval),
            timeout=_timeouts(api.timeout),
        ),
        budget=Budget(images=options.budget.images, usd=options.budget.usd),
        prices=_prices(options),
        output=Output(
            formats=tuple(options.output.formats),
            widths=tuple(sorted(set(options.output.widths))),
            quality=_qualities(options.output.quality),
            sizes=options.output.sizes,
            disclosure=options.output.disclosure,
        ),
        dark_instruction=options.dark_instruction,
        has_palette_toggle=config.theme.name == _THEME_WITH_TOGGLE,
    )


def _prices(options: Options) -> dict[str, float]:
    """What pictures cost; the built-in emulator is free, unless a site rehearses with prices of its own."""
    if options.api.base_url == EMULATOR and not options.prices:
        return dict.fromkeys(sizes.TIERS, 0.0)
    return {str(tier): float(price) for tier, price in options.prices.items()}


def project_folder(config: MkDocsConfig) -> Path:
    """The folder of the configuration file."""
    return Path(config.config_file_path).resolve().parent if config.config_file_path else Path.cwd()


def config_name(config: MkDocsConfig) -> str:
    """The name of the configuration file, as messages show it."""
    return Path(config.config_file_path).name if config.config_file_path else "mkdocs.yml"


def _problems(options: Options, config: MkDocsConfig) -> list[str]:
    """Everything that is wrong with the options, as `name: what was found, what was expected`."""
    return [
        *(f"defaults.{violation}" for violation in violations(options.defaults, partial=True)),
        *default_style_problems(options.defaults, options.styles),
        *_pattern_problems(options.specs),
        *_folder_problems(options, config),
        *_api_problems(options.api),
        *_money_problems(options),
        *_output_problems(options.output),
        *([] if options.fence.strip() and not options.fence.split()[1:] else ["fence: expected one word"]),
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


def _folder_problems(options: Options, config: MkDocsConfig) -> list[str]:
    folders = SiteFolders(
        project=project_folder(config),
        docs=Path(config.docs_dir),
        site=Path(config.site_dir),
        store=options.store,
        cache=options.cache,
    )
    problems = folder_problems(folders)
    parts = options.assets.strip("/").split("/")
    is_inside = not any(part in ("", ".", "..") for part in parts)
    if not is_inside or set(options.assets) & set("\\#?%") or not options.assets.isprintable():
        problems.append(
            f"assets: {quote(options.assets)} is not a folder inside the site; expected one like assets/gptimage"
        )
    return problems


def _api_problems(api: ApiOptions) -> list[str]:
    problems = []
    if api.base_url != EMULATOR and not _is_http_url(api.base_url):
        problems.append(f"api.base_url: '{api.base_url}' is not an http(s) URL; expected one, or '{EMULATOR}'")
    if not _VARIABLE.fullmatch(api.key_env):
        problems.append(
            "api.key_env: expected the name of an environment variable, in capitals; a key does not belong here"
        )
    if api.max_requests < 1:
        problems.append(f"api.max_requests: {api.max_requests} is too small, expected at least 1")
    if not _is_positive(api.first_poll, zero=True):
        problems.append(f"api.first_poll: {api.first_poll} is not a number of seconds")
    if not _is_positive(api.poll_interval):
        problems.append(f"api.poll_interval: {api.poll_interval} is not a number of seconds above 0")
    timeouts = api.timeout.items() if isinstance(api.timeout, dict) else [("", api.timeout)]
    for tier, seconds in timeouts:
        name = f"api.timeout.{tier}".rstrip(".")
        if tier and tier not in sizes.TIERS:
            problems.append(f"{name}: is not a resolution, expected {', '.join(sizes.TIERS)}")
        elif not _is_positive(seconds):
            problems.append(f"{name}: {quote(seconds)} is not a number of seconds above 0")
    return problems


def _money_problems(options: Options) -> list[str]:
    problems = []
    for tier, price in options.prices.items():
        if tier not in sizes.TIERS:
            problems.append(f"prices.{tier}: is not a resolution, expected {', '.join(sizes.TIERS)}")
        elif not _is_positive(price, zero=True):
            problems.append(f"prices.{tier}: {quote(price)} is not a price in USD")
    if options.budget.images is not None and options.budget.images < 0:
        problems.append(f"budget.images: {options.budget.images} is not a number of pictures")
    if options.budget.usd is not None and not _is_positive(options.budget.usd, zero=True):
        problems.append(f"budget.usd: {options.budget.usd} is not a number of USD")
    return problems


def _output_problems(output: OutputOptions) -> list[str]:
    problems = []
    if not output.formats or len(set(output.formats)) < len(output.formats):
        problems.append(f"output.formats: expected one or more of {', '.join(FORMATS)}, each once")
    if not output.widths or min(output.widths) < 1:
        problems.append("output.widths: expected one or more numbers of pixels, such as [480, 960, 1440]")
    qualities = output.quality if isinstance(output.quality, dict) else {"": output.quality}
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
        return {tier: float({**_TIMEOUTS, **option}[tier]) for tier in sizes.TIERS}
    return dict.fromkeys(sizes.TIERS, float(option))
