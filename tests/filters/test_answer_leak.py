import json

import pytest

from scripts.embedded_model.arithmetic import TIERS, problems
from synthmill.filters.verifiers.answer_leak import AnswerLeak
from synthmill.schemas.evidence import Evidence, EvidenceQuote
from synthmill.schemas.row import Candidate
from tests.filters.candidates import make, pair, sft, task, told

END = "\nSo 3 + 4 = 7.\nThe answer is \\boxed{7}."
SPEAKS = ("fail", "trace speaks of a given answer")


@pytest.fixture(scope="module")
def judge() -> AnswerLeak:
    return AnswerLeak()


@pytest.mark.parametrize(
    "phrase",
    [
        "Given the correct answer 7, we add.",
        "The reference answer is 7.",
        "The reference solution adds.",
        "This matches the ground truth answer.",
        "the ground-truth value",
        "We are told the answer is 7.",
        "We're given the answer 7",
        "I've been told the final answer.",
        "We already know the answer.",
        "Working backwards from the answer.",
        "which matches the correct answer",
        "which matches the answer",
        "consistent with the expected answer",
        "since the answer is 7 we need",
        "Because the result must be $7$,",
        "According to the answer key,",
        "According to the given solution,",
        "the provided solution says",
        "to reach the given answer",
        "the answer we were given",
        "The answer provided is 7",
        "the answer that was provided",
        "as stated in the solution",
        "the official solution",
        "the known answer",
        "The expected final answer",
        "Given that the final answer is 7",
        "knowing that the answer is 7",
        "the GOLD answer",
    ],
)
def test_talk_of_a_given_answer(judge: AnswerLeak, phrase: str) -> None:
    assert told(judge, sft(phrase + END, answer="7"))[0] == "fail"
    for filler in ("We add and add. ", "What an answer this is, and what a result. "):
        for times in (3, 10, 40):
            long = "So 3 + 4 = 7. " + filler * times + phrase + ". " + filler
            assert told(judge, sft(long + END, answer="7")) == SPEAKS


@pytest.mark.parametrize(
    "phrase",
    [
        "The given answer choices are A and B.",
        "Using the given values, we add.",
        "We are given 3 and 4.",
        "We want the number of pens.",
        "This matches the answer we found above.",
        "We have the desired result.",
        "Since the answer must be an integer, we go on.",
        "A known solution technique is to add.",
        "Let us answer the given question.",
        "The expected value is 2.",
        "The solution set is given by adding.",
        "To find the answer, we add.",
        "Let me check the answer again.",
        "The required answer format is a number.",
    ],
)
def test_honest_talk(judge: AnswerLeak, phrase: str) -> None:
    assert told(judge, sft(phrase + END, answer="7")) == ("pass", None)


@pytest.mark.parametrize(
    ("trace", "reason"),
    [
        (r"\boxed{7}", "answer without derivation"),
        (r"The answer is \boxed{7}.", "answer without derivation"),
        ("We add the pens.\nThe answer is \\boxed{7}.", "answer without derivation"),
        ("The answer is 7. Indeed 3+4=7. So \\boxed{7}", "answer stated before its derivation"),
        ("So 3 + 4 = 8.\n\\boxed{7}", "answer without derivation"),
        (r"So 3+4=\boxed{7}", None),
        (r"$\boxed{3+4=7}$", None),
        (r"3 plus 4 makes 7. So \boxed{7}", None),
        ("She has 3 and then 4, in total 7 pens.\n\\boxed{7}", None),
        (r"$3 + 4 = \mathbf{7}$ or $3+4 = 7$. So \boxed{7}", None),
        ("Step 1: 14/2 = 7\nStep 2: check\n\\boxed{7}", None),
        ("10 / 3 = 3.3333\n\\boxed{3.33}", None),
        ("I see 7 7 7 here\n\\boxed{7}", "answer without derivation"),
    ],
)
def test_derivation(judge: AnswerLeak, trace: str, reason: str | None) -> None:
    candidate = sft(trace, question="Ana has 3 pens and buys 4.")
    assert told(judge, candidate) == ("fail" if reason else "pass", reason)


def test_a_number_of_the_question_must_be_worked_for(judge: AnswerLeak) -> None:
    trace = "She has 7.\n\\boxed{7}"
    assert told(judge, sft(trace, question="How many?"))[0] == "pass"
    assert told(judge, sft(trace, question="She has 7 and 3. How many?"))[0] == "fail"


@pytest.mark.parametrize("piece", ["7 ", "= x ", "answer is 8 "])
def test_a_trace_that_never_ends_its_sentence_is_read_once(judge: AnswerLeak, piece: str) -> None:
    """A model that falls into a loop writes such; read anew at each number it takes an hour."""
    trace = 100_000 * piece + r"\boxed{7}"
    assert told(judge, sft(trace)) == ("fail", "answer without derivation")


def test_words_letters_and_formulas(judge: AnswerLeak) -> None:
    assert told(judge, sft("The capital of France is it.\n\\boxed{Paris}"))[0] == "pass"
    assert told(judge, sft("\\boxed{Paris}"))[0] == "fail"
    assert told(judge, sft("Option B fits best of all.\n\\boxed{(B)}"))[0] == "pass"
    assert told(judge, sft("$y = x + x$\n\\boxed{2x}"))[0] == "pass"
    assert told(judge, sft("\\boxed{2x}"))[0] == "fail"


@pytest.mark.parametrize(
    ("question", "stated"),
    [
        ("The answer is 7. Why?", True),
        ("What?\nAnswer: 7", True),
        ("Hint: the correct answer is $7$.", True),
        (r"Show that it is \boxed{7}", True),
        (r"What? Put the answer in \boxed{}.", False),
        (r"What? Give it as \boxed{answer}.", False),
        ("The answer is 7 less than x.", False),
        ("Ana has 7 pens.", False),
    ],
)
def test_the_question_must_not_state_the_answer(
    judge: AnswerLeak, question: str, stated: bool
) -> None:
    expected = ("fail", "question states the answer") if stated else ("pass", None)
    assert told(judge, task(question, "7")) == expected


def test_a_question_of_mere_spaces_is_read_once(judge: AnswerLeak) -> None:
    asked = "The answer is a" + 500_000 * " " + "b"
    assert told(judge, task(asked, "7")) == ("pass", None)


def test_settings_and_pairs() -> None:
    leaky = sft("the reference answer" + END)
    assert told(make("answer_leak", phrases=False), leaky)[0] == "pass"
    assert told(make("answer_leak", extra=["magic eye"]), sft("my Magic Eye" + END)) == SPEAKS
    assert told(make("answer_leak", derivation=False), sft("\\boxed{7}"))[0] == "pass"
    stating = task("The answer is 7.", "7")
    assert told(make("answer_leak", question=False), stating)[0] == "pass"
    assert told(make("answer_leak"), task("q"))[0] == "skipped"
    assert told(make("answer_leak"), pair("We add." + END, "the reference answer"))[0] == "pass"
    assert told(make("answer_leak"), pair("the reference answer", "x")) == SPEAKS


def test_no_correct_trace_of_the_shipped_problems_is_suspected(judge: AnswerLeak) -> None:
    form = make("format")
    for tier in TIERS.values():
        found = problems(tier, seed=5, held_out=True)
        for _, problem in zip(range(200), found, strict=False):
            candidate = sft(problem.trace, answer=problem.answer, question=problem.text)
            assert told(judge, candidate) == ("pass", None), problem
            assert told(form, candidate) == ("pass", None), problem


def with_evidence(question: str, answer: str, output: str) -> Candidate:
    quotes = (EvidenceQuote(text=f"It is {output}.", output=output),)
    evidence = Evidence(question=question, answer=answer, aliases=("the 7th",), quotes=quotes)
    detail = json.dumps({"evidence": evidence.model_dump(mode="json")})
    return task(question, answer).model_copy(update={"detail": detail})


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("In which year was its builder founded?", None),
        ("Was its builder founded in 1931?", "question mentions the answer"),
        ("Which was the 7th?", "question mentions the answer"),
        ("When was Kestrel Works founded?", "question mentions a step's value"),
        ("When was Kestrel founded in 19312?", None),
    ],
)
def test_a_question_with_evidence_must_not_mention_its_answer(
    judge: AnswerLeak, question: str, reason: str | None
) -> None:
    asked = with_evidence(question, "1931", "Kestrel Works")
    assert told(judge, asked) == ("fail" if reason else "pass", reason)
    assert told(make("answer_leak", evidence=False), asked) == ("pass", None)
