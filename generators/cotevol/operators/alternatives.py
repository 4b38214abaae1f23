"""Mutation through untried alternatives: ours, in place of regenerating an uncertain step blindly.

A token's top log-probabilities name the other ways on from its place. The frontier holds all that
no trace has taken yet, and gives out the most promising: the one whose whole trace would be likely
(what was known before the place, the alternative itself, and the best of what followed) for the
tokens that writing it takes. So no way is taken twice, which sampling does most of the time where a
model is sure of itself, and every new trace costs only what comes behind the place.

The order of independent steps changes nothing. So a way is known by the *set* of steps before it,
its step's text so far and the token: taken once, it is not taken again in another order.
"""

import heapq
import math
from dataclasses import dataclass, field
from typing import NamedTuple

from synthmill.generators.cotevol.prompts.mutate import MutateLocal
from synthmill.generators.cotevol.traces import Lineage, Place, Step, Trace
from synthmill.generators.cotevol.workshop import Start, Workshop

Way = tuple[frozenset[str], str, str]
BROKEN = "\ufffd"  # half of a character
# Ours: more than a search can take, and little enough that long traces do not fill the memory.
MOST_OPEN = 2000


class Branch(NamedTuple):
    """An alternative at a place of a trace, and how promising it is."""

    promise: float
    trace: Trace
    place: Place
    step: int
    token: str


@dataclass
class Frontier:
    """All ways that traces show and none has taken, at most `MOST_OPEN` of them.

    The promise of a way is the logarithm of likelihood ** `trust` / tokens: what it should bring
    for what it costs. A model's likelihoods are surer than it is right; `trust` below 1 flattens
    them.
    """

    trust: float
    taken: set[Way] = field(default_factory=set)
    branches: dict[Way, Branch] = field(default_factory=dict)

    def learn(self, trace: Trace) -> None:
        """Add the trace's own ways to those taken, and its alternatives to those open."""
        done: set[str] = set()
        before, after = 0.0, math.fsum(_likeliest(place) for place in trace.places)
        tokens = len(trace.places)
        for index, step in enumerate(trace.steps):
            state = frozenset(done)
            for number, place in enumerate(trace.places):
                if not step.start <= place.start < step.end:
                    continue
                after -= _likeliest(place)
                begun = trace.text[_beginning(step, place) : place.start]
                own = (state, begun, trace.text[place.start : place.end])
                self.taken.add(own)
                self.branches.pop(own, None)
                for token, logprob in place.top:
                    likelihood = before + logprob + after
                    promise = self.trust * likelihood - math.log(tokens - number)
                    branch = Branch(promise, trace, place, index, token)
                    self._open((state, begun, token), branch)
                before += place.logprob
            done.add(step.body)
        if len(self.branches) > MOST_OPEN:
            self.branches = dict(heapq.nlargest(MOST_OPEN, self.branches.items(), key=_promise))

    def best(self) -> Branch | None:
        """The most promising open way, which counts as taken from now on; None: there is none."""
        if not self.branches:
            return None
        way, branch = max(self.branches.items(), key=_promise)
        self.taken.add(way)
        del self.branches[way]
        return branch

    def _open(self, way: Way, branch: Branch) -> None:
        """Remember a way that none has taken, by its best branch."""
        # The end of the text and half characters are no ways on.
        if way in self.taken or not branch.token or BROKEN in branch.token:
            return
        known = self.branches.get(way)
        if known is None or known.promise < branch.promise:
            self.branches[way] = branch


def _promise(item: tuple[Way, Branch]) -> float:
    return item[1].promise


def _beginning(step: Step, place: Place) -> int:
    """Where the step's text begins that a way is known by: its number is left out if it can be."""
    return step.inner if place.start >= step.inner else step.start


def _likeliest(place: Place) -> float:
    return max((logprob for _, logprob in place.top), default=place.logprob)


async def branch_off(workshop: Workshop, branch: Branch, round_: int) -> Trace | None:
    """The trace behind an alternative; None where the tokens ended on the way.

    Raises:
        Spent: the tokens of this problem are used up.
    """
    trace, place = branch.trace, branch.place
    known = Start.of(trace, place.start)
    logprob = dict(place.top)[branch.token]
    end = place.start + len(branch.token)
    start = Start(
        known.text + branch.token,
        (*known.places, Place(place.start, end, logprob, place.entropy, place.top)),
    )
    lineage = Lineage(
        operator="alternative",
        parents=(trace.id,),
        round=round_,
        step=branch.step,
        entropy=trace.step_entropies[branch.step],
    )
    prompt = MutateLocal(problem=workshop.problem.text, truth=workshop.truth)
    made = await workshop.write(prompt, lineage, workshop.settings.branch_temperature, start=start)
    return made[0] if made else None
