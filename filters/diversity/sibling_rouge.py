"""Is there an accepted response to the same question in nearly the same words?"""

from bisect import bisect_right
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

from pydantic import Field

from synthmill.filters.base import DiversityFilter
from synthmill.filters.rouge import rouge_l_tokens
from synthmill.filters.text import normalize_text, question, responses, tokens
from synthmill.schemas.base import Settings
from synthmill.schemas.identity import sha256_text
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict

if TYPE_CHECKING:
    import pyarrow as pa

# Ours: rows whose texts are kept in memory before they are written to a file.
PACKED = 4096


class SiblingRougeSettings(Settings):
    """When two responses are too similar."""

    threshold: float = Field(
        default=0.7, gt=0, le=1, description="ROUGE-L F1 above it fails (arXiv 2604.14768, 4.1)"
    )


class SiblingRouge(DiversityFilter):
    """Compares a response with those of its siblings: accepted rows of one kind and question.

    Siblings are found by the question itself (normal form of all user turns), so in every earlier
    version and from every task. CoTEvol keeps one of two traces whose
    ROUGE-L exceeds 0.7. Two preferences are alike where both sides are: pairs may share one side.
    The score is the greatest similarity. Rows without a response or a question are skipped.

    Not compared: answers to other questions (`minhash`). ROUGE-L is exact, not estimated.

    Memory: about 300 bytes a row; texts are in memory-mapped files.
    """

    name = "sibling_rouge"
    Settings = SiblingRougeSettings
    settings: SiblingRougeSettings

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self._positions: dict[int, list[int]] = {}
        self._packed: list[pa.Table] = []
        self._starts: list[int] = []  # position of the first row of each packed table
        self._recent: list[tuple[str, int, list[str]]] = []
        self._size = 0

    @property
    def parameters(self) -> dict[str, Any]:
        """The version of the normal form; only `judge` reads the threshold."""
        return {"normal_form": 1}

    def judge(self, candidate: Candidate) -> Verdict:
        """Fail with the most similar sibling above the threshold."""
        sides, key = _sides(candidate), _key(candidate)
        if key is None or not sides:
            return self.verdict("skipped", "no response to a question")
        own = [tokens(side) for side in sides]
        best, match = 0.0, ""
        for position in self._positions.get(key, ()):
            row_id, others = self._row(position)
            alike = _similarity(own, [tokens(other) for other in others], best)
            if alike > best:
                best, match = alike, row_id
        if best > self.settings.threshold:
            detail = f"row {match}, ROUGE-L {best:.3f}"
            return self.verdict("fail", "too similar to a sibling", score=best, detail=detail)
        return self.verdict("pass", score=best)

    def __len__(self) -> int:
        return self._size

    def add(self, row_id: str, candidate: Candidate) -> None:
        """Remember the responses under their question."""
        sides, key = _sides(candidate), _key(candidate)
        if key is None or not sides:
            return
        self._positions.setdefault(key, []).append(self._size)
        self._recent.append((row_id, key, sides))
        self._size += 1
        if len(self._recent) >= PACKED:
            self._pack_recent()

    def to_arrow(self, start: int, stop: int) -> "pa.Table":
        """Columns `row_id`, `question` (hash) and `responses`."""
        import pyarrow as pa

        self._pack_recent()
        parts = [_table([])]
        for first, table in zip(self._starts, self._packed, strict=True):
            begin, end = max(start - first, 0), min(stop - first, table.num_rows)
            if begin < end:
                parts.append(table.slice(begin, end - begin))
        return pa.concat_tables(parts)

    def from_arrow(self, table: "pa.Table") -> None:
        """Add the rows of a table; their texts stay in it."""
        self._pack_recent()
        for position, key in enumerate(table.column("question").to_pylist(), self._size):
            self._positions.setdefault(key, []).append(position)
        self._starts.append(self._size)
        self._packed.append(table)
        self._size += table.num_rows

    def _pack_recent(self) -> None:
        if self._recent:
            self._starts.append(self._size - len(self._recent))
            self._packed.append(_spilled(_table(self._recent)))
            self._recent = []

    def _row(self, position: int) -> tuple[str, list[str]]:
        recent = position - (self._size - len(self._recent))
        if recent >= 0:
            row_id, _, sides = self._recent[recent]
            return row_id, sides
        number = bisect_right(self._starts, position) - 1
        row = self._packed[number].slice(position - self._starts[number], 1).to_pylist()[0]
        return row["row_id"], row["responses"]


def _key(candidate: Candidate) -> int | None:
    """64 bits of the hash of kind and question; None without a question."""
    asked = normalize_text(question(candidate))
    return int(sha256_text(f"{candidate.kind}\0{asked}")[:16], 16) >> 1 if asked else None


def _sides(candidate: Candidate) -> list[str]:
    return [response.trace for response in responses(candidate)]


def _similarity(own: list[list[str]], others: list[list[str]], at_least: float) -> float:
    """The least ROUGE-L of the aligned sides, or 0 where it is below `at_least`."""
    pairs = zip(own, others, strict=True)
    return min(rouge_l_tokens(left, right, at_least) for left, right in pairs)


def _table(rows: list[tuple[str, int, list[str]]]) -> "pa.Table":
    import pyarrow as pa

    return pa.table(
        {
            "row_id": pa.array([row_id for row_id, _, _ in rows], pa.string()),
            "question": pa.array([key for _, key, _ in rows], pa.int64()),
            "responses": pa.array([sides for _, _, sides in rows], pa.list_(pa.large_string())),
        }
    )


def _spilled(table: "pa.Table") -> "pa.Table":
    """The same table, mapped from a nameless temporary file; in memory where the disk refuses."""
    import pyarrow as pa

    try:
        with NamedTemporaryFile(prefix="synthmill-siblings-") as file:
            with pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table)
            file.flush()
            return pa.ipc.open_file(pa.memory_map(file.name)).read_all()
    except OSError:
        return table
