"""From the traces of one problem to rows: the best one, the problem itself, and pairs."""

from collections.abc import Iterator, Sequence

from rapidfuzz.distance import Prefix

from synthmill.generators.cotevol.population import fitnesses
from synthmill.generators.cotevol.record import EvolutionRecord, Parting, TraceRecord, mode_of
from synthmill.generators.cotevol.traces import Trace
from synthmill.generators.cotevol.workshop import Workshop
from synthmill.schemas.identity import content_id
from synthmill.schemas.messages import assistant, user
from synthmill.schemas.row import Candidate, Score
from synthmill.schemas.verdict import Verdict

REWARD = "answer_equivalence@1"  # for problems that name none: the filter of that name
FIRST = "first"


def candidates(workshop: Workshop, stopped: str) -> Iterator[Candidate]:
    """The rows of an evolution, in the order sft, rlvr, preference."""
    archive, emit = workshop.archive, workshop.settings.emit
    ranked = _ranked(workshop)
    best = _sft(workshop, ranked[0], stopped) if ranked else None
    if best is not None and "sft" in emit:
        yield best
    if "rlvr" in emit and workshop.judge.can_tell:
        yield _rlvr(workshop, stopped)
    if "preference" in emit:
        for chosen, rejected in pairs(archive, workshop.settings.pairs):
            bred = [content_id(best)] if best is not None and chosen is ranked[0] else []
            yield _preference(workshop, chosen, rejected, bred, stopped)


def pairs(archive: Sequence[Trace], most: int) -> list[tuple[Trace, Trace]]:
    """Right and wrong siblings, at most `most`: those that share the most steps first.

    No trace is used twice on one side. Incomplete traces are not rejected ones: they would teach
    length.
    """
    right = [trace for trace in archive if trace.good]
    wrong = [t for t in archive if t.right is False and t.complete and t.answer is not None]
    shared = sorted(
        ((parting(r, w).step, r, w) for r in right for w in wrong), key=lambda found: -found[0]
    )
    chosen: list[tuple[Trace, Trace]] = []
    for _, good, bad in shared:
        if len(chosen) == most:
            break
        if all(good is not used and bad is not other for used, other in chosen):
            chosen.append((good, bad))
    return chosen


def parting(first: Trace, second: Trace) -> Parting:
    """Where two traces part: the characters in common, and the step in which the first goes on."""
    common = Prefix.similarity(first.text, second.text)
    step = sum(1 for step in first.steps if step.end <= common)
    return Parting(characters=common, step=step)


def _ranked(workshop: Workshop) -> list[Trace]:
    """All traces, best first; whatever the preset, a right one is never behind a wrong one."""
    archive = workshop.archive
    scores = fitnesses(archive, workshop.settings)
    order = sorted(range(len(archive)), key=lambda i: (-archive[i].good, -scores[i], i))
    return [archive[index] for index in order]


def _sft(workshop: Workshop, best: Trace, stopped: str) -> Candidate:
    verdicts = []
    if not best.good:
        reason = best.fault or (
            "no right answer found" if workshop.judge.can_tell else "not trusted"
        )
        verdicts = [Verdict(filter="cotevol", status="fail", reason=reason)]
    return Candidate(
        kind="sft",
        messages=[user(workshop.problem.text), assistant(best.text)],
        answer=workshop.problem.answer,
        scores=_scores(best),
        verdicts=verdicts,
        sources=[workshop.problem.origin],
        detail=_detail(workshop, [best], stopped),
    )


def _rlvr(workshop: Workshop, stopped: str) -> Candidate:
    problem = workshop.problem
    initial = [trace for trace in workshop.archive if trace.lineage.operator == FIRST]
    rate = sum(bool(t.right) for t in initial) / len(initial) if initial else None
    return Candidate(
        kind="rlvr",
        messages=[user(problem.text)],
        answer=problem.answer,
        reward=problem.reward or REWARD,
        reward_args=problem.reward_args,
        pass_rate=rate,
        difficulty=None if rate is None else 1 - rate,
        sources=[problem.origin],
        detail=_detail(workshop, initial, stopped),
    )


def _preference(
    workshop: Workshop, chosen: Trace, rejected: Trace, bred: list[str], stopped: str
) -> Candidate:
    apart = parting(chosen, rejected)
    return Candidate(
        kind="preference",
        messages=[user(workshop.problem.text)],
        chosen=[assistant(chosen.text)],
        rejected=[assistant(rejected.text)],
        answer=workshop.problem.answer,
        scores=[Score(name="parting_step", value=apart.step), *_scores(chosen)],
        sources=[workshop.problem.origin],
        parents=bred,
        detail=_detail(workshop, [chosen, rejected], stopped, apart),
    )


def _scores(trace: Trace) -> list[Score]:
    scores = [Score(name="steps", value=len(trace.steps))]
    if trace.confidence is not None:
        scores.append(Score(name="confidence", value=trace.confidence))
    return scores


def _detail(
    workshop: Workshop, shown: Sequence[Trace], stopped: str, apart: Parting | None = None
) -> str:
    archive, settings = workshop.archive, workshop.settings
    initial = [trace for trace in archive if trace.lineage.operator == FIRST]
    return EvolutionRecord(
        strategy=settings.strategy,
        preset=settings.preset,
        mode=mode_of(settings, workshop.judge.can_tell),
        rounds=max((trace.lineage.round for trace in archive), default=0),
        stopped=stopped,
        tokens=workshop.spent,
        initial=len(initial),
        initial_right=sum(bool(trace.right) for trace in initial),
        row_traces=[trace.id for trace in shown],
        parting=apart,
        traces=[TraceRecord.of(trace) for trace in archive],
    ).model_dump_json()
