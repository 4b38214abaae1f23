"""A verifier of your own, in one file: are the sentences short enough to read aloud?

Name it in a recipe by its place, from anywhere Python finds it:

    filters:
      - name: examples.short_sentences:ShortSentences
        settings: {max_words: 20}

A package can offer it by name instead; see `short_sentences_pyproject.toml`.
"""

import re

from pydantic import Field

from synthmill.filters.base import Verifier
from synthmill.filters.text import responses
from synthmill.schemas.base import Settings
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict


class ShortSentencesSettings(Settings):
    """What counts as short."""

    max_words: int = Field(default=25, ge=1, description="words of the longest sentence")


class ShortSentences(Verifier):
    """Fails a response with a sentence of more than `max_words` words; the score is the longest."""

    name = "short_sentences"
    Settings = ShortSentencesSettings
    settings: ShortSentencesSettings

    def judge(self, candidate: Candidate) -> Verdict:
        """Pass or fail; skipped where nobody says anything."""
        found = responses(candidate)
        if not found:
            return self.verdict("skipped", "no response")
        text = " ".join(response.content for response in found)
        longest = max(len(sentence.split()) for sentence in re.split(r"[.!?]+", text))
        if longest > self.settings.max_words:
            return self.verdict("fail", "sentence too long", score=longest)
        return self.verdict("pass", score=longest)
