"""Is the candidate neither too short nor too long?"""

from pydantic import Field

from synthmill.filters.base import Verifier
from synthmill.filters.text import Response, question, responses
from synthmill.schemas.base import Settings
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict


class LengthSettings(Settings):
    """Bounds; None is no bound. The defaults are ours: everything but an empty text passes."""

    min_characters: int | None = Field(default=1, ge=0, description="of each response")
    max_characters: int | None = Field(default=None, ge=0, description="of each response")
    min_words: int | None = Field(default=1, ge=0, description="of each response")
    max_words: int | None = Field(default=None, ge=0, description="of each response")
    min_messages: int | None = Field(default=None, ge=0, description="turns of the conversation")
    max_messages: int | None = Field(default=None, ge=0, description="turns of the conversation")


class Length(Verifier):
    """Bounds on characters, words and messages.

    Characters and words are those of each response (both sides of a preference), reasoning
    included; of rows that have no response, those of the question. Words are separated by
    white space. Tokens are not counted: they depend on a model. The score is the characters of the
    longest text.
    """

    name = "length"
    Settings = LengthSettings
    settings: LengthSettings

    def judge(self, candidate: Candidate) -> Verdict:
        """Pass, or fail with the first bound that is broken."""
        texts = responses(candidate) or [Response("question", question(candidate))]
        score = float(max(len(text.trace) for text in texts))
        counts = [("messages", len(candidate.messages), "")]
        for text in texts:
            counts.append(("characters", len(text.trace), text.label))
            counts.append(("words", len(text.trace.split()), text.label))
        for unit, count, label in counts:
            low = getattr(self.settings, f"min_{unit}")
            high = getattr(self.settings, f"max_{unit}")
            if low is not None and count < low:
                detail = f"{label} {count} < {low}".strip()
                return self.verdict("fail", f"too few {unit}", score=score, detail=detail)
            if high is not None and count > high:
                detail = f"{label} {count} > {high}".strip()
                return self.verdict("fail", f"too many {unit}", score=score, detail=detail)
        return self.verdict("pass", score=score)
