"""Is there an accepted row with the same content already?"""

import hashlib
from itertools import islice
from typing import TYPE_CHECKING, Any

from pydantic import Field

from synthmill.filters.base import DiversityFilter
from synthmill.filters.text import TextField, normalize_text, text_of
from synthmill.schemas.base import Settings
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict

if TYPE_CHECKING:
    import pyarrow as pa

DIGEST_BYTES = 16  # 128 bits: no two of a billion rows share one by chance


class ExactContentSettings(Settings):
    """What is compared with what."""

    of: TextField = Field(default="all", description="all, question or response")
    across_kinds: bool = Field(default=False, description="rows of other kinds count as well")


class ExactContent(DiversityFilter):
    """Finds copies: rows whose text is the same but for letter case, Unicode form and spacing.

    The text of the whole candidate is compared, with its answer and its media, or its question or
    response alone. Rows of other kinds do not count by default, for a problem may well appear as
    `sft` and in a `preference`. The verdict names the row matched. Not found: copies with one
    word changed (`minhash`).

    Memory: about 230 bytes a row.
    """

    name = "exact_content"
    Settings = ExactContentSettings
    settings: ExactContentSettings

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self._rows: dict[bytes, str] = {}  # in order of arrival

    @property
    def parameters(self) -> dict[str, Any]:
        """All settings, and the version of the normal form."""
        return {**super().parameters, "normal_form": 1}

    def judge(self, candidate: Candidate) -> Verdict:
        """Fail with the row matched; skipped where there is no text to compare."""
        digest = self._digest(candidate)
        if digest is None:
            return self.verdict("skipped", "no text")
        match = self._rows.get(digest)
        if match is None:
            return self.verdict("pass")
        return self.verdict("fail", "copy of an accepted row", score=1.0, detail=f"row {match}")

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row_id: str, candidate: Candidate) -> None:
        """Remember the row's hash; of copies the first stays."""
        digest = self._digest(candidate)
        if digest is not None:
            self._rows.setdefault(digest, row_id)

    def to_arrow(self, start: int, stop: int) -> "pa.Table":
        """Columns `row_id` and `digest`."""
        import pyarrow as pa

        # From the end: what is asked for came last.
        last = list(islice(reversed(self._rows.items()), len(self) - stop, len(self) - start))
        rows = last[::-1]
        return pa.table(
            {
                "row_id": pa.array([row_id for _, row_id in rows], pa.string()),
                "digest": pa.array([digest for digest, _ in rows], pa.binary(DIGEST_BYTES)),
            }
        )

    def from_arrow(self, table: "pa.Table") -> None:
        """Add the rows of a table."""
        for batch in table.to_batches():
            digests, row_ids = batch.column("digest"), batch.column("row_id")
            self._rows.update(zip(digests.to_pylist(), row_ids.to_pylist(), strict=True))

    def _digest(self, candidate: Candidate) -> bytes | None:
        text = text_of(candidate, self.settings.of)
        if not text.strip() and not candidate.media:
            return None
        parts = ["" if self.settings.across_kinds else candidate.kind, normalize_text(text)]
        if self.settings.of == "all":
            parts += [
                normalize_text(candidate.answer or ""),
                *(media.sha256 for media in candidate.media),
            ]
        joined = "\0".join(parts).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(joined, digest_size=DIGEST_BYTES).digest()
