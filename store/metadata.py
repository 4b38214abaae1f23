"""The metadata of a dataset's versions, and its form in the table's log."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import Field

from synthmill.schemas.base import Record
from synthmill.schemas.usage import RunCost

PREFIX = "synthmill."


class CommitMetadata(Record):
    """The metadata of a committed batch.

    `checkpoint` is JSON text of the engine (position, counts): a resumed run continues from the
    checkpoint of its last commit. Every commit carries it, so it should stay within some hundred
    kilobytes.
    """

    run_id: str
    batch: int = Field(ge=0, description="number of the batch within its run, from 0")
    checkpoint: str = "{}"
    state: str | None = Field(
        default=None, description="hash of the feedback states, a file in the dataset's `state/`"
    )
    recipe_hash: str = ""
    recipe: str | None = Field(default=None, description="the recipe as JSON text")
    generator: str = ""
    models: dict[str, str] = Field(default={}, description="model of each role")
    counts: dict[str, int] = Field(default={}, description="accepted, rejected, failed ...")
    cost: RunCost | None = Field(default=None, description="of the run up to this commit")
    blocked: int = Field(default=0, description="rows dropped because their source was deleted")
    code_version: str = ""


class Version(Record):
    """One entry of a dataset's log.

    `operation` is `create`, `commit`, `block` (a source was put on the blocklist), `delete` (its
    rows were deleted), `merge`, `refilter`, `compact`, or the name another writer gave. Rows added
    and removed count both statuses; a compaction rewrites rows without changing them, so it counts
    none.
    """

    version: int
    committed_at: datetime
    operation: str
    commit: CommitMetadata | None = None
    pattern: str | None = Field(
        default=None, description="source of a `block`, datasets of a `merge` ..."
    )
    columns: str | None = Field(default=None, description="hash of the columns, where it set them")
    rows_added: dict[str, int] = Field(default={}, description="by status")
    rows_removed: dict[str, int] = Field(default={}, description="by status")


def encode(operation: str, values: Mapping[str, Any]) -> dict[str, str]:
    """Log entries for `values`: text stays text, anything else becomes JSON."""
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in values.items()}
    return {f"{PREFIX}{key}": text for key, text in {"operation": operation, **texts}.items()}


def decode_commit(entry: Mapping[str, Any]) -> CommitMetadata | None:
    """The commit's metadata in a log entry, or None if it is not the commit of a batch.

    Unknown keys (of a newer program) are left out.
    """
    if entry.get(f"{PREFIX}operation") != "commit":
        return None
    values: dict[str, Any] = {}
    for name, field in CommitMetadata.model_fields.items():
        text = entry.get(PREFIX + name)
        if text is not None:
            is_text = field.annotation in (str, str | None)
            values[name] = text if is_text else json.loads(text)
    return CommitMetadata.model_validate(values)
