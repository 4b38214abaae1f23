"""The evolution: a first population, rounds of crossover and mutation, survivors (section 3)."""

from dataclasses import dataclass, field

from synthmill.generators.cotevol.operators.alternatives import Branch, Frontier, branch_off
from synthmill.generators.cotevol.operators.crossover import cross
from synthmill.generators.cotevol.operators.mutation import mutate
from synthmill.generators.cotevol.population import converged, distinct, fitnesses, survivors
from synthmill.generators.cotevol.prompts.solve import Solve
from synthmill.generators.cotevol.selection import boltzmann, draw
from synthmill.generators.cotevol.traces import Lineage, Trace
from synthmill.generators.cotevol.workshop import Workshop


async def evolve(workshop: Workshop) -> str:
    """Breeds traces until a stated end, which is returned.

    Raises:
        Spent: the tokens of this problem are used up.
    """
    return await Evolution(workshop).run()


@dataclass
class Evolution:
    """The state of one evolution: who lives, and which ways on are open."""

    workshop: Workshop
    population: list[Trace] = field(default_factory=list)
    frontier: Frontier = field(init=False)
    _learnt: int = 0

    def __post_init__(self) -> None:
        """Open an empty frontier."""
        self.frontier = Frontier(self.workshop.settings.trust)

    async def run(self) -> str:
        """All rounds; says why it ended."""
        settings = self.workshop.settings
        await self._begin()
        for round_ in range(1, settings.rounds + 1):
            before = self.population
            children = await self._round(round_)
            self.population = survivors([*self.population, *children], settings)
            if settings.stop_when_converged and converged(before, self.population):
                return "converged"
        if not any(trace.good for trace in self.workshop.archive):
            await self._fall_back()
        return "all rounds done"

    async def _begin(self) -> None:
        """The first population: complete, distinct, filled up `init_attempts` times at most.

        Where the model repeats itself too much to fill it, what was written stands in.
        """
        settings, size = self.workshop.settings, self.workshop.settings.population_size
        chosen: list[Trace] = []
        for _ in range(settings.init_attempts):
            fresh = await self._solve(size - len(chosen), settings.init_temperature, 0)
            usable = [trace for trace in [*chosen, *fresh] if trace.complete]
            chosen = distinct(usable, settings.distinctness, self.workshop.rng("distinct"))
            if len(chosen) >= size:
                break
        spare = [t for t in self.workshop.archive if all(t is not other for other in chosen)]
        self.population = survivors([*chosen, *spare[: size - len(chosen)]], settings)

    async def _round(self, round_: int) -> list[Trace]:
        settings = self.workshop.settings
        children: list[Trace | None] = []
        for _ in range(settings.crossovers_per_round):
            parents = self._parents(2)
            worth_it = settings.cross_failures or any(parent.good for parent in parents)
            if len(parents) == 2 and worth_it:
                children.append(await cross(self.workshop, parents[0], parents[1], round_))
        offspring = next((child for child in reversed(children) if child is not None), None)
        mutations = range(settings.mutations_per_round)
        children += [await self._mutation(offspring, round_) for _ in mutations]
        return [child for child in children if child is not None]

    async def _mutation(self, offspring: Trace | None, round_: int) -> Trace | None:
        settings = self.workshop.settings
        if settings.mutation == "alternatives" and (branch := self._alternative()) is not None:
            return await branch_off(self.workshop, branch, round_)
        if settings.mutation_target == "offspring" and offspring is not None:
            return await mutate(self.workshop, offspring, round_)
        parents = self._parents(1)
        return await mutate(self.workshop, parents[0], round_) if parents else None

    def _alternative(self) -> Branch | None:
        """The most promising way on; None where none is left or log-probabilities are unknown."""
        for trace in self.workshop.archive[self._learnt :]:
            self.frontier.learn(trace)
        self._learnt = len(self.workshop.archive)
        return self.frontier.best()

    def _parents(self, count: int) -> list[Trace]:
        settings = self.workshop.settings
        odds = boltzmann(fitnesses(self.population, settings), settings.selection_temperature)
        return draw(self.workshop.rng("parents"), self.population, odds, count)

    async def _fall_back(self) -> None:
        """Lower and lower temperatures while nothing is right; the last resort of the paper."""
        for temperature in self.workshop.settings.fallback_temperatures:
            made = await self._solve(1, temperature, self.workshop.settings.rounds + 1)
            if any(trace.good for trace in made):
                return

    async def _solve(self, n: int, temperature: float, round_: int) -> list[Trace]:
        operator = "lower temperature" if round_ else "first"
        lineage = Lineage(operator=operator, round=round_)
        return await self.workshop.write(
            Solve(problem=self.workshop.problem.text), lineage, temperature, n=n
        )
