"""The command group `gptimage`, and the commands that need no site: `schema` and `emulator`.

Reports go to stdout, everything else to stderr. Exit codes: 0 fine, 1 something is missing, broken or failed, 2 wrong
usage or configuration.
"""

from __future__ import annotations

import json
import logging

import click

from mkdocs_gptimage.cli import common
from mkdocs_gptimage.cli.check import check
from mkdocs_gptimage.cli.forget import forget
from mkdocs_gptimage.cli.gallery import gallery
from mkdocs_gptimage.cli.generate import generate
from mkdocs_gptimage.cli.list import list_pictures
from mkdocs_gptimage.cli.plan import plan
from mkdocs_gptimage.cli.prune import prune
from mkdocs_gptimage.cli.regenerate import regenerate
from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.spec.schema import SCHEMA_FILES, editor_schema
from mkdocs_gptimage.text import escape_record, plugin_log

log = plugin_log()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mkdocs-gptimage")
@click.option("-v", "--verbose", is_flag=True, help="Show what MkDocs says as well.")
def main(verbose: bool) -> None:
    """Pictures as code for documentation: see what a site asks for, make it, check it."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.addFilter(escape_record)
    common.print_any_character()
    root = logging.getLogger("mkdocs")
    root.handlers[:] = [handler]
    root.propagate = False
    root.setLevel(logging.INFO if verbose else logging.ERROR)
    log.setLevel(logging.INFO)
    # A misspelt option would be ignored, a budget for example.
    logging.getLogger("mkdocs.config").setLevel(logging.WARNING)


@main.command()
@click.argument("of", type=click.Choice(tuple(SCHEMA_FILES)), default="block")
@common.with_exit_codes
def schema(of: str) -> None:
    """Print a JSON schema for editors: of a block, of a file of specs, or of the options in mkdocs.yml."""
    common.echo_json(json.dumps(editor_schema(of), indent=2, ensure_ascii=False))


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
@click.option(
    "--synchronous",
    is_flag=True,
    help="Answer /images/generations with the picture, as some gateways do, and only .../async with a task.",
)
@common.with_exit_codes
def emulator(host: str, port: int, speed: float, key: str | None, synchronous: bool) -> None:
    """Run the image API on this machine: free, offline, until Ctrl-C.

    Set api.base_url to the address it prints, and the key's environment variable to anything.
    """
    from mkdocs_gptimage import emulator as service  # noqa: PLC0415 - an extra

    if not speed > 0:
        raise click.BadParameter("expected a number above 0", param_hint="--speed")
    try:
        service.run(
            service.Settings(speed=speed, key=key, synchronous=synchronous),
            host=host,
            port=port,
            ready=lambda url: common.echo(f"The emulator listens on {url} (Ctrl-C ends it)"),
        )
    except service.EmulatorUnavailableError as error:
        raise ConfigurationError(str(error)) from error
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error


for command in (
    plan,
    generate,
    regenerate,
    check,
    prune,
    forget,
    list_pictures,
    gallery,
):
    main.add_command(command)
