"""The similarity threshold tau, found for the encoder at hand.

The paper's tau = 0.8 belongs to E5, whose cosines lie between about 0.7 and 1.0 by construction:
there it cuts off what is no more alike than any two texts. Here tau is set to do the same for any
encoder: a high quantile of the similarity between passages that have nothing to do with each other
(the opening of one against the whole of another, drawn at random). The quantile is ours.
"""

from random import Random

import numpy as np
from pydantic import Field

from synthmill.generators.retrieval.base import Retriever
from synthmill.runtime.files import atomic_write
from synthmill.schemas.base import Record, Settings
from synthmill.schemas.identity import keyed_seed, sha256_text
from synthmill.sources.documents.corpus import Corpus, titled

QUERY_CHARS = 120  # of a passage's opening, about as long as a question


class CalibrationSettings(Settings):
    """How the threshold is found."""

    tau: float | None = Field(
        default=None, description="a fixed threshold instead (the paper's: 0.8, for E5)"
    )
    quantile: float = Field(
        default=0.95, gt=0, lt=1, description="share of unrelated pairs that fall below tau"
    )
    pairs: int = Field(default=400, ge=20, description="unrelated pairs that are drawn")
    seed: int = 0


class Calibration(Record):
    """The threshold, and what it was found from."""

    encoder: str
    corpus: str
    tau: float
    quantile: float | None = None
    pairs: int = 0
    unrelated_median: float | None = None
    unrelated_max: float | None = None


async def calibrate(
    corpus: Corpus, retriever: Retriever, settings: CalibrationSettings
) -> Calibration:
    """The threshold of a retriever over a corpus; found once, then read from the corpus folder."""
    if settings.tau is not None:
        return Calibration(encoder=retriever.label, corpus=corpus.version, tau=settings.tau)
    name = sha256_text(retriever.label + settings.model_dump_json())[:12]
    path = corpus.folder / f"calibration-{name}.json"
    if path.exists():
        return Calibration.model_validate_json(path.read_text(encoding="utf-8"))
    found = await _measured(corpus, retriever, settings)
    atomic_write(path, found.model_dump_json(indent=1))
    return found


async def _measured(
    corpus: Corpus, retriever: Retriever, settings: CalibrationSettings
) -> Calibration:
    rng = Random(keyed_seed("calibration", settings.seed))
    scores: list[float] = []
    for _ in range(settings.pairs):
        one, other = corpus[rng.randrange(len(corpus))], corpus[rng.randrange(len(corpus))]
        if one.document != other.document:
            query = one.text[:QUERY_CHARS]
            scores += await retriever.similarity(query, [titled(other.title, other.text)])
    return Calibration(
        encoder=retriever.label,
        corpus=corpus.version,
        # A corpus of one document has no unrelated pairs, and nothing to cut off.
        tau=round(float(np.quantile(scores, settings.quantile)), 6) if scores else 0.0,
        quantile=settings.quantile,
        pairs=len(scores),
        unrelated_median=round(float(np.median(scores)), 6) if scores else None,
        unrelated_max=round(max(scores), 6) if scores else None,
    )
