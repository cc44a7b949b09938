"""The data of a card, which the pages of a development server show in place of a missing picture.

`cards.js` draws it and writes its sentences; what the service said of a failed request comes with the state of the job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.plan.states import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mkdocs_gptimage.plan.plan import Row
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.spec.digest import Digest


def card(
    row: Row, *, rows: Mapping[Digest, Row], settings: Settings, environment: Mapping[str, str], token: str
) -> dict[str, Any]:
    """Return what the script needs to draw a picture's card and to offer to make the picture.

    `rows` are all of the plan, by digest: what the picture is drawn from may have to be made and paid for, too.
    """
    spec = row.picture.spec
    needed = [rows[digest] for digest in row.picture.lineage]
    return {
        "token": token,
        "lacks": "" if settings.has_key(environment) else settings.api.key_env,
        "digest": row.digest,
        "state": row.state.value,
        "detail": row.detail,
        "pays": {
            **{each.digest: each.price for each in needed if each.state is State.MISSING},
            row.digest: settings.prices.get(spec.resolution),
        },
        "budget": {"images": settings.budget.images, "usd": settings.budget.usd},
        "ask": f"{spec.size or 'like its reference'} · {spec.resolution}",
        "prompt": spec.prompt,
    }
