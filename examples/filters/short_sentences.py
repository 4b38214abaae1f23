"""A filter as a class: are the sentences short enough to read aloud?

A recipe in this folder names it by its file and class:

    filters:
      - name: ./short_sentences.py:ShortSentences
        settings: {max_words: 20}

A package can offer it by name instead; see `pyproject_example.toml`.
"""

import re

from pydantic import Field

from synthmill.filters.base import Verifier
from synthmill.filters.text import responses
from synthmill.schemas.base import Settings
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict


class ShortSentencesSettings(Settings):
    """The longest sentence that passes."""

    max_words: int = Field(default=25, ge=1, description="words of the longest sentence")


class ShortSentences(Verifier):
    """Fails a response with a sentence or line of more than `max_words` words."""

    name = "short_sentences"
    Settings = ShortSentencesSettings
    settings: ShortSentencesSettings

    def judge(self, candidate: Candidate) -> Verdict:
        """Pass or fail; skipped where there is no response."""
        found = responses(candidate)
        if not found:
            return self.verdict("skipped", "no response")
        text = " ".join(response.content for response in found)
        longest = max(len(sentence.split()) for sentence in re.split(r"[.!?]+\s|\n", text))
        if longest > self.settings.max_words:
            return self.verdict("fail", "sentence too long", score=longest)
        return self.verdict("pass", score=longest)
