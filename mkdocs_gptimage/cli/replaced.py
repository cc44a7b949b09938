"""The offer, after pictures were made, to delete those that the same blocks showed before."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mkdocs_gptimage.cli import common
from mkdocs_gptimage.maintenance.branches import stored_on_other_branches
from mkdocs_gptimage.maintenance.users import find_users
from mkdocs_gptimage.report.as_text import prompt_of, shortened_prompt
from mkdocs_gptimage.text import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mkdocs_gptimage.hosts.site import Site
    from mkdocs_gptimage.plan.orphans import Orphan


def offer_to_delete(replaced: Sequence[Orphan], site: Site, config_file: str) -> None:
    """Ask in a terminal whether to delete replaced pictures that nothing else needs; elsewhere name the command.

    Kept are pictures that drafts, other configurations or other branches need, and all of them where that is not known.
    """
    if not replaced:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        common.echo(f"{counted(len(replaced), 'picture')} replaced; 'gptimage prune' lists what is unused", err=True)
        return
    whole = common.read_site_with_drafts(config_file)
    users = find_users(site.settings, [whole.settings.origin])
    if whole.problems or whole.warnings or users.doubt:
        return
    needed = {*whole.needed, *whole.drafts, *users.needed}
    elsewhere = stored_on_other_branches(site.settings.store, site.settings.project)
    unneeded = [each for each in replaced if each.digest not in needed and each.digest not in elsewhere]
    if not unneeded:
        return
    for each in unneeded:
        common.echo(f"replaced: {each.digest.short}  {shortened_prompt(prompt_of(each))}", err=True)
    one, needs = ("it", "it") if len(unneeded) == 1 else (f"these {len(unneeded)}", "them")
    if click.confirm(f"No page, other configuration or other branch needs {needs}. Delete {one}?", err=True):
        for each in unneeded:
            site.store.remove(each.digest)
