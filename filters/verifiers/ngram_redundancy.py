"""Does a trace repeat itself?"""

from collections import Counter

from pydantic import Field

from synthmill.filters.base import Verifier
from synthmill.filters.text import responses
from synthmill.schemas.base import Settings
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict


class NgramRedundancySettings(Settings):
    """How much repetition fails; the defaults are those of LIE's training script."""

    n: int = Field(default=10, ge=1, description="words of a run (LIE, arXiv 2602.11748: 10)")
    repeats: int = Field(
        default=10, ge=2, description="how often one run may not occur (LIE: 10; its code: 6)"
    )
    min_distinct: float | None = Field(
        default=None, ge=0, le=1, description="least share of distinct runs (LIE only reports it)"
    )


class NgramRedundancy(Verifier):
    """Runs of `n` words that recur within one trace (LIE's redundancy term).

    Words are split at spaces and underscores, as LIE does. Fails where any run occurs `repeats`
    times. The score is the share of distinct runs, 1 where none repeats. Traces
    shorter than `n` words pass.

    Not found: repetition in other words (LIE's semantic version needs an encoder). Rows without
    a response are skipped; of a preference the chosen side is read, since repetition may be the
    reason why the other is rejected.
    """

    name = "ngram_redundancy"
    Settings = NgramRedundancySettings
    settings: NgramRedundancySettings

    def judge(self, candidate: Candidate) -> Verdict:
        """Pass, or fail with the most frequent run."""
        traces = [r.trace for r in responses(candidate) if r.label != "rejected"]
        if not traces:
            return self.verdict("skipped", "no response")
        runs = Counter(run for trace in traces for run in _runs(trace, self.settings.n))
        if not runs:
            return self.verdict("pass", score=1.0)
        distinct = len(runs) / runs.total()
        run, count = runs.most_common(1)[0]
        if count >= self.settings.repeats:
            detail = f"{count} times: {' '.join(run)[:200]}"
            return self.verdict("fail", "trace repeats itself", score=distinct, detail=detail)
        if self.settings.min_distinct is not None and distinct < self.settings.min_distinct:
            return self.verdict("fail", "too few distinct runs of words", score=distinct)
        return self.verdict("pass", score=distinct)


def _runs(trace: str, n: int) -> list[tuple[str, ...]]:
    words = trace.replace("_", " ").split()
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
