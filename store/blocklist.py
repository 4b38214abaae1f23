"""The blocklist of a dataset: sources whose rows were deleted and are dropped from later commits.

The list is a property of the table. Changing it is a metadata commit, which conflicts with every
append that began earlier: that writer reads the list and tries again. So no row of a blocked source
can be committed at the same time as the deletion.
"""

import itertools
import json
import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from synthmill.schemas.errors import InputError
from synthmill.schemas.lineage import SourceRef, storable
from synthmill.store.table import BLOCKED_PROPERTY


def blocklist(table: DeltaTable) -> dict[str, list[str]]:
    """The blocklist of a table's loaded version: patterns, each with hashes of what it matched.

    The hashes bar the same content under another path or address.
    """
    found: dict[str, list[str]]
    found = json.loads(table.metadata().configuration.get(BLOCKED_PROPERTY) or "{}")
    return found


def blocked_patterns(table: DeltaTable) -> list[str]:
    """The patterns and hashes of the blocklist of a table's loaded version."""
    listed = blocklist(table)
    return list(dict.fromkeys([*listed, *itertools.chain.from_iterable(listed.values())]))


def checked_pattern(pattern: str) -> str:
    """`pattern` itself: a source's URI or SHA-256, where `*` stands for any text.

    Raises:
        InputError: it is empty, would match every source, or is no text that a row can hold.
    """
    if storable(pattern) != pattern:
        raise InputError(f"source {pattern!r:.80} is not UTF-8; rows spell such names out")
    if not pattern.strip("* \t\n"):
        raise InputError(
            f"source {pattern!r} would match every source; give a URI or SHA-256, with * for any "
            "text, such as 'https://bad.example/*'"
        )
    return pattern


def matches(rows: pa.Table | pa.RecordBatch, patterns: Sequence[str]) -> pa.BooleanArray:
    """For each row, whether any of its sources matches any of the patterns."""
    table = pa.table(rows) if isinstance(rows, pa.RecordBatch) else rows
    lists = table.column("sources").combine_chunks()
    sources = pc.list_flatten(lists)
    parents = pc.list_parent_indices(lists)
    regex = f"^(?s:{_any(patterns)})$"
    hit = pc.or_(
        _found(pc.struct_field(sources, "uri"), regex),
        _found(pc.struct_field(sources, "sha256"), regex),
    )
    rows_hit = pc.unique(pc.filter(parents, hit))
    return pc.is_in(pa.array(range(len(table)), parents.type), value_set=rows_hit)


def is_blocked(patterns: Sequence[str], source: SourceRef) -> bool:
    """Whether a source is on the blocklist."""
    listed = re.compile(_any(patterns), re.DOTALL)
    return any(listed.fullmatch(text) for text in (source.uri, source.sha256) if text)


def _any(patterns: Sequence[str]) -> str:
    """A regular expression for the texts that any of the patterns stands for."""
    return "|".join(".*".join(map(re.escape, pattern.split("*"))) for pattern in patterns)


def _found(texts: pa.Array, regex: str) -> pa.Array:
    return pc.fill_null(pc.match_substring_regex(texts, regex), False)
