from pathlib import Path

from examples.filters.no_apologies import no_apologies
from examples.filters.short_sentences import ShortSentences, ShortSentencesSettings
from synthmill.pipelines.load import read_recipe
from synthmill.pipelines.plan import make_plan
from synthmill.schemas.messages import assistant, user
from synthmill.schemas.row import Candidate


def answered(text: str) -> Candidate:
    return Candidate(kind="sft", messages=[user("Well?"), assistant(text)])


def judged(text: str) -> str:
    return ShortSentences(ShortSentencesSettings(max_words=4)).judge(answered(text)).status


def test_short_sentences_pass() -> None:
    assert judged("It is so. Is it?") == "pass"


def test_one_long_sentence_fails() -> None:
    assert judged("It is so. This one is far too long.") == "fail"


def test_questions_alone_are_skipped() -> None:
    task = Candidate(kind="rlvr", messages=[user("Well?")], answer="7")
    assert ShortSentences().judge(task).status == "skipped"


def test_an_apology_fails() -> None:
    assert no_apologies(answered("It is 7."))[0]
    assert no_apologies(answered("I'm sorry, it is 7.")) == (False, "apologizes")


def test_the_recipe_finds_the_filters_beside_it() -> None:
    plan = make_plan(read_recipe(Path(__file__).parent / "recipe.yaml"))
    names = [stage.filter.name for stage in plan.verifiers]
    assert names == [
        "unused_step",
        "format",
        "no_apologies",
        "short_sentences",
        "answer_equivalence",
    ]
