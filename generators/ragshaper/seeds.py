"""Which passages trees grow from, and in which order."""

import re
from collections.abc import Sequence

from synthmill.generators.ragshaper.settings import SeedSettings
from synthmill.schemas.errors import InputError
from synthmill.schemas.identity import keyed_seed
from synthmill.sources.documents.corpus import Corpus


def seed_order(corpus: Corpus, settings: SeedSettings) -> Sequence[int]:
    """Positions of the seeds: those that match, shuffled by a hash of their place, cut at `limit`.

    Raises:
        InputError: the pattern is none, or no passage matches.
    """
    positions = range(len(corpus)) if settings.match is None else _matching(corpus, settings.match)
    shuffled = sorted(positions, key=lambda at: keyed_seed("seeds", settings.seed, at))
    return shuffled[: settings.limit]


def _matching(corpus: Corpus, pattern: str) -> list[int]:
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise InputError(f"generator.settings: 'seeds.match' is no pattern: {error}") from error
    found = [position for position, text in enumerate(corpus.texts()) if wanted.search(text)]
    if not found:
        raise InputError(f"generator.settings: no passage matches 'seeds.match' {pattern!r}")
    return found
