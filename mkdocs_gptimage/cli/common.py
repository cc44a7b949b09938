"""Shared parts of the commands: options, exit codes, reading the site, and the question before paying."""

from __future__ import annotations

import codecs
import functools
import io
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from mkdocs_gptimage import read_only
from mkdocs_gptimage.errors import BudgetError, ConfigurationError, GptImageError
from mkdocs_gptimage.journal import roots
from mkdocs_gptimage.plan.orphans import find_orphans
from mkdocs_gptimage.plan.plan import Plan, check_budget, make_plan
from mkdocs_gptimage.plan.states import State
from mkdocs_gptimage.plan.status import SiteStatus
from mkdocs_gptimage.report.as_json import status_json
from mkdocs_gptimage.report.as_text import (
    StoreCondition,
    price_text,
    status_text,
)
from mkdocs_gptimage.report.listing import shown_path
from mkdocs_gptimage.resources import naming_lack
from mkdocs_gptimage.store.committed import ignored_by
from mkdocs_gptimage.text import ascii_json, counted, escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from mkdocs_gptimage.hosts.site import Site
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.text import Problem


EXIT_INCOMPLETE = 1
EXIT_CONFIGURATION = 2
config_file_option = click.option(
    "-f",
    "--config-file",
    default="mkdocs.yml",
    show_default=True,
    type=click.Path(exists=True, dir_okay=False),
    help="The site's configuration file.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
yes_option = click.option("-y", "--yes", is_flag=True, help="Don't ask before paying (the default without a terminal).")
retry_option = click.option(
    "--retry-unknown",
    is_flag=True,
    help="Submit pictures again whose submit has an unknown outcome; they may be paid for twice.",
)


def with_exit_codes(command: Callable[..., None]) -> Callable[..., None]:
    """Translate our errors into a message and an exit code."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            with naming_lack("the command could not finish"):
                command(*args, **kwargs)
        except ConfigurationError as error:
            _fail(error, EXIT_CONFIGURATION)
        except GptImageError as error:
            _fail(error, EXIT_INCOMPLETE)

    return run


def echo(text: object, *, err: bool = False, nl: bool = True) -> None:
    """Print a text, with everything escaped that could steer a terminal."""
    # With a file, since click replaces an output of ASCII by one of UTF-8.
    click.echo(escaped(str(text)), file=sys.stderr if err else sys.stdout, nl=nl)  # noqa: TID251 - this is where it happens


def echo_json(text: str) -> None:
    """Print JSON, in ASCII unless the output is UTF-8: programs read it as that."""
    echo(text if codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8" else ascii_json(text))


def print_any_character() -> None:
    r"""Print characters that the encoding of the output lacks, such as that of a Windows console, as `\u2026`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _fail(error: Exception, code: int) -> NoReturn:
    echo(f"gptimage: {error}", err=True)
    sys.exit(code)


def read_site(config_file: str) -> Site:
    """Read the site's pages; imports MkDocs, which only some commands need."""
    from mkdocs_gptimage.hosts.mkdocs.site import read_site  # noqa: PLC0415

    read_only.stay_read_only()
    site = read_site(config_file)
    leave_root(site, is_whole=False)
    return site


def read_site_with_drafts(config_file: str) -> Site:
    """Read the site's pages and its drafts."""
    from mkdocs_gptimage.hosts.mkdocs.site import read_site_with_drafts  # noqa: PLC0415

    read_only.stay_read_only()
    site = read_site_with_drafts(config_file)
    leave_root(site, is_whole=not site.warnings)
    return site


def leave_root(site: Site, *, is_whole: bool) -> None:
    """Tell the store which pictures the site needs; blocks with problems may mean any picture."""
    settings = site.settings
    if not site.problems:
        roots.leave_root(settings.store, settings.origin, site.needed, is_whole=is_whole)


def read_settings(config_file: str) -> Settings:
    """Read what the site has set, and none of its pages."""
    from mkdocs_gptimage.hosts.mkdocs.site import read_settings  # noqa: PLC0415

    read_only.stay_read_only()
    return read_settings(config_file)


def docs_folder(site: Site) -> str:
    """The folder of the site's pages as messages show it."""
    return shown_path(site.settings.docs, site.settings.project)


def plan_site(site: Site) -> Plan:
    return make_plan(site.catalog, site.snapshot, site.settings, include_unclaimed=True)


def site_status(plan: Plan, site: Site, drafts: Collection[Digest] = ()) -> SiteStatus:
    """Return what the site needs and what its store holds beyond that; `drafts` are digests that are needed as well."""
    return SiteStatus(plan, find_orphans(site.store, {*site.catalog.pictures, *drafts}))


def warn_of_ignored_store(settings: Settings) -> None:
    """Tell on stderr if git ignores the store's pictures: no clone would have them."""
    rule = ignored_by(settings.store, settings.project)
    if rule:
        echo(
            f"gptimage: git ignores the store '{shown_path(settings.store, settings.project)}' ({rule}): its pictures "
            "are not committed, and every clone pays for them again",
            err=True,
        )


def stop_at_problems(site: Site, *, as_json: bool = False) -> None:
    """End the command when blocks of the site are not valid."""
    problems = site.catalog.problems
    if not problems:
        return
    if as_json:
        echo_json(status_json(SiteStatus(Plan(())), problems))
    echo("\n".join(map(str, problems)), err=True)
    sys.exit(EXIT_INCOMPLETE)


def may_pay(plan: Plan, settings: Settings, environment: Mapping[str, str], *, yes: bool) -> bool:
    """Print what a run would pay for, ask in a terminal, and return whether to go on."""
    missing = plan.only(State.MISSING)
    if settings.api.emulated:
        return True
    if not missing or not settings.has_key(environment) or _exceeds_budget(plan, settings):
        return True  # nothing is paid; the run reports what stands in the way
    asked = f"{counted(len(missing), 'picture')} ({price_text(plan.price)})"
    if yes or not (sys.stdin.isatty() and sys.stderr.isatty()):
        echo(f"Making {asked}", err=True)
        return True
    return click.confirm(f"Make {asked}?", err=True)


def _exceeds_budget(plan: Plan, settings: Settings) -> bool:
    try:
        check_budget(plan, settings.budget)
    except BudgetError:
        return True
    return False


def print_status(found: SiteStatus, *, condition: StoreCondition | None = None, verbose: bool = False) -> None:
    if sys.stdout.isatty():
        from mkdocs_gptimage.report.as_table import print_table  # noqa: PLC0415 - loads rich, for those who look

        print_table(found, condition=condition, verbose=verbose)
    else:
        echo(status_text(found, condition=condition, verbose=verbose))


def exit_with(is_fine: bool, problems: Sequence[Problem], *, reported: bool) -> NoReturn:
    """Say what is wrong with blocks, and exit accordingly."""
    if problems and not reported:
        echo("\n".join(map(str, problems)), err=True)
    sys.exit(0 if is_fine and not problems else EXIT_INCOMPLETE)
