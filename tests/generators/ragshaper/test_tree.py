"""Trees stay within their bounds; paths are picked by what they gained."""

from itertools import combinations
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmill.generators.ragshaper.knowledge_base import KnowledgeBase
from synthmill.generators.ragshaper.prompts import (
    DISTRACT,
    FINISH,
    MAX_DOCUMENTS,
    SEARCH,
    NextAction,
    WrittenDistractors,
    WrittenDocument,
)
from synthmill.generators.ragshaper.records import DISTRACTOR_TYPES, TreeNode
from synthmill.generators.ragshaper.settings import RagShaperSettings
from synthmill.generators.ragshaper.task import RagTask
from synthmill.generators.ragshaper.tree import (
    InformationTree,
    InformationTreeBuilder,
    gained,
    jaccard,
    leaves,
    path_to,
    select_paths,
)
from tests.generators.ragshaper.offline_context import OfflineContext, knowledge_of, world_source


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("corpora")


async def grown(
    cache: Path, seed: int, answers: dict | None = None, **tree: object
) -> InformationTree:
    knowledge = await knowledge_of(world_source()[0], cache)
    return await grow(knowledge, seed, answers, **tree)


async def grow(
    knowledge: KnowledgeBase, seed: int, answers: dict | None = None, **tree: object
) -> InformationTree:
    wanted = RagShaperSettings.model_validate({"tree": tree})
    context = OfflineContext(seed, answers)
    passage = knowledge.corpus[Random(seed).randrange(len(knowledge.corpus))]
    return await InformationTreeBuilder(RagTask(context, knowledge, wanted), passage).build()


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    depth=st.integers(1, 9),
    branch_depth=st.integers(0, 3),
    probability=st.sampled_from([0.0, 0.5, 1.0]),
    most=st.integers(0, 4),
)
async def test_trees_stay_within_their_bounds(
    cache: Path, seed: int, depth: int, branch_depth: int, probability: float, most: int
) -> None:
    tree = await grown(
        cache,
        seed,
        max_depth=depth,
        branch_depth=branch_depth,
        branch_probability=probability,
        max_distractors=most,
    )
    nodes = tree.nodes
    assert [node.id for node in nodes] == list(range(len(nodes)))
    assert max(node.depth for node in nodes) <= depth
    assert len(leaves(nodes)) <= 2 ** min(branch_depth, depth)
    for node in nodes[1:]:
        assert node.parent is not None and node.parent < node.id
        assert node.depth == nodes[node.parent].depth + 1
        children = [n for n in nodes if n.parent == node.id]
        assert len(children) <= (2 if node.depth < branch_depth and probability else 1)
        assert node.passages or node.tool in (SEARCH, DISTRACT)
    # One more call may go over the wanted number by the documents of a single call.
    assert len(tree.distractors) <= most + 4
    assert len(set(map(str.casefold, tree.used))) == len(tree.used) == len(nodes) - 1


def searching() -> dict:
    """A curator that never lacks a new query."""
    counter = iter(range(10**9))

    def search(prompt: object) -> str:
        action = NextAction(intention="on", tool=SEARCH, query=f"query {next(counter)}")
        return action.model_dump_json()

    return {"explore_step": search}


async def test_expansion_is_depth_first(cache: Path) -> None:
    bounds = {"max_depth": 6, "branch_probability": 1.0, "branch_depth": 2}
    tree = await grown(cache, 3, searching(), **bounds)
    assert len(leaves(tree.nodes)) == 4 and len(tree.nodes) == 1 + 2 + 4 * 5
    for node in tree.nodes[2:]:
        if node.id - 1 != node.parent:  # a new branch begins when the last one is at its end
            assert node.id - 1 in leaves(tree.nodes)


async def test_branching_follows_p_b(cache: Path) -> None:
    """Two independent draws at two depths: 2.25 leaves on average (paper)."""
    knowledge = await knowledge_of(world_source()[0], cache)
    counts = [
        len(leaves((await grow(knowledge, seed, searching(), max_depth=3)).nodes))
        for seed in range(300)
    ]
    assert 2.1 < sum(counts) / len(counts) < 2.4 and max(counts) == 4 and min(counts) == 1


async def test_a_repeated_action_kills_the_branch(cache: Path) -> None:
    action = NextAction(intention="again", tool=SEARCH, query="River Osk")
    say = {"explore_step": lambda prompt: action.model_dump_json()}
    tree = await grown(cache, 1, say, branch_probability=1.0)
    assert len(tree.nodes) == 2 and tree.used == [f"{SEARCH} River Osk"]


async def test_a_finished_or_malformed_branch_ends(cache: Path) -> None:
    done = NextAction(intention="done", tool=FINISH).model_dump_json()
    for text in (done, "{}", "not json", '{"intention": "", "tool": "rm -rf"}'):
        tree = await grown(cache, 1, {"explore_step": lambda prompt, text=text: text})
        assert len(tree.nodes) == 1


async def test_distractors_need_a_fact_that_stands_in_a_passage(cache: Path) -> None:
    made_up = NextAction(
        intention="x", tool=DISTRACT, fact="Never written.", types=["doppelganger"]
    )
    tree = await grown(cache, 1, {"explore_step": lambda prompt: made_up.model_dump_json()})
    assert len(tree.nodes) == 1 and not tree.distractors


def writing(*texts: str) -> str:
    """An author that writes these texts, whatever is asked."""
    documents = [
        WrittenDocument(title="T", text=text, marker="m", misleading_claim="c", wrong_answer="w")
        for text in texts
    ]
    written = WrittenDistractors(question="q", true_answer="a", documents=documents)
    return written.model_dump_json()


async def test_a_distractor_written_again_is_kept_once(cache: Path) -> None:
    """Facts are also found where the passage breaks its lines elsewhere."""
    knowledge = await knowledge_of(world_source()[0], cache)
    seed = knowledge.corpus[0]
    words = seed.text.split()[:6]
    facts = iter([" ".join(words), "\n".join(words), "  ".join(words[1:]), ""])

    def explore(prompt: object) -> str:
        action = NextAction(
            intention="x", tool=DISTRACT, fact=next(facts, ""), types=[*DISTRACTOR_TYPES]
        )
        return action.model_dump_json()

    context = OfflineContext(
        1, {"explore_step": explore, "write_distractors": lambda _: writing("the same", "the same")}
    )
    tree = await InformationTreeBuilder(
        RagTask(context, knowledge, RagShaperSettings()), seed
    ).build()
    assert tree.calls == 3 and [d.text for d in tree.distractors.values()] == ["the same"]
    assert [len(node.distractors) for node in tree.nodes] == [0, 1]


async def test_an_author_that_never_stops_is_cut_short(cache: Path) -> None:
    knowledge = await knowledge_of(world_source()[0], cache)
    seed = knowledge.corpus[0]
    action = NextAction(intention="x", tool=DISTRACT, fact=seed.text[:40], types=["doppelganger"])
    say = {
        "explore_step": lambda _: action.model_dump_json(),
        "write_distractors": lambda _: writing(*map(str, range(100))),
    }
    tree = await InformationTreeBuilder(
        RagTask(OfflineContext(1, say), knowledge, RagShaperSettings()), seed
    ).build()
    assert len(tree.distractors) == MAX_DOCUMENTS


async def test_the_curator_sees_its_path_alone_and_the_actions_used(cache: Path) -> None:
    context = OfflineContext(3)
    knowledge = await knowledge_of(world_source()[0], cache)
    wanted = RagShaperSettings.model_validate(
        {"tree": {"max_depth": 5, "branch_probability": 1.0, "forbidden_shown": 3}}
    )
    await InformationTreeBuilder(RagTask(context, knowledge, wanted), knowledge.corpus[0]).build()
    prompts = [p for p in context.prompts if p.prompt_name() == "explore_step"]
    assert all(len(p.used) <= 3 and len(p.steps) <= 5 for p in prompts)
    assert max(len(p.used) for p in prompts) == 3


DOCUMENTS = st.lists(st.sampled_from("abcdefghij"), max_size=5)


@st.composite
def trees(draw: st.DrawFn) -> list[TreeNode]:
    nodes: list[TreeNode] = []
    for number in range(draw(st.integers(1, 25))):
        parent = draw(st.integers(0, number - 1)) if number else None
        nodes.append(
            TreeNode(
                id=number,
                parent=parent,
                depth=0 if parent is None else nodes[parent].depth + 1,
                tool=SEARCH,
                intention="",
                arguments="",
                passages=draw(DOCUMENTS),
                distractors=[f"d{d}" for d in draw(DOCUMENTS)],
            )
        )
    return nodes


@given(trees(), st.integers(1, 5), st.sampled_from([0.0, 0.3, 0.7, 1.0]))
def test_paths_are_picked_by_gain_under_the_jaccard_limit(
    nodes: list[TreeNode], count: int, limit: float
) -> None:
    picked = select_paths(nodes, count, limit)
    assert 1 <= len(picked) <= count
    for path in picked:
        assert path.nodes[0].parent is None and path.ids[-1] in leaves(nodes)
        assert path.gain == gained(path.nodes)
    gains = [path.gain for path in picked]
    assert gains == sorted(gains, reverse=True)
    assert gains[0] == max(gained(path_to(nodes, leaf)) for leaf in leaves(nodes))
    assert all(jaccard(a.ids, b.ids) <= limit for a, b in combinations(picked, 2))
    if len(picked) < count:  # whoever was left out is too near to a picked one
        left = [path_to(nodes, leaf) for leaf in leaves(nodes)]
        for way in left:
            ids = [node.id for node in way]
            assert any(jaccard(ids, p.ids) > limit or ids == p.ids for p in picked)


def test_a_document_found_again_is_no_gain() -> None:
    def node(number: int, passages: list[str], distractors: list[str]) -> TreeNode:
        return TreeNode(
            id=number,
            parent=number - 1 if number else None,
            depth=number,
            tool=SEARCH,
            intention="",
            arguments="",
            passages=passages,
            distractors=distractors,
        )

    assert gained([node(0, ["a", "b"], []), node(1, ["b", "c"], ["x"]), node(2, ["a"], [])]) == 4
