"""Where a run stands: what every commit carries, so that a resumed run goes on from it."""

from datetime import datetime

from pydantic import BaseModel

from synthmill.pipelines.tally import Tally
from synthmill.schemas.usage import PromptUsage


class Cursor(BaseModel):
    """The position in the stream of candidates, and the counts up to it.

    `tasks` are done since the start of the round and `within` candidates of the next task are
    settled too; `state` is the generator's, as its last `observe` returned it, and `failures` are
    this round's for it to observe.
    """

    round: int = 0
    tasks: int = 0
    within: int = 0
    state: str | None = None
    failures: dict[str, str] = {}
    tally: Tally = Tally()
    usage: dict[str, PromptUsage] = {}
    seconds: float = 0.0
    started_at: datetime | None = None

    def next_round(self, state: str | None) -> None:
        """Move to the start of the next round."""
        self.round += 1
        self.tasks = 0
        self.within = 0
        self.state = state
        self.failures = {}
