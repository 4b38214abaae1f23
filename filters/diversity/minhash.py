"""Is there an accepted row with nearly the same text?"""

import string
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
from pydantic import Field, model_validator

from synthmill.filters.base import DiversityFilter
from synthmill.filters.minhash_index import MinHashIndex, Signatures
from synthmill.filters.text import TextField, text_of
from synthmill.schemas.base import Settings
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict

if TYPE_CHECKING:
    import pyarrow as pa

SEED = 42
SHINGLES_VERSION = 1
# Signs that mean something in formulas and code stay part of a word; other ASCII signs separate.
_WORD_SIGNS = "_+-*/=<>^%\\$&|~#@"
_SEPARATORS = "".join(set(string.punctuation) - set(_WORD_SIGNS)) + string.whitespace
_TABLE = bytes.maketrans(_SEPARATORS.encode(), b" " * len(_SEPARATORS))


class MinhashSettings(Settings):
    """Parameters of the sketch, and the similarity from which a row is a duplicate."""

    threshold: float = Field(
        default=0.76, gt=0, le=1, description="estimated Jaccard similarity from which a row fails"
    )
    of: TextField = Field(default="all", description="all, question or response")
    across_kinds: bool = Field(default=False, description="rows of other kinds count as well")
    shingle_words: int = Field(default=3, ge=1, le=16, description="words in a shingle (ours)")
    num_perm: int = Field(default=128, ge=16, le=1024, description="numbers in a signature")
    num_bands: int = Field(
        default=32, ge=1, description="more find more; rensa's own default misses a fifth"
    )

    @model_validator(mode="after")
    def _bands_divide(self) -> "MinhashSettings":
        if self.num_perm % self.num_bands:
            raise ValueError(
                f"num_bands {self.num_bands} must divide num_perm {self.num_perm} without remainder"
            )
        return self


class Minhash(DiversityFilter):
    """Finds near-duplicates by MinHash: Jaccard similarity of word shingles, estimated.

    The whole conversation is compared, or its question or responses alone. Signatures are rensa's
    R-MinHash; the estimate's standard error is at most .044 (128 permutations), so pairs close to
    the threshold fall on either side. The verdict names the most similar row and the estimate.
    Rows of other kinds do not count by default: one problem may give `sft` and `preference`.

    Not found: the same meaning in other words. Texts of a few words have few shingles, and a single
    changed word makes them dissimilar; use `exact_content` for those.

    Memory: about 0.9 kB a row, so a million rows fit in a gigabyte.
    """

    name = "minhash"
    Settings = MinhashSettings
    settings: MinhashSettings

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self._row_ids: list[str] = []
        self._known = MinHashIndex(self.settings.num_perm, self.settings.num_bands)
        self._last: tuple[tuple[str, str], Signatures | None] = (("", ""), None)

    @property
    def parameters(self) -> dict[str, Any]:
        """All settings but the threshold, and the versions of shingles and sketch."""
        from rensa import RMinHash

        return {
            **{key: value for key, value in super().parameters.items() if key != "threshold"},
            "shingles": SHINGLES_VERSION,
            "rensa_algorithm": RMinHash.ALGORITHM_VERSION,
            "seed": SEED,
        }

    def judge(self, candidate: Candidate) -> Verdict:
        """Fail with the most similar row from the threshold on; the score is its similarity."""
        signature = self._signature(candidate)
        if signature is None:
            return self.verdict("skipped", "no text")
        found = self._known.nearest(signature)
        if found is None:
            return self.verdict("pass", score=0.0)
        row, alike = found
        if alike < self.settings.threshold:
            return self.verdict("pass", score=alike)
        detail = f"row {self._row_ids[row]}, similarity {alike:.2f}"
        return self.verdict("fail", "near-duplicate", score=alike, detail=detail)

    def __len__(self) -> int:
        return len(self._row_ids)

    def add(self, row_id: str, candidate: Candidate) -> None:
        """Remember the row's signature."""
        signature = self._signature(candidate)
        if signature is not None:
            self._row_ids.append(row_id)
            self._known.add(signature)

    def to_arrow(self, start: int, stop: int) -> "pa.Table":
        """Columns `row_id` and `signature`."""
        import pyarrow as pa

        # A copy: the array may move when it grows.
        flat = pa.array(self._known.signatures(start, stop).flatten())
        return pa.table(
            {
                "row_id": pa.array(self._row_ids[start:stop], pa.string()),
                "signature": pa.FixedSizeListArray.from_arrays(flat, self.settings.num_perm),
            }
        )

    def from_arrow(self, table: "pa.Table") -> None:
        """Add the rows of a table."""
        for batch in table.to_batches():
            flat = batch.column("signature").flatten().to_numpy(zero_copy_only=True)
            self._row_ids += batch.column("row_id").to_pylist()
            self._known.extend(flat.reshape(-1, self.settings.num_perm))

    def _signature(self, candidate: Candidate) -> Signatures | None:
        salt = "" if self.settings.across_kinds else candidate.kind
        text = text_of(candidate, self.settings.of)
        # An accepted row is judged and then added: its signature was computed last.
        if self._last[0] != (salt, text):
            found = shingles(text, self.settings.shingle_words)
            self._last = (salt, text), self._sketch(found, salt) if found else None
        return self._last[1]

    def _sketch(self, found: list[bytes], salt: str) -> Signatures:
        from rensa import RMinHash

        sketch = RMinHash(self.settings.num_perm, SEED)
        sketch.update(found)
        # With the salt, signatures of different kinds never agree; those of one kind still do.
        return np.array(sketch.digest(), np.uint32) ^ np.uint32(crc32(salt.encode()))


def shingles(text: str, size: int) -> list[bytes]:
    """All runs of `size` words, in order; of a shorter text one run of all its words.

    Letter case and most punctuation do not count; operators do. This is where near-duplicate search
    spends its time: in microseconds for 300 words (`benchmarks/near_duplicates.py --shingles`),
    slices of words joined take 50, word hashes combined in numpy 35, this 31.
    """
    words = text.lower().encode("utf-8", "surrogatepass").translate(_TABLE).split()
    if len(words) <= size:
        return [b" ".join(words)] if words else []
    # All in C: a comprehension over slices takes half as long again.
    return list(map(b" ".join, zip(*(words[start:] for start in range(size)), strict=False)))
