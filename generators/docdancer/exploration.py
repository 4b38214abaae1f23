"""Exploration: intent and action, step by step, and the trace that questions are made from.

Paper, section 3.2: (i_t, u_t) ~ M_e(. | h_t, D), y_t = T(u_t, D), h_t+1 = h_t + (i_t, u_t, y_t).
"""

import json
from collections.abc import Sequence

from synthmill.generators.agent.tools import Call, Toolbox
from synthmill.generators.docdancer.prompts import (
    FINISH,
    ExploredCall,
    ExploreDocument,
    NextStep,
)
from synthmill.generators.docdancer.records import ExplorationStep
from synthmill.generators.docdancer.task import DocumentTask
from synthmill.generators.docdancer.tools import cut, toolbox
from synthmill.schemas.identity import canonical_json
from synthmill.sources.documents.prompt_documents import (
    PromptDocument,
    PromptDocuments,
    neutralize_markup,
)


async def explore(task: DocumentTask) -> list[ExplorationStep]:
    """The steps of an exploration, up to the depth, a `finish`, or no new call after all tries."""
    settings, tools = task.settings.exploration, toolbox(task)
    steps: list[ExplorationStep] = []
    while len(steps) < settings.depth:
        step = await _next(task, tools, steps)
        if step is None:
            break
        steps.append(step)
    return steps


async def _next(
    task: DocumentTask, tools: Toolbox, steps: Sequence[ExplorationStep]
) -> ExplorationStep | None:
    """The next step; None where the model finishes or proposes nothing new."""
    settings = task.settings.exploration
    used = [call_name(step.tool, step.arguments) for step in steps]
    for proposal in range(1, settings.tries + 1):
        prompt = ExploreDocument(
            outline=task.outline,
            steps=explored(steps, settings.earlier_chars),
            used=tuple(map(neutralize_markup, used)),
            left=settings.depth - len(steps),
            proposal=proposal,
        )
        reply = await task.context.generate(
            prompt,
            purpose=f"explore/{len(steps)}/{proposal}",
            role="explorer",
            sampling=settings.sampling,
        )
        if reply.value is None:
            continue
        if reply.value.tool == FINISH:
            return None
        arguments = arguments_of(reply.value)
        if call_name(reply.value.tool, arguments) in used:
            continue
        call = Call(id=f"explore_{len(steps)}", name=reply.value.tool, arguments=arguments)
        observation = await tools.call(call)
        return ExplorationStep(
            step=len(steps) + 1,
            intent=reply.value.intent,
            tool=call.name,
            arguments=arguments,
            observation=observation.text,
            failed=observation.failed,
        )
    return None


def arguments_of(step: NextStep) -> str:
    """The arguments of a step's call as JSON text."""
    if step.tool == "search":
        return canonical_json({"keywords": step.keywords})
    return canonical_json({"section_ids": step.section_ids, "goal": step.goal})


def call_name(tool: str, arguments: str) -> str:
    """Equal for calls that bring the same: keywords or sections, whatever their order and goal."""
    given = json.loads(arguments)
    named = given.get("keywords") or given.get("section_ids") or []
    return f"{tool} {', '.join(sorted({str(one).strip().casefold() for one in named}))}"


def explored(steps: Sequence[ExplorationStep], chars: int) -> tuple[ExploredCall, ...]:
    """The steps as prompts show them: the last observation whole, earlier ones cut to `chars`."""
    return tuple(
        ExploredCall(
            intent=neutralize_markup(step.intent),
            tool=step.tool,
            arguments=neutralize_markup(step.arguments),
            observation=_observed(step, None if step is steps[-1] else chars),
        )
        for step in steps
    )


def _observed(step: ExplorationStep, chars: int | None) -> PromptDocuments:
    text = step.observation if chars is None else cut(step.observation, chars)
    return PromptDocuments(documents=(PromptDocument(f"step {step.step}", text),))
