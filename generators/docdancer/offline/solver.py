"""The readers and the teacher by rule: they take questions apart as the forms write them."""

import json
import re
from collections.abc import Sequence
from random import Random

from synthmill.generators.docdancer.offline.forms import solve_question, words_of
from synthmill.generators.docdancer.offline.knowledge import Knowledge
from synthmill.generators.docdancer.offline.reading import read_view
from synthmill.generators.docdancer.offline.solutions import Solution
from synthmill.generators.docdancer.prompts import (
    AnswerFromPages,
    DocumentAgentTurn,
    FoundAnswer,
)
from synthmill.models.offline import answers
from synthmill.rewards.mmlongbench import UNANSWERABLE
from synthmill.schemas.messages import Message

UNKNOWN = "unknown"
SEARCHING = (
    "I look for {words} first.",
    "The question turns on {words}; where does the document mention it?",
    "To find the right sections, I search for {words}.",
)
READING_ON = (
    "The matches are in {all}; I read {sections} next.",
    "What was found is in {all}. Now {sections} in full.",
    "I cannot answer yet: {sections} may hold the value.",
)
CARELESS = 0.25  # how often a rollout is careless: it answers from what the outline shows
_ITEM_SECTION = re.compile(r'<Item type="[^"]*" section_id="([\d.]+)"')
_BEYOND = re.compile(r"^number of |\s*\(.*\)|\s+(?:given )?in .*$")


@answers(AnswerFromPages)
def answered(prompt: AnswerFromPages, rng: Random) -> FoundAnswer:
    """The answer that the pages prove."""
    known = Knowledge(read_view(page.text for page in prompt.pages.documents))
    found = solve_question(known, prompt.question)
    return FoundAnswer(answer=found.answer if found else UNKNOWN)


@answers(DocumentAgentTurn)
def next_turn(prompt: DocumentAgentTurn, rng: Random) -> str:
    """Search for the words of the question, read the sections found, then compute."""
    outline = prompt.conversation[0].text
    observed = [m.text for m in prompt.conversation if m.role == "tool"]
    careless = Random(f"{rng.random()}").random() < CARELESS / 2 and not observed
    if careless:
        return _guess(outline, prompt.question)
    calls = _calls(prompt.conversation)
    wanted = list(dict.fromkeys(map(_keyword, words_of(prompt.question))))
    searched = {word for call in calls for word in call.get("keywords", [])}
    new = [word for word in wanted if word not in searched]
    if new:
        new = new if rng.random() < 0.5 else [rng.choice(new)]
        thought = rng.choice(SEARCHING).format(words=", ".join(map(repr, new)))
        return _call(thought, "search", {"keywords": new})
    found_sections = list(dict.fromkeys(_ITEM_SECTION.findall("\n".join(observed))))
    read = {name for call in calls for name in call.get("section_ids", [])}
    left = [name for name in found_sections if name not in read]
    if left:
        goal = f"Find {', '.join(wanted)}: {prompt.question}"
        some = sorted(rng.sample(left, rng.randint(1, min(2, len(left)))))
        thought = rng.choice(READING_ON).format(sections=", ".join(some), all=", ".join(left))
        return _call(thought, "read", {"section_ids": some, "goal": goal})
    found = solve_question(Knowledge(read_view(observed)), prompt.question)
    return _final(found, sorted(read))


def _guess(outline: str, question: str) -> str:
    """An answer from the outline, without a look at the document."""
    found = solve_question(Knowledge(read_view([outline])), question)
    if found is None or found.answer == UNANSWERABLE:
        return "<think>The outline does not show it.</think>\n<answer>Not answerable</answer>"
    return f"<think>The outline shows the tables already.</think>\n<answer>{found.answer}</answer>"


def _final(found: Solution | None, read: Sequence[str]) -> str:
    cited = " ".join(f"[{name}]" for name in read)
    if found is None:
        return (
            "<think>I have read what my searches found, and it does not settle the question."
            f"</think>\nNothing read gives the value {cited}.\n<answer>{UNANSWERABLE}</answer>"
        )
    thought = " ".join(found.steps)
    return f"<think>{thought}</think>\n{found.steps[-1]} {cited}\n<answer>{found.answer}</answer>"


def _call(thought: str, tool: str, arguments: dict[str, object]) -> str:
    call = json.dumps({"name": tool, "arguments": arguments}, ensure_ascii=False)
    return f"<think>{thought}</think>\n<tool_call>\n{call}\n</tool_call>"


def _keyword(words: str) -> str:
    """Words as they stand in the document: without a unit or the topic of a table."""
    return _BEYOND.sub("", words).strip() or words


def _calls(conversation: Sequence[Message]) -> list[dict[str, list[str]]]:
    given = (json.loads(m.tool_calls) for m in conversation if m.tool_calls)
    return [json.loads(call["function"]["arguments"]) for calls in given for call in calls]
