import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.embedded_model.arithmetic import TIERS, problems
from synthmill.filters.diversity.minhash import shingles
from synthmill.filters.minhash_index import MinHashIndex
from synthmill.schemas.messages import assistant, user
from synthmill.schemas.row import Candidate
from tests.filters.candidates import make, pair, sft, task, told


def test_exact_content_names_the_row() -> None:
    judge = make("exact_content")
    judge.add("row-1", sft("Some  Text"))
    verdict = judge.judge(sft("some text"))
    assert (verdict.status, verdict.detail) == ("fail", "row row-1")
    assert told(judge, sft("some other text"))[0] == "pass"
    assert told(judge, sft("some text", question="Other?"))[0] == "pass"
    assert told(judge, sft("some text", answer="7"))[0] == "pass"
    assert told(judge, Candidate(kind="sft"))[0] == "skipped"


def test_kinds_do_not_meet_unless_told() -> None:
    for name, settings in (("exact_content", {"of": "question"}), ("minhash", {"of": "question"})):
        rows = [sft("a", question="What is it then?"), task("What is it then?")]
        for across in (False, True):
            judge = make(name, across_kinds=across, **settings)
            judge.add("r", rows[0])
            assert told(judge, rows[1])[0] == ("fail" if across else "pass")
    judge = make("minhash")
    judge.add("r", sft("This is how it is done, step by step."))
    assert told(judge, pair("This is how it is done, step by step.", ""))[0] == "pass"


SPACES = st.sampled_from([" ", "  ", "\n", "\t "])


@given(st.lists(st.text("abcäöß12", min_size=1), min_size=1, max_size=8), st.data())
def test_exact_content_ignores_case_form_and_spacing(words: list[str], data: st.DataObject) -> None:
    judge = make("exact_content")
    judge.add("r", sft(" ".join(words)))
    other = "".join(word + data.draw(SPACES) for word in words)
    other = data.draw(st.sampled_from([other, other.upper()]))
    form = data.draw(st.sampled_from(["NFC", "NFD", "NFKC"]))
    assert told(judge, sft(unicodedata.normalize(form, other)))[0] == "fail"
    assert told(judge, sft(other + "x"))[0] == "pass"


def test_shingles_are_runs_of_words() -> None:
    assert shingles("A b, c d!", 3) == [b"a b c", b"b c d"]
    assert shingles("a b", 3) == [b"a b"]
    assert shingles(" .,; ", 3) == []
    assert shingles("x = 3+4", 2) == [b"x =", b"= 3+4"]
    assert shingles("3 + 4", 3) != shingles("3 - 4", 3)


@given(st.text(max_size=60), st.integers(1, 5))
def test_any_text_has_shingles_or_no_words(text: str, size: int) -> None:
    found = shingles(text, size)
    assert found == shingles(f" {text}\n", size)
    assert all(len(one.split()) <= size for one in found)


def jaccard(left: str, right: str) -> float:
    one, other = (set(shingles(text, 3)) for text in (left, right))
    return len(one & other) / len(one | other)


def varied(rng: random.Random, words: list[str], changes: int) -> str:
    changed = list(words)
    for place in rng.sample(range(len(words)), changes):
        changed[place] = f"new{rng.randrange(10**6)}"
    return " ".join(changed)


@pytest.fixture(scope="module")
def texts() -> list[list[str]]:
    rng = random.Random(7)
    vocabulary = [f"word{i}" for i in range(3000)]
    return [rng.choices(vocabulary, k=120) for _ in range(2000)]


def test_minhash_against_exact_jaccard(texts: list[list[str]]) -> None:
    """Estimates lie within 4 standard errors; recall and precision hold beside the threshold."""
    judge, rng = make("minhash"), random.Random(3)
    for number, words in enumerate(texts):
        judge.add(f"row-{number}", sft(" ".join(words), question=""))
    found = missed = wrong = strangers = 0
    errors = []
    for number, words in enumerate(texts[:600]):
        text = varied(rng, words, rng.choice([0, 1, 2, 3, 5, 8, 12, 20]))
        exact, verdict = jaccard(text, " ".join(words)), judge.judge(sft(text, question=""))
        if verdict.score > 0.3:
            errors.append(verdict.score - exact)
        if exact >= 0.85:
            found += verdict.status == "fail"
            missed += verdict.status != "fail"
            assert verdict.detail is None or f"row row-{number}," in verdict.detail
        elif exact < 0.66:
            strangers += 1
            wrong += verdict.status == "fail"
    assert found + missed > 100
    assert strangers > 100
    assert found / (found + missed) > 0.99
    assert wrong / strangers < 0.02
    assert max(map(abs, errors)) < 4 * 0.044 + 0.02
    assert abs(sum(errors) / len(errors)) < 0.01


def test_minhash_finds_its_way_among_rows_that_share_phrases() -> None:
    """Templated problems fill single buckets with hundreds of rows; copies are found all the same.

    Questions that differ in their numbers alone must not pass for copies.
    """
    judge = make("minhash")
    stories = [p for _, p in zip(range(3000), problems(TIERS["hard"], 1, False), strict=False)]
    for number, problem in enumerate(stories):
        judge.add(f"row-{number}", sft(problem.trace, question=problem.text))
    for problem in stories[::30]:
        assert told(judge, sft(problem.trace, question=problem.text))[0] == "fail"
    fresh = [p for _, p in zip(range(200), problems(TIERS["hard"], 2, True), strict=False)]
    rejected = [p for p in fresh if told(judge, sft(p.trace, question=p.text))[0] == "fail"]
    assert len(rejected) <= 2


def test_neighbours_added_one_by_one_or_at_once_are_the_same() -> None:
    import numpy as np

    rng = np.random.default_rng(1)
    rows = rng.integers(0, 8, (3000, 16), dtype=np.uint32)  # many equal bands
    single, bulk = MinHashIndex(16, 8), MinHashIndex(16, 8)
    for row in rows:
        single.extend(row[None, :])
    bulk.extend(rows)
    for row in rows[::10]:
        assert single.nearest(row)[1] == bulk.nearest(row)[1] == 1.0
    assert MinHashIndex(16, 8).nearest(rows[0]) is None


def test_an_unseen_text_of_another_turn_counts() -> None:
    judge = make("minhash", of="response")
    talk = [user("a"), assistant("the very same words in the answer"), user("b")]
    judge.add("r", Candidate(kind="trajectory", messages=talk))
    other = [user("other"), assistant("the very same words in the answer")]
    assert told(judge, Candidate(kind="trajectory", messages=other))[0] == "fail"
    assert told(judge, task("q"))[0] == "skipped"
