from pathlib import Path

import pytest

from synthmill.filters.load import filter_names, load_filter, load_filters
from synthmill.pipelines.load import SHIPPED, read_recipe
from synthmill.schemas.errors import InputError
from synthmill.schemas.recipe import FilterSpec
from tests.filters.candidates import make, sft

BUILT_IN = {
    "answer_equivalence",
    "answer_leak",
    "arithmetic",
    "closed_book",
    "every_quote_needed",
    "exact_answer",
    "exact_content",
    "format",
    "length",
    "minhash",
    "ngram_redundancy",
    "pass_rate",
    "sibling_rouge",
    "single_answer",
    "supported_by_quotes",
}


def spec(name: str, **settings: object) -> FilterSpec:
    return FilterSpec(name=name, settings=settings)


def test_every_built_in_filter_is_found_and_loads() -> None:
    assert set(filter_names()) >= BUILT_IN
    for name in BUILT_IN:
        found = load_filter(spec(name))
        assert found.name == name
        assert found.__doc__
        assert all(field.description for field in found.Settings.model_fields.values())


def test_cheap_filters_run_first_and_equals_keep_their_order() -> None:
    given = ["minhash", "answer_equivalence", "length", "exact_content", "format"]
    order = [found.name for _, found in load_filters([spec(name) for name in given])]
    assert order == ["length", "format", "answer_equivalence", "minhash", "exact_content"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (spec("minhsah"), "no filter 'minhsah' (did you mean 'minhash'?)"),
        (
            spec("minhash", treshold=1),
            "'minhash': unknown key 'treshold' (did you mean 'thre",
        ),
        (spec("exact_answer", x=1), "filter 'exact_answer': unknown key 'x'"),
        (spec("minhash", threshold=2), "filter 'minhash': 'threshold': Input should be less"),
        (spec("minhash", num_bands=3), "num_bands 3 must divide num_perm 128"),
        (spec("format", max_steps="ten"), "filter 'format': 'max_steps': Input should be a val"),
        (spec("json:JSONDecoder"), "neither a filter class nor a function"),
        (spec("no.such:Thing"), "cannot be loaded"),
    ],
)
def test_a_wrong_recipe_gets_one_clear_line(wrong: FilterSpec, message: str) -> None:
    with pytest.raises(InputError) as raised:
        load_filter(wrong)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_same_filter_twice_is_refused() -> None:
    with pytest.raises(InputError, match="'length' occurs 2 times"):
        load_filters([spec("length"), spec("length", min_words=3)])


def test_the_shipped_example_loads_by_path() -> None:
    judge = make("examples/filters/short_sentences.py:ShortSentences", max_words=3)
    assert judge.judge(sft("Too many words here.")).status == "fail"


def test_filters_of_generators_are_found_by_bare_name() -> None:
    assert "near_duplicate_video" in filter_names()
    assert make("near_duplicate_video", max_bits=4).settings.max_bits == 4


@pytest.mark.parametrize("recipe", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_filters_of_shipped_recipes_load(recipe: Path) -> None:
    load_filters(read_recipe(recipe).filters)
