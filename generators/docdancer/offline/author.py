"""The author by rule: questions whose answers follow from tables, captions, notes and sentences."""

from collections.abc import Iterator
from random import Random

from synthmill.generators.docdancer.offline.forms import FORMS, solve_question
from synthmill.generators.docdancer.offline.knowledge import Knowledge
from synthmill.generators.docdancer.offline.reading import read_view
from synthmill.generators.docdancer.offline.selectors import Slots
from synthmill.generators.docdancer.offline.solutions import AskingForm, Solution
from synthmill.generators.docdancer.prompts import WriteQuestion, WrittenQuestion
from synthmill.generators.docdancer.records import Template
from synthmill.models.offline import answers

MAX_TRIED = 400  # proposals of one form that are worked out
SLIP = 0.05  # how often the author is careless, so that filters have something to find
NOTHING = WrittenQuestion(
    question="", answer="", answer_format="Str", reasoning_steps=[], evidence=[]
)


@answers(WriteQuestion)
def written(prompt: WriteQuestion, rng: Random) -> WrittenQuestion:
    """A question by the template, or an empty one where nothing can be proven."""
    known = Knowledge(read_view(document.text for document in prompt.sections.documents))
    forms = [form for form in FORMS if _serves(form, prompt.template)]
    rng.shuffle(forms)
    for form in forms:
        for slots in _shuffled(form.propose(known), rng):
            question = form.phrasings.write(slots, rng)
            found = solve_question(known, question)
            if question not in prompt.asked and found and _fits(found, form, prompt):
                return _slipped(_write(question, found), rng)
    return NOTHING


def _serves(form: AskingForm, template: Template) -> bool:
    """Whether a form serves a template; an unanswerable question has any form of one subject."""
    if template == "unanswerable":
        return form.name not in ("across", "best", "gap", "list", "count", "limit")
    return form.template == template


def _fits(found: Solution, form: AskingForm, prompt: WriteQuestion) -> bool:
    if (found.absent is not None) != (prompt.template == "unanswerable"):
        return False
    stated = any(item.table is None and item.figure is None for item in found.items[-1:])
    if form.name in ("caption_table", "caption_text") and stated != (form.name == "caption_text"):
        return prompt.template == "unanswerable"
    return len(found.places) >= prompt.min_places and len(found.steps) >= prompt.min_steps


def _shuffled(proposals: Iterator[Slots], rng: Random) -> list[Slots]:
    found = list(proposals)
    rng.shuffle(found)
    return found[:MAX_TRIED]


def _write(question: str, found: Solution) -> WrittenQuestion:
    subject, attribute = found.absent or ("", "")
    return WrittenQuestion(
        question=question,
        answer=found.answer,
        answer_format=found.answer_format,
        reasoning_steps=list(found.steps),
        evidence=list(found.items)[:60],
        absent_subject=subject,
        absent_attribute=attribute,
    )


def _slipped(asked: WrittenQuestion, rng: Random) -> WrittenQuestion:
    """Now and then a mistake of the kinds that the filters look for."""
    if rng.random() >= SLIP:
        return asked
    mistakes = (
        {"question": f"{asked.question[:-1]}, and what is the unit?"},
        {"question": f"According to page 2, {asked.question[0].lower()}{asked.question[1:]}"},
        {"question": f"{asked.question[:-1]} ({asked.answer})?"},
        {"evidence": asked.evidence[:1]},
    )
    return asked.model_copy(update=rng.choice(mistakes))
