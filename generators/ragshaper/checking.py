"""Running checks in order, up to the first that fails; and what several checks share."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from synthmill.generators.base import Context
from synthmill.generators.ragshaper.prompts.reading import UNKNOWN, AnswerFrom
from synthmill.generators.ragshaper.records import Check
from synthmill.models.request import Sampling
from synthmill.schemas.verdict import Verdict
from synthmill.sources.documents.prompt_documents import (
    PromptDocument,
    PromptDocuments,
    neutralize_markup,
)

# Readers and judges answer in a few words, and as surely as they can.
READING = Sampling(temperature=0.0, top_p=1.0, max_tokens=1024)


class Fault(NamedTuple):
    """Why a check failed: a short stable phrase, and the particulars."""

    reason: str
    detail: str = ""


Outcome = Fault | None
Run = Callable[[], Awaitable[Outcome]]


async def run_checks(checks: Sequence[tuple[str, Run]]) -> list[Check]:
    """The outcomes in order; cheap checks come first, and the first failure is the last run."""
    done: list[Check] = []
    for name, run in checks:
        fault = await run()
        if fault is not None:
            done.append(
                Check(name=name, passed=False, reason=fault.reason, detail=fault.detail[:500])
            )
            break
        done.append(Check(name=name, passed=True))
    return done


def verdict_of(checks: Sequence[Check], name: str) -> Verdict:
    """Checks as the generator's own verdict."""
    failed = next((check for check in checks if not check.passed), None)
    return Verdict(
        filter=name,
        status="pass" if failed is None else "fail",
        reason=failed.reason if failed else None,
        detail=failed.detail if failed else None,
    )


class Reader:
    """Asks the reader's role; the same question on the same documents is asked once."""

    def __init__(self, context: Context, purpose: str) -> None:
        self._context = context
        self._purpose = purpose

    async def answer(self, question: str, documents: Sequence[PromptDocument]) -> str | None:
        """The reader's answer, "" where it finds none, or None where it gave nothing usable."""
        quoted = PromptDocuments(documents=tuple(documents))
        prompt = AnswerFrom(question=neutralize_markup(question), documents=quoted)
        reply = await self._context.generate(
            prompt, purpose=self._purpose, role="reader", sampling=READING
        )
        if reply.value is None:
            return None
        answer: str = reply.value.answer.strip()
        return "" if answer.casefold().rstrip(".") == UNKNOWN else answer


def quote_in(quote: str, text: str) -> tuple[int, int] | None:
    """Where a quote stands in a text, whatever white space lies between its words.

    Both are compared as prompts show them, which changes no offset.
    """
    words = neutralize_markup(quote).split()
    if not words:
        return None
    found = re.search(r"\s+".join(map(re.escape, words)), neutralize_markup(text))
    return found.span() if found else None
