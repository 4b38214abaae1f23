"""Does the answer follow from the quotes that the row gives for it?"""

from synthmill.filters.base import FilterContext, ModelVerifier
from synthmill.filters.evidence import ReaderSettings, is_answer, misplaced, read_answer
from synthmill.schemas.evidence import evidence_of
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict


class SupportedByQuotes(ModelVerifier):
    """Checks that quotes are where their sources say, and that a reader of them gives the answer.

    By rule: every quote has a place (`source` with offsets), one of the evidence's passages covers
    it and holds the quote there (white space aside), and the quote mentions its `output`. Then a
    reader is shown the quotes alone (or the passages that hold them, with `show: passages`, where
    quotes lean on their context) and must give the answer.

    Not checked: whether every quote is needed (`every_quote_needed`), whether there is a second
    answer (`single_answer`), whether the documents are right. Rows without evidence are skipped.

    Ours, for questions made from documents (RAGShaper, arXiv 2601.08699, checks none of it).
    """

    name = "supported_by_quotes"
    Settings = ReaderSettings
    settings: ReaderSettings

    async def judge(self, candidate: Candidate, context: FilterContext) -> Verdict:
        """Pass, or fail with the first quote that is misplaced or with the reader's answer."""
        evidence = evidence_of(candidate)
        if evidence is None:
            return self.verdict("skipped", "no evidence")
        if not evidence.quotes:
            return self.verdict("fail", "no quotes")
        for number, quote in enumerate(evidence.quotes, 1):
            fault = misplaced(quote, evidence)
            if fault:
                return self.verdict("fail", fault, detail=f"quote {number}: {quote.text!r}")
        said = await read_answer(
            self.settings, evidence, evidence.quotes, context, f"filter/{self.name}"
        )
        if is_answer(said, evidence, self.settings.min_f1):
            return self.verdict("pass", score=1.0)
        return self.verdict("fail", "answer does not follow", score=0.0, detail=f"read: {said!r}")
