"""The information curator: grows a tree depth-first, and has distractors written on the way.

Paper, section 3.1: (action, intention) = InfoCurator(path from the root), observation = the action
executed. The context is the path alone, never the whole tree.
"""

from dataclasses import dataclass, field

from synthmill.generators.base import Context
from synthmill.generators.ragshaper.checking import quote_in
from synthmill.generators.ragshaper.library import Library
from synthmill.generators.ragshaper.prompts.distract import WriteDistractors, WrittenDistractors
from synthmill.generators.ragshaper.prompts.explore import (
    DISTRACT,
    FINISH,
    SEARCH,
    Explored,
    ExploreStep,
    NextAction,
)
from synthmill.generators.ragshaper.records import Distractor, Node
from synthmill.generators.ragshaper.settings import RagShaperSettings
from synthmill.generators.ragshaper.taxonomy import KINDS, TAXONOMY, Kind
from synthmill.generators.ragshaper.tree import path_to
from synthmill.schemas.identity import sha256_text
from synthmill.sources.documents.document import Passage
from synthmill.sources.documents.prompt_documents import (
    PromptDocument,
    PromptDocuments,
    neutralize_markup,
)

CONTEXT_STEPS = 3  # observations that a distractor's author sees beside the source; ours
MOST_DOCUMENTS = 4  # kept of one answer, which is asked for one or two; ours


@dataclass
class Tree:
    """A tree as it grows: node ids are positions in `nodes`; `favoured` types are wanted first."""

    seed: Passage
    favoured: tuple[Kind, ...] = KINDS
    nodes: list[Node] = field(default_factory=list)
    passages: dict[str, Passage] = field(default_factory=dict)
    distractors: dict[str, Distractor] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)
    calls: int = 0

    def path(self, end: int) -> tuple[Node, ...]:
        """The nodes from the root to node `end`."""
        return path_to(self.nodes, end)

    def found(self, path: tuple[Node, ...]) -> list[Passage]:
        """The passages of a path, in the order found, each once."""
        names = dict.fromkeys(name for node in path for name in node.passages)
        return [self.passages[name] for name in names]

    def explored(self, path: tuple[Node, ...], chars: int) -> tuple[Explored, ...]:
        """A path as prompts show it. Earlier documents are cut to `chars`, those of the last
        search are whole; documents are marked as data."""
        last = max((n.id for n in path if n.passages), default=-1)
        return tuple(self._explored(node, None if node.id == last else chars) for node in path)

    def _explored(self, node: Node, chars: int | None) -> Explored:
        shown = [self.passages[name] for name in node.passages]
        written = [self.distractors[name] for name in node.distractors]
        documents = [PromptDocument(p.title, p.text[:chars]) for p in shown]
        documents += [PromptDocument(d.title, d.text[:chars]) for d in written]
        return Explored(
            intention=neutralize_markup(node.intention),
            tool=node.tool,
            argument=neutralize_markup(node.arguments),
            found=PromptDocuments(documents=tuple(documents)),
        )


class Curator:
    """Grows the tree of one seed."""

    def __init__(self, context: Context, library: Library, settings: RagShaperSettings) -> None:
        self._context = context
        self._library = library
        self._settings = settings

    async def grow(self, seed: Passage, favoured: tuple[Kind, ...]) -> Tree:
        """The tree of a seed; `favoured` orders the types from the one most wanted."""
        tree = Tree(seed=seed, favoured=favoured, passages={seed.id: seed})
        tree.nodes.append(
            Node(
                id=0,
                parent=None,
                depth=0,
                tool=SEARCH,
                intention="The seed.",
                arguments=seed.title,
                passages=[seed.id],
            )
        )
        await self._expand(tree, 0)
        return tree

    async def _expand(self, tree: Tree, at: int) -> None:
        """Grow everything below a node, one child's whole branch before the next child."""
        depth = tree.nodes[at].depth
        if depth >= self._settings.tree.max_depth:
            return
        for child in range(self._children(at, depth)):
            node = await self._child(tree, at, child)
            if node is not None:
                await self._expand(tree, node.id)

    def _children(self, at: int, depth: int) -> int:
        """Two with probability p_b at the first depths, else one (paper, section 3.1)."""
        settings = self._settings.tree
        drawn = self._context.rng(f"branch/{at}").random() < settings.branch_probability
        return 2 if depth < settings.branch_depth and drawn else 1

    async def _child(self, tree: Tree, at: int, child: int) -> Node | None:
        """The next node below `at`, or None where the branch dies.

        An action that the tree has used is proposed again, then kills the branch (released code).
        """
        for attempt in range(self._settings.tree.tries):
            reply = await self._context.generate(
                self._prompt(tree, at, child * self._settings.tree.tries + attempt + 1),
                purpose=f"explore/{at}/{child}/{attempt}",
                role="curator",
                sampling=self._settings.tree.sampling,
            )
            if reply.value is None:
                continue
            action: NextAction = reply.value
            name = action_name(action)
            if action.tool == FINISH:
                return None
            if name is None or name.casefold() in map(str.casefold, tree.used):
                continue
            node = await self._executed(tree, at, action)
            if node is not None:
                tree.used.append(name)
                tree.nodes.append(node)
                return node
        return None

    def _prompt(self, tree: Tree, at: int, proposal: int) -> ExploreStep:
        settings, path = self._settings.tree, tree.path(at)
        written = {d.kind for d in tree.distractors.values()}
        return ExploreStep(
            seed=neutralize_markup(tree.seed.title),
            steps=tree.explored(path, settings.observation_chars),
            used=tuple(neutralize_markup(name) for name in tree.used[-settings.forbidden_shown :]),
            lacking=tuple(kind for kind in tree.favoured if kind not in written),
            calls=tree.calls,
            written=len(tree.distractors),
            wanted_calls=settings.min_distractor_calls,
            wanted_documents=settings.min_distractors,
            room=len(tree.distractors) < settings.max_distractors,
            child=proposal,
        )

    async def _executed(self, tree: Tree, at: int, action: NextAction) -> Node | None:
        """The node that an action makes; None where it cannot be carried out."""
        new = Node(
            id=len(tree.nodes),
            parent=at,
            depth=tree.nodes[at].depth + 1,
            tool=action.tool,
            intention=action.intention,
            arguments=action.query if action.tool == SEARCH else action.fact,
        )
        if action.tool == SEARCH:
            found = await self._library.search(action.query, self._settings.retrieval.k)
            tree.passages |= {f.passage.id: f.passage for f in found}
            return new.model_copy(update={"passages": [f.passage.id for f in found]})
        if len(tree.distractors) >= self._settings.tree.max_distractors:
            return None
        tree.calls += 1
        told = {d.text for d in tree.distractors.values()}
        made = await self._distractors(tree, new, action)
        # A document written twice would be injected beside itself.
        fresh = {d.text: d for d in made if d.text not in told}.values()
        tree.distractors |= {d.id: d for d in fresh}
        return new.model_copy(update={"distractors": [d.id for d in fresh]}) if fresh else None

    async def _distractors(self, tree: Tree, node: Node, action: NextAction) -> list[Distractor]:
        """Documents of each type asked for, about a fact that stands in a passage of the path."""
        path = tree.path(node.parent or 0)
        passages = tree.found(path)
        source = next((p for p in passages if quote_in(action.fact, p.text)), None)
        if source is None:
            return []
        nearby = [tree.passages[n] for step in path[-CONTEXT_STEPS:] for n in step.passages]
        made: list[Distractor] = []
        for kind in dict.fromkeys(action.types or KINDS[:1]):
            reply = await self._context.generate(
                WriteDistractors(
                    fact=action.fact,
                    kind=kind,
                    guideline=TAXONOMY[kind].guideline,
                    source=_quoted([source]),
                    context=_quoted([p for p in nearby if p.id != source.id]),
                ),
                purpose=f"distract/{node.id}/{kind}",
                role="curator",
                sampling=self._settings.tree.sampling,
            )
            if reply.value is not None:
                support = [source, *nearby] if kind == "false_shortcut" else [source]
                made += _named(reply.value, kind, action.fact, support, node.id)
        return made


def action_name(action: NextAction) -> str | None:
    """The name by which a repeated action is known, or None where it lacks its argument."""
    if action.tool == SEARCH:
        return f"{SEARCH} {action.query.strip()}" if action.query.strip() else None
    if action.tool == DISTRACT:
        kinds = ",".join(sorted(action.types))
        return f"{DISTRACT} {kinds} {action.fact.strip()}" if action.fact.strip() else None
    return FINISH


def _quoted(passages: list[Passage]) -> PromptDocuments:
    return PromptDocuments(documents=tuple(PromptDocument(p.title, p.text) for p in passages))


def _named(
    written: WrittenDistractors, kind: Kind, fact: str, support: list[Passage], node: int
) -> list[Distractor]:
    return [
        Distractor(
            id=sha256_text(f"{node}\n{number}\n{document.title}\n{document.text}")[:16],
            kind=kind,
            title=document.title,
            text=document.text,
            marker=document.marker,
            misleading_claim=document.misleading_claim,
            question=written.question,
            true_answer=written.true_answer,
            wrong_answer=document.wrong_answer,
            fact=fact,
            source=support[0].id,
            support=list(dict.fromkeys(passage.id for passage in support)),
            node=node,
        )
        for number, document in enumerate(written.documents[:MOST_DOCUMENTS])
    ]
