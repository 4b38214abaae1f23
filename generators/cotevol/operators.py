"""Operators that make new traces from old ones: reflective crossover and two kinds of mutation.

Crossover and the mutation by resampling follow section 3.4 of the paper (eq. 3-6). The mutation
through untried alternatives is ours, in place of regenerating an uncertain step at random.
"""

import heapq
import math
from dataclasses import dataclass, field
from random import Random
from typing import Literal, NamedTuple

from synthmill.filters.text import Step
from synthmill.generators.cotevol.prompts import Author, Critique, MutateGlobal, MutateLocal
from synthmill.generators.cotevol.search import Prefix, SearchSession
from synthmill.generators.cotevol.traces import Lineage, TokenPosition, Trace

# The set of steps before a token, the beginning of its own step, and the token.
BranchKey = tuple[frozenset[str], str, str]
REPLACEMENT_CHARACTER = "\ufffd"  # a token that is half of a character
# Ours: more than a search can try, and few enough that long traces do not fill the memory.
MAX_BRANCHES = 2000


async def cross(session: SearchSession, first: Trace, second: Trace, round_: int) -> Trace | None:
    """The child of two traces: a critic compares them, an author writes a new solution.

    The critic's prompt says which parents are right (unless `show_labels` is off); it never holds
    the ground truth. None where the critic gave no usable guidance.

    Raises:
        TokensSpent: the tokens of this problem are used up.
    """
    settings, problem = session.settings, session.problem.text
    labels = settings.show_labels and session.judge.has_ground_truth
    critique = Critique(
        problem=problem,
        first=first.text,
        second=second.text,
        first_right=first.good if labels else None,
        second_right=second.good if labels else None,
    )
    reply = await session.generate(critique, settings.init_temperature)
    cost = session.count_tokens(reply)
    if reply.malformed is not None:
        return None
    guidance = reply.unwrap()
    kept = first if guidance.keep == "first" else second
    continues = settings.author == "continue"
    prefix = _kept_steps(kept, guidance.keep_steps) if continues else Prefix()
    author = Author(
        problem=problem, first=first.text, second=second.text, guidance=guidance, begun=continues
    )
    lineage = Lineage(
        operator=critique.case,
        parents=(first.id, second.id),
        round=round_,
        step=guidance.keep_steps if prefix.text else None,
    )
    written = await session.write(
        author, lineage, settings.init_temperature, prefix=prefix, cost=cost
    )
    return written[0] if written else None


def mutation_temperature(
    entropy: float, base_temperature: float, factor: float, most: float
) -> float:
    """Eq. 6: tau = tau_0 (1 + lambda H), and at most `most`.

    The bound is ours: with H in bits over five tokens the formula reaches 7.6, which is noise, and
    servers refuse more than 2.
    """
    return min(base_temperature * (1 + factor * entropy), most)


def choose_step(
    entropies: list[float], rule: Literal["highest", "proportional"], rng: Random
) -> int:
    """The index of the step to mutate: of highest entropy (eq. 5), or drawn in proportion to it.

    The first of equals; any where no entropy is known.

    Raises:
        ValueError: there are no steps.
    """
    if not entropies:
        raise ValueError("a trace without steps has none to mutate")
    if sum(entropies) <= 0:
        return rng.randrange(len(entropies))
    if rule == "highest":
        return entropies.index(max(entropies))
    return rng.choices(range(len(entropies)), entropies)[0]


async def resample(session: SearchSession, parent: Trace, round_: int) -> Trace | None:
    """The parent up to an uncertain step, and a new continuation at a higher temperature.

    At the first step, or where there are no steps, the whole solution is new (GLOBAL in the paper).

    Raises:
        TokensSpent: the tokens of this problem are used up.
    """
    settings = session.settings
    entropies = parent.step_entropies
    step = choose_step(entropies, settings.step_choice, session.rng("step")) if entropies else 0
    entropy = entropies[step] if entropies else 0.0
    temperature = mutation_temperature(
        entropy, settings.init_temperature, settings.entropy_factor, settings.max_temperature
    )
    lineage = Lineage(
        operator="local mutation" if step else "global mutation",
        parents=(parent.id,),
        round=round_,
        step=step,
        entropy=entropy,
    )
    problem, truth = session.problem.text, session.shown_answer
    if step:
        prefix = Prefix.of(parent, parent.steps[step].start)
        local = MutateLocal(problem=problem, truth=truth)
        written = await session.write(local, lineage, temperature, prefix=prefix)
    else:
        whole = MutateGlobal(problem=problem, previous=parent.text, truth=truth)
        written = await session.write(whole, lineage, temperature)
    return written[0] if written else None


class Branch(NamedTuple):
    """An alternative token at a position of a trace; `score` ranks it among the others."""

    score: float
    trace: Trace
    position: TokenPosition
    step: int
    token: str


@dataclass
class AlternativeQueue:
    """Alternatives that traces show and none has taken, at most `MAX_BRANCHES` of them.

    The top log-probabilities of a token name its alternatives. The score of one is the logarithm of
    likelihood ** `likelihood_exponent` / tokens: the likelihood of the whole trace (the tokens
    before the position, the alternative, the likeliest tokens after it) for the tokens that writing
    it takes. Models are more certain than they are right; an exponent below 1 flattens their
    likelihoods. So no alternative is tried twice, which sampling does most of the time where a
    model is certain, and a new trace costs only the tokens after the position.

    The order of independent steps changes nothing, so an alternative is identified by the *set* of
    steps before it, the beginning of its step and the token: it is not tried again in another
    order.
    """

    likelihood_exponent: float
    taken: set[BranchKey] = field(default_factory=set)
    branches: dict[BranchKey, Branch] = field(default_factory=dict)

    def add_trace(self, trace: Trace) -> None:
        """Mark the trace's own tokens as taken, and add its alternatives."""
        done: set[str] = set()
        before, after = 0.0, math.fsum(_max_logprob(position) for position in trace.positions)
        tokens = len(trace.positions)
        for index, step in enumerate(trace.steps):
            earlier = frozenset(done)
            for number, position in enumerate(trace.positions):
                if not step.start <= position.start < step.end:
                    continue
                after -= _max_logprob(position)
                begun = trace.text[_key_start(step, position) : position.start]
                own = (earlier, begun, trace.text[position.start : position.end])
                self.taken.add(own)
                self.branches.pop(own, None)
                for token, logprob in position.top:
                    likelihood = before + logprob + after
                    score = self.likelihood_exponent * likelihood - math.log(tokens - number)
                    branch = Branch(score, trace, position, index, token)
                    self._add((earlier, begun, token), branch)
                before += position.logprob
            done.add(step.body)
        if len(self.branches) > MAX_BRANCHES:
            self.branches = dict(heapq.nlargest(MAX_BRANCHES, self.branches.items(), key=_score))

    def pop(self) -> Branch | None:
        """The alternative of the highest score, which counts as taken from now on, or None."""
        if not self.branches:
            return None
        key, branch = max(self.branches.items(), key=_score)
        self.taken.add(key)
        del self.branches[key]
        return branch

    def _add(self, key: BranchKey, branch: Branch) -> None:
        # The end of the text and half characters cannot be continued.
        if key in self.taken or not branch.token or REPLACEMENT_CHARACTER in branch.token:
            return
        known = self.branches.get(key)
        if known is None or known.score < branch.score:
            self.branches[key] = branch


async def continue_from(session: SearchSession, branch: Branch, round_: int) -> Trace | None:
    """The trace that takes an alternative; None where the tokens ended on the way.

    Raises:
        TokensSpent: the tokens of this problem are used up.
    """
    trace, position = branch.trace, branch.position
    known = Prefix.of(trace, position.start)
    logprob = dict(position.top)[branch.token]
    end = position.start + len(branch.token)
    taken = TokenPosition(position.start, end, logprob, position.entropy, position.top)
    prefix = Prefix(known.text + branch.token, (*known.positions, taken))
    lineage = Lineage(
        operator="alternative",
        parents=(trace.id,),
        round=round_,
        step=branch.step,
        entropy=trace.step_entropies[branch.step],
    )
    prompt = MutateLocal(problem=session.problem.text, truth=session.shown_answer)
    temperature = session.settings.branch_temperature
    written = await session.write(prompt, lineage, temperature, prefix=prefix)
    return written[0] if written else None


def _kept_steps(trace: Trace, count: int) -> Prefix:
    """The first `count` steps of a trace; nothing where that would be all of it."""
    return Prefix.of(trace, trace.steps[count].start) if count < len(trace.steps) else Prefix()


def _score(item: tuple[BranchKey, Branch]) -> float:
    return item[1].score


def _key_start(step: Step, position: TokenPosition) -> int:
    """The start of the step's text in a key: without the step's number where possible."""
    return step.inner if position.start >= step.inner else step.start


def _max_logprob(position: TokenPosition) -> float:
    return max((logprob for _, logprob in position.top), default=position.logprob)
