"""Strategies that find the traces of a problem: CoTEvol (section 3) and the paper's two baselines.

A strategy writes traces through the session and returns the reason why it ended. Each raises
`TokensSpent` when the tokens of the problem are used up.
"""

from dataclasses import dataclass, field

from synthmill.generators.cotevol.operators import (
    AlternativeQueue,
    Branch,
    continue_from,
    cross,
    resample,
)
from synthmill.generators.cotevol.population import (
    boltzmann,
    converged,
    distinct,
    fitnesses,
    sample_without_replacement,
    survivors,
)
from synthmill.generators.cotevol.prompts import Refine, Solve
from synthmill.generators.cotevol.search import SearchSession
from synthmill.generators.cotevol.traces import INITIAL, Lineage, Trace

# Ours: samples of one request of best-of-n; the budget is checked between requests.
SAMPLES_PER_REQUEST = 4


async def evolve(session: SearchSession) -> str:
    """CoTEvol: an initial population, rounds of crossover and mutation, survivors."""
    return await Evolution(session).run()


async def best_of_n(session: SearchSession) -> str:
    """The baseline: `samples` independent solutions at `init_temperature`."""
    left = session.settings.samples
    while left:
        n = min(SAMPLES_PER_REQUEST, left)
        await _first_solutions(session, n)
        left -= n
    return "all samples made"


async def self_refine(session: SearchSession) -> str:
    """The baseline of section 4.1: first solutions, each reviewed and rewritten in rounds."""
    settings, problem = session.settings, session.problem.text
    drafts = await _first_solutions(session, settings.population_size)
    for round_ in range(1, settings.refine_rounds + 1):
        for index, draft in enumerate(drafts):
            lineage = Lineage(operator="refine", parents=(draft.id,), round=round_)
            prompt = Refine(problem=problem, draft=draft.text)
            better = await session.write(prompt, lineage, settings.init_temperature)
            drafts[index] = better[0] if better else draft
    return "all rounds done"


STRATEGIES = {"cotevol": evolve, "best_of_n": best_of_n, "self_refine": self_refine}


async def _first_solutions(session: SearchSession, n: int) -> list[Trace]:
    prompt = Solve(problem=session.problem.text)
    lineage = Lineage(operator=INITIAL)
    return await session.write(prompt, lineage, session.settings.init_temperature, n=n)


@dataclass
class Evolution:
    """The state of one evolution: the population, and the alternatives that are left to try."""

    session: SearchSession
    population: list[Trace] = field(default_factory=list)
    alternatives: AlternativeQueue = field(init=False)
    _added: int = 0

    def __post_init__(self) -> None:
        """Start with an empty queue."""
        self.alternatives = AlternativeQueue(self.session.settings.likelihood_exponent)

    async def run(self) -> str:
        """Run all rounds; returns why the evolution ended."""
        settings = self.session.settings
        await self._begin()
        for round_ in range(1, settings.rounds + 1):
            before = self.population
            children = await self._round(round_)
            self.population = survivors([*self.population, *children], settings)
            if settings.stop_when_converged and converged(before, self.population):
                return "converged"
        if not any(trace.good for trace in self.session.archive):
            await self._fall_back()
        return "all rounds done"

    async def _begin(self) -> None:
        """The initial population: complete, distinct, filled up `init_attempts` times at most.

        Where the model repeats itself too often to fill it, repeated traces take the free places.
        """
        settings, size = self.session.settings, self.session.settings.population_size
        chosen: list[Trace] = []
        for _ in range(settings.init_attempts):
            fresh = await _first_solutions(self.session, size - len(chosen))
            usable = [trace for trace in [*chosen, *fresh] if trace.complete]
            chosen = distinct(usable, settings.distinctness, self.session.rng("distinct"))
            if len(chosen) >= size:
                break
        spare = [t for t in self.session.archive if all(t is not other for other in chosen)]
        self.population = survivors([*chosen, *spare[: size - len(chosen)]], settings)

    async def _round(self, round_: int) -> list[Trace]:
        settings = self.session.settings
        children: list[Trace | None] = []
        for _ in range(settings.crossovers_per_round):
            parents = self._parents(2)
            worth_it = settings.cross_failures or any(parent.good for parent in parents)
            if len(parents) == 2 and worth_it:
                children.append(await cross(self.session, parents[0], parents[1], round_))
        offspring = next((child for child in reversed(children) if child is not None), None)
        mutations = range(settings.mutations_per_round)
        children += [await self._mutation(offspring, round_) for _ in mutations]
        return [child for child in children if child is not None]

    async def _mutation(self, offspring: Trace | None, round_: int) -> Trace | None:
        settings = self.session.settings
        if settings.mutation == "alternatives" and (branch := self._alternative()) is not None:
            return await continue_from(self.session, branch, round_)
        if settings.mutation_target == "offspring" and offspring is not None:
            return await resample(self.session, offspring, round_)
        parents = self._parents(1)
        return await resample(self.session, parents[0], round_) if parents else None

    def _alternative(self) -> Branch | None:
        """The best alternative; None where none is left or log-probabilities are unknown."""
        for trace in self.session.archive[self._added :]:
            self.alternatives.add_trace(trace)
        self._added = len(self.session.archive)
        return self.alternatives.pop()

    def _parents(self, count: int) -> list[Trace]:
        settings = self.session.settings
        weights = boltzmann(fitnesses(self.population, settings), settings.selection_temperature)
        rng = self.session.rng("parents")
        return sample_without_replacement(rng, self.population, weights, count)

    async def _fall_back(self) -> None:
        """The paper's last resort where nothing is right: solutions at falling temperatures."""
        settings = self.session.settings
        lineage = Lineage(operator="lower temperature", round=settings.rounds + 1)
        for temperature in settings.fallback_temperatures:
            prompt = Solve(problem=self.session.problem.text)
            written = await self.session.write(prompt, lineage, temperature)
            if any(trace.good for trace in written):
                return
