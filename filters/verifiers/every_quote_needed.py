"""Is there a shortcut: does the answer follow without one of its quotes?"""

from synthmill.filters.base import FilterContext, ModelVerifier
from synthmill.filters.evidence import ReaderSettings, is_answer, read_answer
from synthmill.schemas.evidence import evidence_of
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict


class EveryQuoteNeeded(ModelVerifier):
    """Fails a question of several hops that a reader answers with one of its quotes left out.

    Each quote is left out in turn (with `show: passages`, all quotes of a passage together), up to
    the first shortcut. A quote is needed where the reader of the others gives another answer, or
    none; so run `supported_by_quotes` first. The score is 1 or 0.

    Not checked: shortcuts through documents that are no evidence, or from memory (`closed_book`).
    Rows without evidence or with a single quote are skipped. Ours.
    """

    name = "every_quote_needed"
    Settings = ReaderSettings
    settings: ReaderSettings

    async def judge(self, candidate: Candidate, context: FilterContext) -> Verdict:
        """Pass, or fail with the first quote that is not needed."""
        evidence = evidence_of(candidate)
        if evidence is None:
            return self.verdict("skipped", "no evidence")
        parts = list(dict.fromkeys(self.settings.part_of(q, evidence) for q in evidence.quotes))
        if len(parts) < 2:
            return self.verdict("skipped", "a single quote")
        for number, part in enumerate(parts, 1):
            rest = [q for q in evidence.quotes if self.settings.part_of(q, evidence) != part]
            purpose = f"filter/{self.name}/{number}"
            said = await read_answer(self.settings, evidence, rest, context, purpose)
            if is_answer(said, evidence, self.settings.min_f1):
                detail = f"answered without {part!r}"
                return self.verdict("fail", "a quote is not needed", score=0.0, detail=detail)
        return self.verdict("pass", score=1.0)
