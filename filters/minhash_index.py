"""Finding similar MinHash signatures among millions, in bounded memory.

The bands of each signature are entered in one chained hash table of 32-bit numbers. Neither keys
nor lists of rows are kept: every row of a chain is compared by its whole signature anyway. A row
with 128 permutations and 32 bands takes 512 bytes of signature and 192 to 384 bytes of table;
rensa's own LSH takes 2,700 and cannot be saved.
"""

import numpy as np
import numpy.typing as npt

Signatures = npt.NDArray[np.uint32]

# Ours: how many entries of a chain are read. Chains are longer only where thousands of rows share
# a phrase, and a near-duplicate shares other bands too (10 of 32 at similarity .76).
DEEPEST = 64
# Ours: rows entered at once when many are added, which bounds the temporary memory.
BLOCK = 65_536
_HALF = np.uint64(32)


class MinHashIndex:
    """Signatures (rows of `permutations` 32-bit numbers) and a hash table of their bands."""

    def __init__(self, permutations: int, bands: int) -> None:
        self.size = 0
        self._bands = bands
        self._signatures: Signatures = np.zeros((1024, permutations), np.uint32)
        self._bits = 16
        self._heads = np.zeros(1 << self._bits, np.uint32)
        self._next = np.zeros(1024 * bands, np.uint32)
        # One odd number for each place: multiply, add and take the top bits is a universal hash.
        shape = (bands, permutations // bands)
        self._factors = np.random.default_rng(0).integers(0, 2**63, shape, np.uint64) * 2 + 1
        self._last = np.empty(0, np.uint32), np.empty(0, np.uint64)

    def signatures(self, start: int, stop: int) -> Signatures:
        """The signatures of rows `start` to `stop`: a view, void after the next `extend`."""
        return self._signatures[start : min(stop, self.size)]

    def add(self, signature: Signatures) -> None:
        """Append one row."""
        if self.size == len(self._signatures) or self._crowded(self.size + 1):
            self.extend(signature[None, :])
            return
        buckets = self._buckets_of(signature)
        entries = np.arange(self.size * self._bands, (self.size + 1) * self._bands, dtype=np.uint32)
        self._signatures[self.size] = signature
        self._next[entries] = self._heads[buckets]
        self._heads[buckets] = entries + 1
        self.size += 1

    def extend(self, signatures: Signatures) -> None:
        """Append rows."""
        first, self.size = self.size, self.size + len(signatures)
        if self.size > len(self._signatures):
            self._grow()
        self._signatures[first : self.size] = signatures
        if self._crowded(self.size):
            self._rehash()
        else:
            self._file(first, self.size)

    def nearest(self, signature: Signatures) -> tuple[int, float] | None:
        """The most similar row (the first of equals) and its share of equal places.

        None where no row shares a band: rows at similarity .5 are then missed with odds of .13,
        at .76 of 2e-6 (32 bands of 4).
        """
        found = sorted(self._sharing(signature))
        if not found:
            return None
        rows = np.array(found)
        equal = (self._signatures[rows] == signature).sum(axis=1)
        best = int(equal.argmax())
        return found[best], float(equal[best]) / len(signature)

    def _sharing(self, signature: Signatures) -> set[int]:
        """Rows in the buckets of its bands: those that share a band, and a few by chance."""
        # Chains hold one or two entries: a Python loop is faster here than numpy.
        following, bands, rows = self._next.item, self._bands, set()
        for entry in self._heads[self._buckets_of(signature)].tolist():
            depth = 0
            while entry and depth < DEEPEST:
                rows.add((entry - 1) // bands)
                entry = following(entry - 1)
                depth += 1
        return rows

    def _buckets_of(self, signature: Signatures) -> npt.NDArray[np.uint64]:
        """The buckets of one signature; kept, because a row is looked up and then added."""
        if self._last[0] is not signature:
            self._last = signature, self._buckets(signature[None, :])[0]
        return self._last[1]

    def _buckets(self, signatures: Signatures) -> npt.NDArray[np.uint64]:
        """The bucket of each band of each row."""
        bands = signatures.reshape(len(signatures), *self._factors.shape)
        return (bands * self._factors).sum(axis=2) >> np.uint64(64 - self._bits)

    def _crowded(self, size: int) -> bool:
        return size * self._bands > 2 * len(self._heads)

    def _file(self, first: int, last: int) -> None:
        """Enter the bands of rows into the table, block by block."""
        for start in range(first, last, BLOCK):
            stop = min(start + BLOCK, last)
            buckets = self._buckets(self._signatures[start:stop]).ravel()
            entries = np.arange(start * self._bands, stop * self._bands, dtype=np.uint64)
            # Sorting numbers takes half the time of an argsort.
            both = (buckets << _HALF) | entries
            both.sort()
            self._chain(both >> _HALF, both.astype(np.uint32))

    def _chain(self, buckets: npt.NDArray[np.uint64], entries: npt.NDArray[np.uint32]) -> None:
        """Link entries, sorted by bucket, in front of the entries that their buckets hold.

        An entry is written as its number plus one: zero ends a chain.
        """
        before = self._heads[buckets]
        same = buckets[1:] == buckets[:-1]
        before[1:][same] = entries[:-1][same] + 1
        self._next[entries] = before
        self._heads[buckets] = entries + 1  # of equal buckets the last one wins

    def _grow(self) -> None:
        # In place: the system moves pages, so no second copy is made in memory.
        rows = max(self.size, len(self._signatures) * 9 // 8)
        self._signatures.resize((rows, self._signatures.shape[1]), refcheck=False)
        self._next.resize(rows * self._bands, refcheck=False)

    def _rehash(self) -> None:
        while self.size * self._bands > len(self._heads):
            self._bits += 1
            self._last = np.empty(0, np.uint32), np.empty(0, np.uint64)
            self._heads = np.zeros(1 << self._bits, np.uint32)
        self._file(0, self.size)
