"""The budget of a development server for pictures that it makes without being asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mkdocs_gptimage.serve.jobs import SiteBuild
    from mkdocs_gptimage.spec.digest import Digest


class AutomaticBudget:
    """Counts automatic generation across the server's runs: they are short, and each alone has the whole budget."""

    def __init__(self) -> None:
        self._prices: dict[Digest, float] = {}
        """Of what was made without being asked for: USD by digest, 0 where the site sets no price."""
        self.is_used_up = False

    def reserve(self, digests: Iterable[Digest], build: SiteBuild) -> bool:
        """Reserve the price of these pictures; return False, and reserve nothing, where the budget is too small."""
        prices, budget, pictures = build.settings.prices, build.settings.budget, build.catalog.pictures
        total = self._prices | {digest: prices.get(pictures[digest].spec.resolution, 0.0) for digest in digests}
        too_many = budget.images is not None and len(total) > budget.images
        too_expensive = budget.usd is not None and sum(total.values()) > budget.usd
        if too_many or too_expensive:
            self.is_used_up = True
            return False
        self._prices = total
        return True
