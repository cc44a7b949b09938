"""Reads what is in flight for a site: the journals of its store and of others, and what an earlier version left.

Configurations that share a cache shared the earlier journal, whatever their stores: a submission in it that a site does
not know is left to the configuration that does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mkdocs_gptimage.configurations import find_configurations
from mkdocs_gptimage.journal.journal import read_submissions
from mkdocs_gptimage.journal.lease import is_held
from mkdocs_gptimage.journal.snapshot import JournalSnapshot
from mkdocs_gptimage.plan.orphans import parse_candidate
from mkdocs_gptimage.plan.other_stores import read_other_stores
from mkdocs_gptimage.settings import EMULATOR

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mkdocs_gptimage.journal.submission import Submission
    from mkdocs_gptimage.plan.other_stores import FoundSubmission
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.spec.digest import Digest


def read_in_flight(settings: Settings, digests: Collection[Digest]) -> JournalSnapshot:
    """Return what is in flight for a site that asks for these digests, without changing anything.

    Raises `ConfigurationError`.
    """
    submissions = read_submissions(settings.journal)
    earlier = read_earlier(settings, digests)
    others = read_others(settings, digests)
    homes = {**dict.fromkeys(earlier, settings.cache), **dict.fromkeys(submissions, settings.journal)}
    alive = {each.run for digest, each in {**earlier, **submissions}.items() if is_held(homes[digest], each.run)}
    # A task can be collected by several runs; one that is about to be submitted elsewhere is waited for.
    alive.update(each.submission.run for each in others.values() if each.is_pending)
    elsewhere = {digest: each.submission for digest, each in others.items()}
    active: dict[Digest, Submission] = {}
    for found in (elsewhere, earlier, submissions):
        # The built-in emulator forgets its tasks when a build ends, and nothing was paid for them.
        active.update((key, each) for key, each in found.items() if each.base_url != EMULATOR or each.run in alive)
    return JournalSnapshot(active, frozenset(alive))


def read_others(settings: Settings, digests: Collection[Digest]) -> Mapping[Digest, FoundSubmission]:
    """Return what other stores have in flight for a site that asks for these digests; raise `ConfigurationError`."""
    return read_other_stores(settings, lambda submission: _asks_for(digests, submission))


def read_earlier(settings: Settings, digests: Collection[Digest]) -> Mapping[Digest, Submission]:
    """Return the submissions of an earlier version's journal that belong to the store of this site."""
    if not settings.has_earlier_journal:
        return {}
    submissions = read_submissions(settings.cache)
    known = {digest: each for digest, each in submissions.items() if _asks_for(digests, each)}
    return known if len(known) == len(submissions) or shares_cache(settings) else submissions


def _asks_for(digests: Collection[Digest], submission: Submission) -> bool:
    candidate = parse_candidate(submission.request)
    return submission.digest in digests or (candidate is not None and candidate[1] in digests)


def shares_cache(settings: Settings) -> bool:
    """Whether another configuration uses the same cache folder with a store of its own, or one may."""
    cache, store = settings.cache.resolve(), settings.store.resolve()
    found = find_configurations(settings.project, store)
    return bool(found.unreadable) or any(site.cache == cache and site.store != store for site in found.sites)
