"""Was the trace written with the answer at hand, or does the question give the answer away?"""

import re

from pydantic import Field

from synthmill.filters.answer_derivation import first_claim, first_result
from synthmill.filters.base import Verifier
from synthmill.filters.text import responses
from synthmill.rewards.math_answers import equal_by_rule, stated_answer
from synthmill.rewards.squad import mentions
from synthmill.schemas.base import Settings
from synthmill.schemas.evidence import Evidence, evidence_of
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict

_OPTIONS = r"(?!\s+(?:choice|option|format|type|box|sheet|set|space)s?\b)"
_KIND = r"(?:final |correct |numeric(?:al)? |right )?"
# Ways in which traces mention an answer that they were given. Collected by us from the case study
# and the prompts of CoTEvol (arXiv 2604.14768) and from rationalized traces; English only.
PHRASES = (
    rf"(?:ground[- ]truth|reference|gold(?:en)?(?:[- ]standard)?|provided|supplied|pre-?given)"
    rf" {_KIND}(?:answer|solution|result|value)s?\b{_OPTIONS}",
    r"(?:expected|known|target|official|intended|desired|stated|claimed) "
    rf"{_KIND}answers?\b{_OPTIONS}",
    r"(?:official|intended|model) solution\b",
    rf"\bgiven {_KIND}(?:answer|solution)s?\b{_OPTIONS}",
    rf"\bgiven (?:that )?the {_KIND}(?:answer|solution)\b{_OPTIONS}",
    r"(?:answer|solution) (?:given|provided|supplied) "
    r"(?:is|was|to us|here|in the (?:problem|prompt|question))\b",
    r"(?:answer|solution) (?:that |which )?(?:is|was|were|has been|we (?:are|were)|i (?:am|was)) "
    r"(?:already )?(?:given|provided|supplied|told|known)\b",
    r"\b(?:we|i)(?:['\u2019]?(?:re|m|ve)| are| am| were| was| have)?(?: been)?(?: already)? "
    r"(?:told|given|informed|provided|already know|already knew)(?: that| with| of)? "
    rf"(?:the|what the) {_KIND}answer\b{_OPTIONS}",
    r"(?:match(?:es|ed|ing)?|agree(?:s|ing)? with|consistent with|confirm(?:s|ed|ing)?|same as) "
    r"the (?:given|correct|right|true|actual|expected|known|required) (?:answer|solution)\b",
    r"(?:match(?:es|ed|ing)?|agree(?:s|ing)? with|consistent with) the answer\b"
    r"(?! (?:choice|option|above|we|i|from|found|obtained|in step|computed))",
    rf"(?:since|because|as|knowing(?: that)?|given that) the {_KIND}(?:answer|result) "
    r"(?:is|equals|must be|should be|has to be)(?: equal to)? ?[$\\(]*(?:boxed\{)?-?\d",
    r"(?:reach|get|obtain|match|justify|arrive at|lead(?:s|ing)? to|support) the (?:given|correct|"
    r"required|known|right|stated|expected|desired) (?:final )?answer\b",
    r"work(?:ing|ed|s)? back(?:wards?)? from the (?:\w+ )?(?:answer|solution)\b",
    r"answer key\b",
    r"according to the (?:\w+ )?(?:answer|solution)\b" + _OPTIONS,
    r"as (?:given|stated|provided|shown) in the (?:\w+ )?(?:answer|solution)\b",
)
_LEAK = re.compile("|".join(f"(?:{phrase})" for phrase in PHRASES), re.I)
# Every phrase holds one of these, so that long traces are read closely only around them.
_NOUN = re.compile(r"answer|solution|result|value", re.I)
REACH = 80  # characters: longer than any phrase is on either side of its noun
_STATES = re.compile(
    rf"\b{_KIND}(?:answer|solution)(?: key)?(?: to (?:this|the) \w+)?\s*"
    r"(?:is|:|=|equals|should be|must be)\s*[:=]?\s*",
    re.I,
)
_STATED_UP_TO = re.compile(r"[.;,](?=\s|\Z)|\n|\Z")


class AnswerLeakSettings(Settings):
    """Which of the checks are made."""

    phrases: bool = Field(default=True, description="look for mentions of a given answer")
    extra: tuple[str, ...] = Field(default=(), description="further phrases to look for")
    derivation: bool = Field(default=True, description="a step must derive the answer")
    question: bool = Field(default=True, description="the question must not state the answer")
    evidence: bool = Field(
        default=True,
        description="where the row has evidence, its question must not mention the answer at all",
    )


class AnswerLeak(Verifier):
    """Traces that rationalize an answer they were given, and questions that contain their answer.

    The reason says which: "trace speaks of a given answer" (phrases, English); "answer without
    derivation" (no step has the final value as its result, and it is not computed where it is
    boxed); "answer stated before its derivation"; "question states the answer"; and, for rows
    with evidence, "question mentions the answer" or "question mentions a step's value" (the
    `output` of a quote). Models that were never shown the answer also write such traces; these are
    as useless for training, so they fail as well.

    Not checked: whether the derivation is right or honest. For answers that are words or letters,
    only that something precedes them; for formulas, that they or any equation occur. Rows with
    only a question and an answer get the checks of the question; of a preference the chosen side
    is read. Source: ours, after CoTEvol's case study (arXiv 2604.14768); a question that contains
    its answer is also refused by RAGShaper's released code.
    """

    name = "answer_leak"
    version = 2
    Settings = AnswerLeakSettings
    settings: AnswerLeakSettings

    def judge(self, candidate: Candidate) -> Verdict:
        """Pass, or fail with the first leak found."""
        asked = "\n".join(m.text for m in candidate.messages if m.role in ASKING)
        traces = [r for r in responses(candidate) if r.label != "rejected"]
        if not traces and not (asked and candidate.answer):
            return self.verdict("skipped", "neither trace nor question with answer")
        if self.settings.question and candidate.answer:
            stated = _states(asked, candidate.answer)
            if stated:
                return self.verdict("fail", "question states the answer", detail=stated)
        evidence = evidence_of(candidate) if self.settings.evidence else None
        mentioned = _mentioned(evidence) if evidence else None
        if mentioned:
            return self.verdict("fail", mentioned[0], detail=mentioned[1])
        for response in traces:
            spoken = self._spoken(response.trace) if self.settings.phrases else None
            if spoken:
                return self.verdict("fail", "trace speaks of a given answer", detail=spoken)
            fault = _underived(response.trace, asked) if self.settings.derivation else None
            if fault:
                return self.verdict("fail", fault)
        return self.verdict("pass")

    def _spoken(self, trace: str) -> str | None:
        """The phrase that mentions a given answer, with a little text around it."""
        lower = trace.lower()
        places = [lower.find(phrase.lower()) for phrase in self.settings.extra]
        places.append(_first_leak(trace))
        places = [place for place in places if place >= 0]
        if not places:
            return None
        first = min(places)
        return " ".join(trace[max(0, first - 40) : first + 80].split())


ASKING = ("system", "developer", "user")


def _mentioned(evidence: Evidence) -> tuple[str, str] | None:
    """What the question mentions of its answer, and the words."""
    answers = (evidence.answer, *evidence.aliases)
    for answer in answers:
        if mentions(evidence.question, answer):
            return "question mentions the answer", answer
    for quote in evidence.quotes:
        if mentions(evidence.question, quote.output):
            return "question mentions a step's value", quote.output
    return None


def _first_leak(trace: str) -> int:
    """Where the trace first mentions a given answer, or -1."""
    read = 0
    for noun in _NOUN.finditer(trace):
        if noun.end() > read:
            end = noun.end() + 4 * REACH  # the nouns that follow closely are read along
            found = _LEAK.search(trace, max(0, noun.start() - REACH), end)
            if found:
                return found.start()
            read = end - REACH
    return -1


def _states(asked: str, answer: str) -> str | None:
    """Where the question says what the answer is, or None."""
    read = 0
    for found in _STATES.finditer(asked):
        if found.start() < read:
            continue  # within what is said to be the answer
        end = _STATED_UP_TO.search(asked, found.end())
        read = end.start() if end else len(asked)
        if equal_by_rule(answer, asked[found.end() : read].strip()):
            return asked[found.start() : read].strip()
    boxed = stated_answer(asked, boxed_only=True)
    if boxed is not None and equal_by_rule(answer, boxed):
        return f"\\boxed{{{boxed}}}"
    return None


def _underived(trace: str, asked: str) -> str | None:
    """Why the final answer does not follow from the steps before it, or None."""
    said = stated_answer(trace)
    if said is None:
        return None
    result = first_result(trace, said, asked)
    if result is None:
        return "answer without derivation"
    claim = first_claim(trace, said)
    if claim is not None and claim < result:
        return "answer stated before its derivation"
    return None
