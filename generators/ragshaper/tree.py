"""The information tree: seeds, growth by the curator, and the paths worth a question.

Paper, section 3.1: (action, intention) = InfoCurator(path from the root), observation = the action
executed. The curator sees the path alone, never the whole tree.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from synthmill.generators.ragshaper.distractors import write_distractors
from synthmill.generators.ragshaper.prompts import (
    DISTRACT,
    FINISH,
    SEARCH,
    ExploredStep,
    ExploreStep,
    NextAction,
)
from synthmill.generators.ragshaper.records import (
    DISTRACTOR_TYPES,
    Distractor,
    DistractorType,
    TreeNode,
)
from synthmill.generators.ragshaper.settings import SeedSettings
from synthmill.generators.ragshaper.task import RagTask
from synthmill.schemas.errors import InputError
from synthmill.schemas.identity import keyed_seed
from synthmill.sources.documents.corpus import Corpus
from synthmill.sources.documents.passage import Passage
from synthmill.sources.documents.prompt_documents import (
    PromptDocument,
    PromptDocuments,
    neutralize_markup,
)

CONTEXT_STEPS = 3  # observations that the author of a distractor sees beside the source; ours


class TreePath(NamedTuple):
    """Nodes from the root to a leaf, and how many documents they gained."""

    nodes: tuple[TreeNode, ...]
    gain: int

    @property
    def ids(self) -> list[int]:
        """The node ids, root first."""
        return [node.id for node in self.nodes]


@dataclass
class InformationTree:
    """A tree as it grows: node ids are positions in `nodes`.

    `wanted` orders the distractor types from the one most wanted. `used` lists the actions taken,
    `calls` counts the requests for distractors.
    """

    seed: Passage
    wanted: tuple[DistractorType, ...] = DISTRACTOR_TYPES
    nodes: list[TreeNode] = field(default_factory=list)
    passages: dict[str, Passage] = field(default_factory=dict)
    distractors: dict[str, Distractor] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)
    calls: int = 0

    def path(self, end: int) -> tuple[TreeNode, ...]:
        """The nodes from the root to node `end`."""
        return path_to(self.nodes, end)

    def passages_of(self, path: Sequence[TreeNode]) -> list[Passage]:
        """The passages of a path in the order found, each once."""
        names = dict.fromkeys(name for node in path for name in node.passages)
        return [self.passages[name] for name in names]

    def distractors_of(self, path: Sequence[TreeNode]) -> list[Distractor]:
        """The distractors of a path in the order written."""
        return [self.distractors[name] for node in path for name in node.distractors]

    def explored(self, path: Sequence[TreeNode], chars: int) -> tuple[ExploredStep, ...]:
        """A path as prompts show it, documents marked as data.

        Documents of the last search are whole, all others are cut to `chars` characters.
        """
        last = max((n.id for n in path if n.passages), default=-1)
        return tuple(self._explored(node, None if node.id == last else chars) for node in path)

    def _explored(self, node: TreeNode, chars: int | None) -> ExploredStep:
        found = [self.passages[name] for name in node.passages]
        written = [self.distractors[name] for name in node.distractors]
        documents = [PromptDocument(p.title, p.text[:chars]) for p in found]
        documents += [PromptDocument(d.title, d.text[:chars]) for d in written]
        return ExploredStep(
            intention=neutralize_markup(node.intention),
            tool=node.tool,
            argument=neutralize_markup(node.arguments),
            found=PromptDocuments(documents=tuple(documents)),
        )


class InformationTreeBuilder:
    """Grows the tree of one seed depth-first (the paper's InfoCurator)."""

    def __init__(
        self, task: RagTask, seed: Passage, wanted: tuple[DistractorType, ...] = DISTRACTOR_TYPES
    ) -> None:
        self._task = task
        self._settings = task.settings.tree
        root = TreeNode(
            id=0,
            parent=None,
            depth=0,
            tool=SEARCH,
            intention="The seed.",
            arguments=seed.title,
            passages=[seed.id],
        )
        self.tree = InformationTree(
            seed=seed, wanted=wanted, nodes=[root], passages={seed.id: seed}
        )

    async def build(self) -> InformationTree:
        """The whole tree."""
        await self._expand(0)
        return self.tree

    async def _expand(self, at: int) -> None:
        """Grow everything below a node: the whole branch of a child before the next child."""
        depth = self.tree.nodes[at].depth
        if depth >= self._settings.max_depth:
            return
        for child in range(self._branches(at, depth)):
            node = await self._add_child(at, child)
            if node is not None:
                await self._expand(node.id)

    def _branches(self, at: int, depth: int) -> int:
        """Two children with probability p_b at the first depths, else one (paper, section 3.1)."""
        drawn = self._task.context.rng(f"branch/{at}").random() < self._settings.branch_probability
        return 2 if depth < self._settings.branch_depth and drawn else 1

    async def _add_child(self, at: int, child: int) -> TreeNode | None:
        """The next node below `at`, or None where the branch ends.

        Where the proposed action was used in this tree or cannot be executed, the curator is asked
        again; after `tries` proposals the branch ends (released code).
        """
        for attempt in range(self._settings.tries):
            prompt = self._prompt(at, child * self._settings.tries + attempt + 1)
            action = await self._task.curate(prompt, f"explore/{at}/{child}/{attempt}")
            if action is None:
                continue
            name = action_name(action)
            if action.tool == FINISH:
                return None
            if name is None or name.casefold() in map(str.casefold, self.tree.used):
                continue
            node = await self._execute(at, action)
            if node is not None:
                self.tree.used.append(name)
                self.tree.nodes.append(node)
                return node
        return None

    def _prompt(self, at: int, proposal: int) -> ExploreStep:
        settings, tree = self._settings, self.tree
        written = {d.type for d in tree.distractors.values()}
        return ExploreStep(
            seed=neutralize_markup(tree.seed.title),
            steps=tree.explored(tree.path(at), settings.observation_chars),
            used=tuple(neutralize_markup(name) for name in tree.used[-settings.forbidden_shown :]),
            lacking=tuple(t for t in tree.wanted if t not in written),
            calls=tree.calls,
            written=len(tree.distractors),
            wanted_calls=settings.min_distractor_calls,
            wanted_documents=settings.min_distractors,
            room=len(tree.distractors) < settings.max_distractors,
            child=proposal,
        )

    async def _execute(self, at: int, action: NextAction) -> TreeNode | None:
        """The node that an action makes, or None where it cannot be executed."""
        tree = self.tree
        new = TreeNode(
            id=len(tree.nodes),
            parent=at,
            depth=tree.nodes[at].depth + 1,
            tool=action.tool,
            intention=action.intention,
            arguments=action.query if action.tool == SEARCH else action.fact,
        )
        if action.tool == SEARCH:
            k = self._task.settings.retrieval.k
            found = [hit.passage for hit in await self._task.knowledge.search(action.query, k)]
            tree.passages |= {passage.id: passage for passage in found}
            return new.model_copy(update={"passages": [passage.id for passage in found]})
        if len(tree.distractors) >= self._settings.max_distractors:
            return None
        tree.calls += 1
        known = {d.text for d in tree.distractors.values()}
        made = await self._distractors(new, action)
        # A document written twice would be injected beside itself.
        fresh = {d.text: d for d in made if d.text not in known}.values()
        tree.distractors |= {d.id: d for d in fresh}
        return new.model_copy(update={"distractors": [d.id for d in fresh]}) if fresh else None

    async def _distractors(self, node: TreeNode, action: NextAction) -> list[Distractor]:
        """Distractors of each type asked for; none where no passage of the path holds the fact."""
        path = self.tree.path(node.parent or 0)
        source = next(
            (p for p in self.tree.passages_of(path) if quote_in(action.fact, p.text)), None
        )
        if source is None:
            return []
        nearby = [self.tree.passages[n] for step in path[-CONTEXT_STEPS:] for n in step.passages]
        types = action.types or DISTRACTOR_TYPES[:1]
        return await write_distractors(self._task, action.fact, types, source, nearby, node.id)


def action_name(action: NextAction) -> str | None:
    """The name by which a repeated action is recognized, or None where its argument is missing."""
    if action.tool == SEARCH:
        return f"{SEARCH} {action.query.strip()}" if action.query.strip() else None
    if action.tool == DISTRACT:
        types = ",".join(sorted(action.types))
        return f"{DISTRACT} {types} {action.fact.strip()}" if action.fact.strip() else None
    return FINISH


def path_to(nodes: Sequence[TreeNode], end: int) -> tuple[TreeNode, ...]:
    """The nodes from the root to node `end`; node ids are positions in `nodes`."""
    path: list[TreeNode] = []
    at: int | None = end
    while at is not None:
        path.append(nodes[at])
        at = nodes[at].parent
    return tuple(reversed(path))


def leaves(nodes: Sequence[TreeNode]) -> list[int]:
    """Ids of the nodes without children."""
    parents = {node.parent for node in nodes}
    return [node.id for node in nodes if node.id not in parents]


def gained(path: Sequence[TreeNode]) -> int:
    """How many documents a path gained, distractors among them (the paper's path score).

    The paper sums the documents of the nodes. Here a document that is found again is not counted
    again; otherwise the longest path in circles would win.
    """
    return len({name for node in path for name in (*node.passages, *node.distractors)})


def select_paths(nodes: Sequence[TreeNode], count: int, max_jaccard: float) -> list[TreePath]:
    """The `count` paths that gained most, none of which shares too many nodes with a better one.

    `max_jaccard` is the largest allowed node overlap (released code's rule, 0.7). Of equals, the
    leaf that was reached first wins.
    """
    ways = (path_to(nodes, leaf) for leaf in leaves(nodes))
    paths = [TreePath(way, gained(way)) for way in ways]
    selected: list[TreePath] = []
    for path in sorted(paths, key=lambda p: -p.gain):
        if len(selected) == count:
            break
        if all(jaccard(path.ids, other.ids) <= max_jaccard for other in selected):
            selected.append(path)
    return selected


def jaccard(one: Sequence[int], other: Sequence[int]) -> float:
    """Shared nodes over all nodes of two paths."""
    return len(set(one) & set(other)) / len(set(one) | set(other))


def quote_in(quote: str, text: str) -> tuple[int, int] | None:
    """Start and end of a quote in a text, whatever white space is between its words, or None.

    Both are compared as prompts show them, which changes no offset.
    """
    words = neutralize_markup(quote).split()
    if not words:
        return None
    found = re.search(r"\s+".join(map(re.escape, words)), neutralize_markup(text))
    return found.span() if found else None


def seed_order(corpus: Corpus, settings: SeedSettings) -> Sequence[int]:
    """Positions of the seed passages: those that match, shuffled by a keyed hash, up to `limit`.

    Raises:
        InputError: the pattern is not valid, or no passage matches.
    """
    positions = range(len(corpus)) if settings.match is None else _matching(corpus, settings.match)
    shuffled = sorted(positions, key=lambda at: keyed_seed("seeds", settings.seed, at))
    return shuffled[: settings.limit]


def _matching(corpus: Corpus, pattern: str) -> list[int]:
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise InputError(f"generator.settings: 'seeds.match' is no pattern: {error}") from error
    found = [position for position, text in enumerate(corpus.texts()) if wanted.search(text)]
    if not found:
        raise InputError(f"generator.settings: no passage matches 'seeds.match' {pattern!r}")
    return found
