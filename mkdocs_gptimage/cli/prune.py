"""`gptimage prune`: list unused pictures and cache files, and delete them with `--apply`."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from mkdocs_gptimage.cli import common
from mkdocs_gptimage.cli.common import EXIT_INCOMPLETE
from mkdocs_gptimage.errors import MissingPicturesError
from mkdocs_gptimage.journal.roots import drop_roots
from mkdocs_gptimage.maintenance.branches import stored_at
from mkdocs_gptimage.maintenance.prune import apply_pruning, find_prunable
from mkdocs_gptimage.maintenance.users import StoreUsers, find_users
from mkdocs_gptimage.plan.orphans import find_orphans
from mkdocs_gptimage.report.as_json import pruning_json
from mkdocs_gptimage.report.as_text import prompt_of, shortened_prompt, size_text
from mkdocs_gptimage.report.listing import shown_path
from mkdocs_gptimage.text import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mkdocs_gptimage.hosts.site import Site
    from mkdocs_gptimage.maintenance.prune import Pruning
    from mkdocs_gptimage.plan.orphans import Orphan
    from mkdocs_gptimage.plan.status import SiteStatus
    from mkdocs_gptimage.spec.digest import Digest


@click.command()
@common.config_file_option
@common.json_option
@click.option("--apply", "applies", is_flag=True, help="Delete what is listed.")
@click.option("--now", "is_now", is_flag=True, help="Delete it at once, also what is younger than an hour.")
@click.option(
    "--since",
    "refs",
    multiple=True,
    metavar="REF",
    help="Keep what this branch, tag or commit stores; may be repeated.",
)
@click.option(
    "--also",
    multiple=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Keep what the pages of this other configuration ask for, which uses the same store; may be repeated.",
)
@common.with_exit_codes
def prune(  # noqa: PLR0913 - one for each option
    config_file: str, as_json: bool, applies: bool, is_now: bool, refs: tuple[str, ...], also: tuple[str, ...]
) -> None:
    """List stored pictures that no page asks for, candidates included, and unused files of the cache.

    Deletes them with --apply, but nothing that is younger than an hour without --now, and never while blocks of the
    site have problems, a plugin warns of a page, another configuration uses the store and has not said what it needs,
    or a branch of --since stores no picture. All of these exit with an error.
    """
    applies = applies or is_now
    site, *others = [common.read_site_with_drafts(name) for name in (config_file, *also)]
    problems = list(dict.fromkeys(problem for each in (site, *others) for problem in each.problems))
    if problems:
        common.echo("\n".join(map(str, problems)), err=True)
        common.echo("gptimage: nothing is pruned while blocks have problems: their pictures are not known", err=True)
        sys.exit(EXIT_INCOMPLETE)
    users = find_users(site.settings, [each.settings.origin for each in (site, *others)])
    of_branches = (stored_at(ref, site.settings.store, site.settings.project) for ref in refs)
    also_needed = set(site.drafts).union(*(each.needed for each in others), *of_branches)
    kept = also_needed | users.needed
    found = _find(site, kept, users)
    if is_now:
        found = replace(found, orphans=[*found.orphans, *found.young], young=())
    survey = common.site_status(common.plan_site(site), site, kept)
    if not as_json:
        _list(found, survey)
        for orphan in find_orphans(site.store, {*site.needed, *also_needed}):
            if orphan.digest in users.branches:
                common.echo(f"{_line(orphan, 'kept')}  ({users.branches[orphan.digest]} needs it: stays)")
    doubt = _doubt([site, *others], users)
    if doubt:
        common.echo(
            f"gptimage: {'nothing was deleted' if applies else '--apply would delete nothing'}: {doubt}", err=True
        )
    if applies and doubt:
        sys.exit(EXIT_INCOMPLETE)
    if applies:
        _require_pictures(found, site)
        apply_pruning(found, site.store)
        drop_roots(users.stale)
    if as_json:
        common.echo_json(pruning_json(found, survey, applied=applies))
    else:
        common.echo(_summary(found, applies=applies))


def _doubt(sites: Sequence[Site], users: StoreUsers) -> str:
    """Why pages may use pictures that were not found; empty when nothing suggests it."""
    warned = [warning for site in sites for warning in site.warnings]
    if warned:
        return f"a page may lack some of its text, because of this warning: {warned[0]}; mend it first"
    return users.doubt


def _list(found: Pruning, survey: SiteStatus) -> None:
    """Print the unused pictures, and why some of them stay."""
    later = "stored since another configuration of the store was built, which may need it"
    for orphans, why in ((found.orphans, ""), (found.young, "younger than an hour"), (found.later, later)):
        for orphan in orphans:
            line = _line(orphan, survey.state_of_orphan(orphan))
            common.echo(f"{line}  ({why}: stays)" if why else line)


def _line(orphan: Orphan, state: str) -> str:
    size = size_text(orphan.entry.image.bytes)
    return f"{orphan.digest.short}  {state:9}  {size:>8}  {shortened_prompt(prompt_of(orphan))}"


def _find(site: Site, kept: set[Digest], users: StoreUsers) -> Pruning:
    unneeded = [orphan for orphan in find_orphans(site.store, site.needed) if orphan.digest in site.stored]
    return find_prunable(unneeded, kept, site.catalog, site.store, site.settings.cache, since=users.since)


def _require_pictures(found: Pruning, site: Site) -> None:
    """A site without a single picture is more likely one that was not read right."""
    if found.orphans and not site.catalog.pictures:
        folder = shown_path(site.settings.store, site.settings.project)
        raise MissingPicturesError(
            f"the pages ask for no picture, and nothing was deleted; if that is right, delete the folder {folder}"
        )


def _summary(found: Pruning, *, applies: bool) -> str:
    stored = f"{counted(len(found.orphans), 'picture')} ({size_text(found.stored_bytes)})"
    files = counted(len(found.files), "file")
    what = f"{stored} of the store and {files} of the cache"
    if found.unfinished:
        what += f", {counted(len(found.unfinished), 'unfinished file')} left by runs that were killed"
    if applies:
        return f"Deleted {what}"
    to_do = "; 'gptimage prune --apply' deletes them" if found.orphans or found.files or found.unfinished else ""
    return f"Unused: {what}{to_do}"
