"""Finding similar MinHash signatures among millions, in bounded memory.

Bands of each signature are filed in one chained hash table of 32-bit numbers. Neither keys nor
lists of rows are kept: what a chain brings up is compared by its whole signature anyway. A row
with 128 permutations and 32 bands takes 512 bytes of signature and 192 to 320 bytes of table;
rensa's own LSH takes 2,700 and cannot be saved.
"""

import numpy as np
import numpy.typing as npt

Signatures = npt.NDArray[np.uint32]

# Ours: how far a chain is followed. Chains are this long only where thousands of rows share a
# phrase, and a near-duplicate shares other bands too (10 of 32 at similarity .76).
DEEPEST = 64
# Ours: rows filed at once when many come together, which bounds the memory in passing.
BLOCK = 65_536
_MIX = np.uint64(0x9E3779B97F4A7C15)
_MIX_2 = np.uint64(0xC2B2AE3D27D4EB4F)


class Neighbours:
    """Signatures (rows of `permutations` 32-bit numbers) and a hash table of their bands."""

    def __init__(self, permutations: int, bands: int) -> None:
        self.size = 0
        self._bands = bands
        self._signatures: Signatures = np.zeros((1024, permutations), np.uint32)
        self._bits = 16
        self._heads = np.zeros(1 << self._bits, np.uint32)
        self._next = np.zeros(1024 * bands, np.uint32)
        self._salts = np.arange(1, bands + 1, dtype=np.uint64) * _MIX_2

    def signatures(self, start: int, stop: int) -> Signatures:
        """The signatures of rows `start` to `stop`: a view, void after the next `extend`."""
        return self._signatures[start : min(stop, self.size)]

    def extend(self, signatures: Signatures) -> None:
        """Append rows."""
        first, self.size = self.size, self.size + len(signatures)
        if self.size > len(self._signatures):
            self._grow()
        self._signatures[first : self.size] = signatures
        if self.size * self._bands > 2 * len(self._heads):
            self._rehash()
        else:
            self._file(first, self.size)

    def nearest(self, signature: Signatures) -> tuple[int, float] | None:
        """The most similar row (the first of equals) and its share of equal places.

        None where no row shares a band: rows at similarity .5 are then missed with odds of .13,
        at .76 of 2e-6 (32 bands of 4).
        """
        entries = self._heads[self._buckets(signature[None, :])[0]]
        found = []
        for _ in range(DEEPEST):
            entries = entries[entries != 0]
            if not len(entries):
                break
            found.append(entries)
            entries = self._next[entries - 1]
        if not found:
            return None
        # A set sorts and thins out a few dozen numbers sooner than numpy does.
        rows = sorted({(entry - 1) // self._bands for entry in np.concatenate(found).tolist()})
        equal = (self._signatures[rows] == signature).sum(axis=1)
        best = int(equal.argmax())
        return rows[best], float(equal[best]) / len(signature)

    def _buckets(self, signatures: Signatures) -> npt.NDArray[np.uint64]:
        """The bucket of each band of each row."""
        bands = signatures.reshape(len(signatures), self._bands, -1)
        keys = np.tile(self._salts, (len(bands), 1))
        for place in range(bands.shape[2]):
            keys ^= bands[:, :, place]
            keys *= _MIX
            keys ^= keys >> np.uint64(29)
        return keys >> np.uint64(64 - self._bits)

    def _file(self, first: int, last: int) -> None:
        """Put the bands of rows into the table, block by block."""
        for start in range(first, last, BLOCK):
            stop = min(start + BLOCK, last)
            buckets = self._buckets(self._signatures[start:stop]).ravel()
            entries = np.arange(start * self._bands, stop * self._bands, dtype=np.uint32)
            if stop - start > 1:
                order = np.argsort(buckets, kind="stable")
                buckets, entries = buckets[order], entries[order]
            self._chain(buckets, entries)

    def _chain(self, buckets: npt.NDArray[np.uint64], entries: npt.NDArray[np.uint32]) -> None:
        """Link entries, which lie sorted by bucket, in front of what their buckets hold.

        An entry is written as its number plus one: zero ends a chain.
        """
        before = self._heads[buckets]
        same = buckets[1:] == buckets[:-1]
        before[1:][same] = entries[:-1][same] + 1
        self._next[entries] = before
        self._heads[buckets] = entries + 1  # of equal buckets the last one wins

    def _grow(self) -> None:
        # In place: the system moves pages, so that growing needs no second copy in memory.
        rows = max(self.size, len(self._signatures) * 5 // 4)
        self._signatures.resize((rows, self._signatures.shape[1]), refcheck=False)
        self._next.resize(rows * self._bands, refcheck=False)

    def _rehash(self) -> None:
        while self.size * self._bands > len(self._heads):
            self._bits += 1
            self._heads = np.zeros(1 << self._bits, np.uint32)
        self._file(0, self.size)
