"""Rows of one search: the best trace, the problem itself, and pairs; and their typed detail."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from rapidfuzz.distance import Prefix

from synthmill.generators.cotevol.population import fitnesses
from synthmill.generators.cotevol.search import SearchSession
from synthmill.generators.cotevol.settings import CotevolSettings
from synthmill.generators.cotevol.traces import INITIAL, Lineage, Trace
from synthmill.schemas.base import Record
from synthmill.schemas.identity import content_id
from synthmill.schemas.messages import user
from synthmill.schemas.row import Candidate, Score
from synthmill.schemas.verdict import Verdict

Mode = Literal["ground truth judges", "ground truth in prompts", "self-evaluation"]

REWARD = "answer_equivalence@1"  # for problems that name none: the filter of that name
MAX_RECORDED_ANSWER = 200  # characters


class TraceRecord(Record):
    """One trace of a search, without its text; an answer is cut at `MAX_RECORDED_ANSWER`."""

    id: str
    lineage: Lineage
    answer: str | None
    right: bool | None
    fault: str | None
    length: int
    confidence: float | None
    cost: int

    @classmethod
    def of(cls, trace: Trace) -> "TraceRecord":
        """The record of a trace."""
        return cls(
            id=trace.id,
            lineage=trace.lineage,
            answer=trace.answer[:MAX_RECORDED_ANSWER] if trace.answer is not None else None,
            right=trace.right,
            fault=trace.fault,
            length=trace.length,
            confidence=trace.confidence,
            cost=trace.cost,
        )

    def line(self) -> str:
        """How the trace was made, its answer and its judgement, as one line of text."""
        lineage = self.lineage
        parts = [f"{self.id} {lineage.operator}"]
        parts += [f"round {lineage.round}"] if lineage.round else []
        parts += [f"with {', '.join(lineage.parents[1:])}"] if lineage.parents[1:] else []
        parts += [f"at step {lineage.step + 1}"] if lineage.step is not None else []
        parts += [f"entropy {lineage.entropy:.2f}"] if lineage.entropy is not None else []
        judgement = {True: "right", False: "wrong", None: "not judged"}[self.right]
        fault = f" ({self.fault})" if self.fault else ""
        return f"{', '.join(parts)}: {self.answer} {judgement}{fault}"


class Divergence(Record):
    """The place where two traces differ: after `characters` in common, in step `step` (from 0)."""

    characters: int
    step: int


class EvolutionRecord(Record):
    """The `detail` of a row: the whole search, and which of its traces the row shows.

    `tokens` counts all that were generated, by critics, authors and self-evaluations too.
    """

    strategy: str
    preset: str
    mode: Mode
    rounds: int
    stopped: str
    tokens: int
    initial: int
    initial_right: int
    row_traces: list[str]
    divergence: Divergence | None = None
    traces: list[TraceRecord]

    def lines(self, verbose: bool = False) -> Iterator[str]:
        """The search in one line, then the row's traces and their ancestors; or the whole family.

        With `verbose`, every trace is indented under its first parent.
        """
        yield f"{self.strategy}, {self.mode}: {self.tokens} tokens, {self.stopped}"
        depth: dict[str, int] = {}
        known = {trace.id: trace for trace in self.traces}
        wanted = known.keys() if verbose else self._with_ancestors(known)
        children: defaultdict[str | None, list[TraceRecord]] = defaultdict(list)
        for trace in self.traces:  # parents come before their children
            parents = trace.lineage.parents
            children[parents[0] if parents else None].append(trace)
            depth[trace.id] = depth[parents[0]] + 1 if parents else 0
        waiting = children[None][::-1]
        while waiting:
            trace = waiting.pop()
            waiting += children[trace.id][::-1]
            if trace.id in wanted:
                mark = "  <- this row" if trace.id in self.row_traces else ""
                yield "  " * depth[trace.id] + trace.line() + mark

    def _with_ancestors(self, known: Mapping[str, TraceRecord]) -> set[str]:
        waiting, found = list(self.row_traces), set[str]()
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += known[name].lineage.parents
        return found


def candidates(session: SearchSession, stopped: str) -> Iterator[Candidate]:
    """The rows of a search, in the order sft, rlvr, preference."""
    emit = session.settings.emit
    ranked = _ranked(session)
    best = _sft(session, ranked[0], stopped) if ranked else None
    if best is not None and "sft" in emit:
        yield best
    if "rlvr" in emit and session.judge.has_ground_truth:
        yield _rlvr(session, stopped)
    if "preference" in emit:
        for chosen, rejected in pairs(session.archive, session.settings.pairs):
            parents = [content_id(best)] if best is not None and chosen is ranked[0] else []
            yield _preference(session, chosen, rejected, parents, stopped)


def pairs(archive: Sequence[Trace], most: int) -> list[tuple[Trace, Trace]]:
    """Pairs of a right and a wrong trace, at most `most`: those that share the most steps first.

    No trace is used twice on one side. Incomplete traces are never the rejected side: they would
    teach length.
    """
    right = [trace for trace in archive if trace.good]
    wrong = [t for t in archive if t.right is False and t.complete and t.answer is not None]
    by_shared_steps = sorted(
        ((divergence(r, w).step, r, w) for r in right for w in wrong), key=lambda found: -found[0]
    )
    chosen: list[tuple[Trace, Trace]] = []
    for _, good, bad in by_shared_steps:
        if len(chosen) == most:
            break
        if all(good is not used and bad is not other for used, other in chosen):
            chosen.append((good, bad))
    return chosen


def divergence(first: Trace, second: Trace) -> Divergence:
    """Where two traces differ: the characters in common, and the first's step at that place."""
    common = Prefix.similarity(first.text, second.text)
    step = sum(1 for step in first.steps if step.end <= common)
    return Divergence(characters=common, step=step)


def _ranked(session: SearchSession) -> list[Trace]:
    """All traces, best first; a right one comes before every wrong one, whatever the preset."""
    archive = session.archive
    scores = fitnesses(archive, session.settings)
    order = sorted(range(len(archive)), key=lambda i: (-archive[i].good, -scores[i], i))
    return [archive[index] for index in order]


def _sft(session: SearchSession, best: Trace, stopped: str) -> Candidate:
    verdicts = []
    if not best.good:
        unsolved = "no right answer found" if session.judge.has_ground_truth else "not trusted"
        # A wrong answer outranks a fault on the way to it.
        fault = None if best.right is False else best.fault
        verdicts = [Verdict(filter="cotevol", status="fail", reason=fault or unsolved)]
    return Candidate(
        kind="sft",
        messages=[user(session.problem.text), best.message],
        answer=session.problem.answer,
        scores=_scores(best),
        verdicts=verdicts,
        sources=[session.problem.origin],
        detail=_detail(session, [best], stopped),
    )


def _rlvr(session: SearchSession, stopped: str) -> Candidate:
    problem, initial = session.problem, _initial(session)
    rate, verdicts = None, []
    # The pass rate of answers that nobody could read would measure their form.
    if any(trace.answer is not None for trace in initial):
        rate = sum(bool(t.right) for t in initial) / len(initial)
    if all(trace.answer is None for trace in session.archive):
        verdicts = [Verdict(filter="cotevol", status="fail", reason="no readable answer")]
    elif not any(trace.right for trace in session.archive):
        verdicts = [Verdict(filter="cotevol", status="fail", reason="never solved")]
    return Candidate(
        kind="rlvr",
        messages=[user(problem.text)],
        answer=problem.answer,
        reward=problem.reward or REWARD,
        reward_args=problem.reward_args,
        pass_rate=rate,
        difficulty=None if rate is None else 1 - rate,
        verdicts=verdicts,
        sources=[problem.origin],
        detail=_detail(session, initial, stopped),
    )


def _preference(
    session: SearchSession, chosen: Trace, rejected: Trace, parents: list[str], stopped: str
) -> Candidate:
    apart = divergence(chosen, rejected)
    return Candidate(
        kind="preference",
        messages=[user(session.problem.text)],
        chosen=[chosen.message],
        rejected=[rejected.message],
        answer=session.problem.answer,
        scores=[Score(name="divergence_step", value=apart.step), *_scores(chosen)],
        sources=[session.problem.origin],
        parents=parents,
        detail=_detail(session, [chosen, rejected], stopped, apart),
    )


def _scores(trace: Trace) -> list[Score]:
    scores = [Score(name="steps", value=len(trace.steps))]
    if trace.confidence is not None:
        scores.append(Score(name="confidence", value=trace.confidence))
    return scores


def _initial(session: SearchSession) -> list[Trace]:
    return [trace for trace in session.archive if trace.lineage.operator == INITIAL]


def _detail(
    session: SearchSession, shown: Sequence[Trace], stopped: str, apart: Divergence | None = None
) -> str:
    archive, settings, initial = session.archive, session.settings, _initial(session)
    return EvolutionRecord(
        strategy=settings.strategy,
        preset=settings.preset,
        mode=_mode(settings, session.judge.has_ground_truth),
        rounds=max((trace.lineage.round for trace in archive), default=0),
        stopped=stopped,
        tokens=session.spent,
        initial=len(initial),
        initial_right=sum(bool(trace.right) for trace in initial),
        row_traces=[trace.id for trace in shown],
        divergence=apart,
        traces=[TraceRecord.of(trace) for trace in archive],
    ).model_dump_json()


def _mode(settings: CotevolSettings, has_ground_truth: bool) -> Mode:
    if not has_ground_truth:
        return "self-evaluation"
    return "ground truth in prompts" if settings.ground_truth_in_prompts else "ground truth judges"
