"""What the columns of a row hold, in one line each."""

import pyarrow as pa

from synthmill.store.catalog_schema import SQL_TYPES
from synthmill.store.dataset import Dataset

MEANINGS = {
    "id": "hash of the content: same content, same id",
    "kind": "sft, rlvr, preference, trajectory, annotation or corpus",
    "status": "accepted or rejected",
    "split": "train, test ..., by the hash of task_key",
    "generator": "what made the row, with its version",
    "task_key": "the work item it was made from",
    "messages": "the conversation; content is its text, parts the JSON of images and videos",
    "chosen": "of a preference: the better continuation",
    "rejected": "of a preference: the worse continuation",
    "tools": "tools that the conversation may use, as JSON",
    "answer": "ground truth",
    "reward": "the reward function that scores an answer",
    "reward_args": "its arguments, as JSON",
    "media": "files of the row, below the dataset's folder",
    "pass_rate": "share of right answers when the problem was tried",
    "difficulty": "1 - pass_rate, or the generator's own measure",
    "scores": "further measures by name",
    "verdicts": "what each filter said, in order",
    "sources": "where facts came from, with license",
    "parents": "ids of rows that this one was made from",
    "detail": "the generator's record of how it made the row, as JSON",
    "model": "the model that wrote it",
    "seed": "the seed of its task",
    "prompt_tokens": "tokens read by models for this row",
    "completion_tokens": "tokens written by models for this row",
    "calls": "model calls for this row",
    "run_id": "the run that made it",
    "recipe_hash": "hash of the recipe's settings that decide rows",
    "created_at": "when it was made (UTC)",
}


def columns(dataset: Dataset) -> list[tuple[str, str, str]]:
    """Name, SQL type and meaning of each column; of a structure, its fields' names."""
    schema = pa.schema(dataset.at().schema().to_arrow())
    return [(f.name, _type(f.type), MEANINGS.get(f.name, "")) for f in schema]


def _type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"{_type(kind.value_type)}[]"
    if pa.types.is_struct(kind):
        return f"STRUCT({', '.join(field.name for field in kind)})"
    return SQL_TYPES.get(kind, str(kind).upper())
