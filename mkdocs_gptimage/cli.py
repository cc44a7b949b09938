"""The command line: `gptimage plan`, `generate`, `check`, `schema`, `emulator`.

Reports go to stdout, everything else to stderr. Exit codes: 0 fine, 1 something is missing, broken or failed, 2 wrong
usage or configuration.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from . import production, reporting, validation
from .errors import ConfigurationError, GptImageError
from .planning import Plan
from .store import Damage

if TYPE_CHECKING:
    from collections.abc import Callable

    from .plugin import GptImagePlugin

EXIT_INCOMPLETE = 1
EXIT_CONFIGURATION = 2

log = logging.getLogger("mkdocs.plugins.gptimage")

_config_file = click.option(
    "-f",
    "--config-file",
    default="mkdocs.yml",
    show_default=True,
    type=click.Path(exists=True, dir_okay=False),
    help="The site's configuration file.",
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def _with_exit_codes(command: Callable[..., None]) -> Callable[..., None]:
    """Translate our errors into a message and an exit code."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except ConfigurationError as error:
            _fail(error, EXIT_CONFIGURATION)
        except GptImageError as error:
            _fail(error, EXIT_INCOMPLETE)

    return run


def _fail(error: Exception, code: int) -> NoReturn:
    click.echo(f"gptimage: {error}", err=True)
    sys.exit(code)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mkdocs-gptimage")
@click.option("-v", "--verbose", is_flag=True, help="Show what MkDocs says as well.")
def main(verbose: bool) -> None:
    """Pictures as code for documentation: see what a site asks for, make it, check it."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    root = logging.getLogger("mkdocs")
    root.handlers[:] = [handler]
    root.propagate = False
    root.setLevel(logging.INFO if verbose else logging.ERROR)
    log.setLevel(logging.INFO)
    # A misspelt option would be ignored, a budget for example.
    logging.getLogger("mkdocs.config").setLevel(logging.WARNING)


@main.command()
@_config_file
@_as_json
@_with_exit_codes
def plan(config_file: str, as_json: bool) -> None:
    """Show what a build would generate, and what it would cost.

    Needs neither a key nor a network. Exits with 1 when something is not in the store.
    """
    plugin = _read(config_file)
    found = _look_ahead(plugin)
    _report(found, plugin, as_json=as_json)


@main.command()
@_config_file
@_as_json
@_with_exit_codes
def check(config_file: str, as_json: bool) -> None:
    """Verify that every picture is in the store, whole, byte by byte.

    Needs neither a key nor a network. Exits with 1 when something is missing, damaged or in flight.
    """
    plugin = _read(config_file)
    # A plan looks twice; the bytes need to be read once.
    verify = functools.cache(plugin.store.verify)
    verified = production.look_ahead(plugin.reader.catalog, verify, plugin.settings, with_strays=True)
    condition = reporting.Condition(
        {row.digest: found for row in verified.rows if isinstance(found := verify(row.digest), Damage)},
        plugin.store.leftovers({row.digest for row in verified.rows}),
    )
    _report(verified, plugin, as_json=as_json, condition=condition)


@main.command()
@_config_file
@_as_json
@click.option(
    "--retry-unknown",
    is_flag=True,
    help="Submit pictures again whose submit has an unknown outcome; they may be paid for twice.",
)
@_with_exit_codes
def generate(config_file: str, as_json: bool, retry_unknown: bool) -> None:
    """Make every picture that the site asks for and the store does not have.

    Collects what an earlier run left in flight first, which is free. Exits with 1 when a picture is still not there.
    """
    plugin = _read(config_file)
    _stop_at_problems(plugin, as_json=as_json)
    found = _look_ahead(plugin)
    result = production.produce(found, plugin.settings, plugin.store, os.environ, log, retry_unknown=retry_unknown)
    click.echo(reporting.result_as_json(result) if as_json else reporting.result_as_text(result))
    sys.exit(EXIT_INCOMPLETE if result.problems else 0)


@main.command()
@_with_exit_codes
def schema() -> None:
    """Print the JSON schema of a block, for editors."""
    click.echo(json.dumps(validation.schema(), indent=2, ensure_ascii=False))


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8787,
    show_default=True,
    help="The port to listen on; 0 picks a free one.",
)
@click.option("--speed", default=1.0, show_default=True, help="How many times faster than the real service.")
@click.option("--key", default=None, help="Accept only this key instead of any.")
@_with_exit_codes
def emulator(host: str, port: int, speed: float, key: str | None) -> None:
    """Run the image API on this machine: free, offline, until Ctrl-C.

    Set api.base_url to the address it prints, and the key's environment variable to anything.
    """
    from . import emulator as service  # noqa: PLC0415 - an extra

    if not speed > 0:
        raise click.BadParameter("expected a number above 0", param_hint="--speed")
    try:
        service.run(
            service.Settings(speed=speed, key=key),
            host=host,
            port=port,
            ready=lambda url: click.echo(f"The emulator listens on {url} (Ctrl-C ends it)"),
        )
    except service.EmulatorUnavailableError as error:
        raise ConfigurationError(str(error)) from error
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error


def _read(config_file: str) -> GptImagePlugin:
    """Read the site's pages; importing MkDocs is for those who need it."""
    from .plugin import read_pages  # noqa: PLC0415

    return read_pages(config_file)


def _look_ahead(plugin: GptImagePlugin) -> Plan:
    return production.look_ahead(plugin.reader.catalog, plugin.reader.look, plugin.settings, with_strays=True)


def _stop_at_problems(plugin: GptImagePlugin, *, as_json: bool) -> None:
    problems = plugin.reader.catalog.problems
    if not problems:
        return
    if as_json:
        click.echo(reporting.as_json(Plan(()), problems))
    click.echo("\n".join(problems), err=True)
    sys.exit(EXIT_INCOMPLETE)


def _report(
    found: Plan, plugin: GptImagePlugin, *, as_json: bool, condition: reporting.Condition | None = None
) -> NoReturn:
    """Print a plan, the store's condition where it was checked, and the problems of blocks; exit accordingly."""
    problems = plugin.reader.catalog.problems
    if as_json:
        click.echo(reporting.as_json(found, problems, condition))
    else:
        click.echo(reporting.as_text(found, condition))
        if problems:
            click.echo("\n".join(problems), err=True)
    is_fine = found.is_complete and not problems
    sys.exit(0 if is_fine else EXIT_INCOMPLETE)
