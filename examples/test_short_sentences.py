from examples.short_sentences import ShortSentences, ShortSentencesSettings
from synthmill.schemas.messages import assistant, user
from synthmill.schemas.row import Candidate


def judged(text: str) -> str:
    candidate = Candidate(kind="sft", messages=[user("Well?"), assistant(text)])
    return ShortSentences(ShortSentencesSettings(max_words=4)).judge(candidate).status


def test_short_sentences_pass() -> None:
    assert judged("It is so. Is it?") == "pass"


def test_one_long_sentence_fails() -> None:
    assert judged("It is so. This one is far too long.") == "fail"


def test_questions_alone_are_skipped() -> None:
    task = Candidate(kind="rlvr", messages=[user("Well?")], answer="7")
    assert ShortSentences().judge(task).status == "skipped"
