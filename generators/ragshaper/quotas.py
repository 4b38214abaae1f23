"""Shares of distractor types among the trajectories that handled one, so that none swamps the rest.

The paper reports its mix (60 % fragmented puzzles) and sets no quota: all of this is ours.
"""

from collections import Counter
from collections.abc import Iterable

from synthmill.generators.ragshaper.records import TrajectoryDetail
from synthmill.generators.ragshaper.taxonomy import KINDS, Kind
from synthmill.schemas.base import Record
from synthmill.schemas.row import Row


class Quotas(Record):
    """Handled trajectories by type, so far."""

    handled: dict[Kind, int] = {}

    def favoured(self) -> tuple[Kind, ...]:
        """The types, from the one most lacking; equals keep the order of the taxonomy."""
        return tuple(sorted(KINDS, key=lambda kind: self.handled.get(kind, 0)))

    def full(self, kind: Kind, max_share: float, since: int) -> bool:
        """Whether one more of a type would exceed its share, once there are `since` at all.

        The rarest of the types met is never full: with one or two of them shares cannot be kept.
        """
        total, own = sum(self.handled.values()), self.handled.get(kind, 0)
        rarest = min((count for count in self.handled.values() if count), default=0)
        return total >= since and (own + 1) / (total + 1) > max_share and own > rarest

    def with_one(self, kind: Kind) -> "Quotas":
        """With one more of a type."""
        return Quotas(handled={**self.handled, kind: self.handled.get(kind, 0) + 1})

    def after(self, rows: Iterable[Row]) -> "Quotas":
        """With the accepted trajectories among the rows."""
        counts: Counter[Kind] = Counter(self.handled)
        for row in rows:
            if row.kind == "trajectory" and row.status == "accepted":
                detail = TrajectoryDetail.model_validate_json(row.detail)
                if detail.outcome == "handled" and detail.primary_kind:
                    counts[detail.primary_kind] += 1
        return Quotas(handled=dict(counts))
