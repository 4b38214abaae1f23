"""The candidate and the row: one canonical record for every generator and every trainer."""

from datetime import datetime
from typing import Literal

from pydantic import model_validator

from synthmill.schemas.base import Record
from synthmill.schemas.lineage import Media, SourceRef
from synthmill.schemas.messages import Message
from synthmill.schemas.verdict import Verdict

Kind = Literal["sft", "rlvr", "preference", "trajectory", "annotation", "corpus"]
Status = Literal["accepted", "rejected"]


class Score(Record):
    """A named number about a row."""

    name: str
    value: float


class Candidate(Record):
    """One emitted row, not yet judged.

    A generator fills what it knows. `verdicts` may hold judgements of the generator's own checks
    (a `fail` among them rejects the candidate before any filter runs). `detail` is the JSON text
    of the generator's typed record. What the candidate cost (`prompt_tokens`,
    `completion_tokens`, `calls`) is booked by the engine: the tokens its task used since its
    previous candidate, so that sums over rows are true. The files that messages refer to are
    among `media`; a data: URL has no place in a row.
    """

    kind: Kind
    messages: list[Message] = []
    chosen: list[Message] = []
    rejected: list[Message] = []
    tools: str | None = None
    answer: str | None = None
    reward: str | None = None
    reward_args: str | None = None
    media: list[Media] = []
    pass_rate: float | None = None
    difficulty: float | None = None
    scores: list[Score] = []
    verdicts: list[Verdict] = []
    sources: list[SourceRef] = []
    parents: list[str] = []
    detail: str = "{}"
    model: str | None = None
    seed: int | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    calls: int = 0

    @model_validator(mode="after")
    def _media_is_listed(self) -> "Candidate":
        turns = (*self.messages, *self.chosen, *self.rejected)
        if paths := {path for turn in turns for path in turn.media_paths}:
            unlisted = paths - {file.path for file in self.media}
            if unlisted:
                raise ValueError(f"not among the row's media: {min(unlisted)[:80]!r}")
        return self


class Row(Candidate):
    """A judged candidate as it stands in a dataset.

    `id` is the hash of its canonical content (`schemas.identity.content_id`): same content, same
    id. `split` follows from the hash of `task_key`, so near relatives never straddle splits.
    """

    id: str
    generator: str
    task_key: str
    split: str
    status: Status
    run_id: str
    recipe_hash: str
    created_at: datetime
