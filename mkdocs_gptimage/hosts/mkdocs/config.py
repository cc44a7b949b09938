"""The plugin's options in mkdocs.yml, as MkDocs' typed configuration."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from mkdocs.config import base
from mkdocs.config import config_options as c
from mkdocs.config.base import BaseConfigOption

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.hosts.options import FORMATS, ON_MISSING, TIMEOUTS, Surroundings, settings_from
from mkdocs_gptimage.settings import Output
from mkdocs_gptimage.spec.prompts import DARK_INSTRUCTION
from mkdocs_gptimage.text import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig

    from mkdocs_gptimage.settings import Settings

_THEMES_WITH_TOGGLE = ("material", "materialx")


class ApiOptions(base.Config):
    """`api`: the service."""

    base_url = c.Type(str, default="https://apimaster.ai/v1")
    """The address of the service, https unless it is on this machine; or emulator: built in, free, offline."""
    submit_path = c.Type(str, default="/images/generations")
    """The path behind base_url that takes submits."""
    key_env = c.Type(str, default="APIMASTER_API_KEY")
    """The environment variable that holds the key, which ends in _API_KEY; the key itself belongs in no file."""
    max_requests = c.Type(int, default=8)
    """Submits, and downloads, at a time."""
    first_poll = c.Type((int, float), default=10)
    """Seconds from a submit to the first question whether the picture is ready."""
    poll_interval = c.Type((int, float), default=3)
    """Seconds between such questions."""
    timeout = c.Type((dict, int, float), default=TIMEOUTS)
    """Seconds from submit, for all pictures or by resolution."""


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
    """`budget`: the limits of one run."""

    images = Limit(default=50)
    """Pictures per run; null: no limit."""
    usd = c.Optional(c.Type((int, float)))
    """USD per run, by prices; null: no limit."""


class OutputOptions(base.Config):
    """`output`: the files that readers get."""

    formats = c.ListOfItems(c.Choice(FORMATS), default=[*Output.formats])
    """The formats of the published files, the one to prefer first; original is the picture as it was stored."""
    widths = c.ListOfItems(c.Type(int), default=[*Output.widths])
    """The widths of the published files in pixels; none is wider than the picture."""
    quality = c.Type((int, dict), default=82)
    """1 to 100, for all formats alike or by format."""
    sizes = c.Type(str, default=Output.sizes)
    """How wide figures are shown, as in the attribute sizes of an image."""
    disclosure = c.Optional(c.Choice(("label",)))
    """label: a line of text below each figure that says that the picture is generated."""


class Options(base.Config):
    """`plugins: - gptimage: …` in mkdocs.yml."""

    enabled = c.Type(bool, default=True)
    """Whether blocks become pictures."""
    fence = c.Type(str, default="gpt-image")
    """The language of the blocks."""
    store = c.Type(str, default="gptimage")
    """The folder of the pictures, to be committed; relative to mkdocs.yml, outside docs_dir."""
    cache = c.Type(str, default=".cache/gptimage")
    """A folder of the plugin's own for files made from the pictures, never committed; relative to mkdocs.yml."""
    assets = c.Type(str, default="assets/gptimage")
    """The folder inside the built site."""
    on_missing = c.Choice(ON_MISSING, default="auto")
    """What becomes of a picture that is not in the store. auto: generate for a build with a key, else a placeholder."""
    require_alt = c.Type(bool, default=False)
    """Every block needs alt."""
    gallery = c.Type(bool, default=False)
    """Publish a page with all pictures and their prompts inside the site, at ASSETS/gallery/."""
    defaults = c.Type(dict, default={})
    """Fields for every block that does not set them."""
    styles = c.Type(dict, default={})
    """Words around the prompts of blocks, reference images and fields, by the name that a block gives as its style."""
    specs = c.ListOfItems(c.Type(str), default=[])
    """Files that describe pictures by their ids, as globs relative to mkdocs.yml."""
    api = c.SubConfig(ApiOptions)
    """The service."""
    budget = c.SubConfig(BudgetOptions)
    """Limits of one run."""
    prices = c.Type(dict, default={})
    """USD per picture, by resolution, for plans and budget.usd."""
    dark_instruction = c.Type(str, default=DARK_INSTRUCTION)
    """What follows the prompt of a dark twin. Changing it draws all twins anew."""
    output = c.SubConfig(OutputOptions)
    """The files that readers get."""


def settings_of(options: Options, config: MkDocsConfig) -> Settings:
    """Return the settings of a site; raise `ConfigurationError` that lists all problems of its options."""
    file = Path(config.config_file_path) if config.config_file_path else None
    # Hooks are modules among the plugins.
    count = sum(isinstance(getattr(plugin, "config", None), Options) for plugin in config.plugins.values())
    if count > 1:
        raise ConfigurationError(
            f"{file.name if file else 'mkdocs.yml'}: plugins: gptimage is listed {count} times; list it once, with all "
            "of its options"
        )
    project = file.resolve().parent if file else Path.cwd()
    surroundings = Surroundings(
        project=project,
        configuration=file.resolve() if file else None,
        config_file=file.name if file else "mkdocs.yml",
        docs=_docs_folder(config, project),
        site=Path(config.site_dir),
        has_palette_toggle=config.theme.name in _THEMES_WITH_TOGGLE,
        unknown_options=tuple(_unknown(options)),
    )
    return settings_from(options, surroundings)


def _docs_folder(config: MkDocsConfig, project: Path) -> Path:
    """The folder of the pages as the project has it; some plugins put a temporary copy elsewhere in its place."""
    current = Path(config.docs_dir)
    if current.is_relative_to(project) or current.resolve().is_relative_to(project):
        return current
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # MkDocs offers no other way to what a file has set
        written = [each["docs_dir"] for each in getattr(config, "user_configs", ()) if each.get("docs_dir")]
    return Path(os.path.normpath(project / (written or ["docs"])[-1]))


def _unknown(options: base.Config, prefix: str = "") -> Iterator[str]:
    """The options that a configuration sets and its class does not have."""
    known = [name for name, option in vars(type(options)).items() if isinstance(option, BaseConfigOption)]
    for name, value in options.items():
        if name not in known:
            yield f"{prefix}{name}: is not an option{did_you_mean(name, known, otherwise='the options are')}"
        elif isinstance(value, base.Config):
            yield from _unknown(value, f"{prefix}{name}.")
