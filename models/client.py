"""Asking one model role: the prompt goes out, typed replies come back."""

import asyncio
from typing import Any

from synthmill.models.answers import Answers, Order
from synthmill.models.backend import Backend
from synthmill.models.completion import Completion
from synthmill.models.prompt import MalformedAnswer, Prompt, Reply
from synthmill.models.request import Request, Sampling
from synthmill.models.usage import Ledger, Usage
from synthmill.schemas.identity import keyed_seed
from synthmill.schemas.messages import assistant, user
from synthmill.schemas.recipe import Price

DEFAULT_SAMPLING = Sampling()


class ModelClient:
    """One model role, as generators and filters use it."""

    def __init__(self, backend: Backend, price: Price, answers: Answers, ledger: Ledger) -> None:
        self._price = price
        self._backend = backend
        self._answers = answers
        self._ledger = ledger

    @property
    def model(self) -> str:
        """The model's name as rows carry it."""
        return self._backend.model

    @property
    def price(self) -> Price:
        """What its tokens cost."""
        return self._price

    async def ask(
        self,
        prompt: Prompt[Any],
        *,
        seed: int,
        n: int = 1,
        prefix: str = "",
        sampling: Sampling | None = None,
        tools: str | None = None,
        tally: Usage | None = None,
    ) -> list[Reply]:
        """`n` replies in sample order.

        A malformed answer is asked for again with the error appended, as often as the back end's
        `max_parse_retries` says; one that is still malformed comes back as such. `tally` counts
        all of it.

        Raises:
            ServerUnavailable: the model server is dead, and was waited for in vain.
            RequestRejected: the server will never answer this; `ConfigurationError` when
                that is true of any call.
        """
        request = Request(
            model=self.model,
            messages=prompt.messages(),
            prefix=prefix,
            sampling=sampling or DEFAULT_SAMPLING,
            n=n,
            seed=seed,
            json_schema=prompt.json_schema(),
            tools=tools,
        )
        replies = await self._replies(prompt, request, tally)
        if any(reply.malformed is not None for reply in replies):
            mended = (self._mend(prompt, request, i, r, tally) for i, r in enumerate(replies))
            replies = list(await asyncio.gather(*mended))
        return replies

    async def _replies(
        self, prompt: Prompt[Any], request: Request, tally: Usage | None
    ) -> list[Reply]:
        stage = self._ledger.stage(prompt.prompt_name())
        order = Order(self._backend, prompt, stage, self._price)
        completions = await self._answers.obtain(request, order)
        stage.asked.add(completions)
        if tally is not None:
            tally.add(completions)
        return [self._reply(prompt, completion) for completion in completions]

    def _reply(self, prompt: Prompt[Any], completion: Completion) -> Reply:
        try:
            value, malformed = prompt.parse(completion), None
        except MalformedAnswer as error:
            value, malformed = None, str(error)
        return Reply(value=value, malformed=malformed, completion=completion, model=self.model)

    async def _mend(
        self, prompt: Prompt[Any], request: Request, index: int, reply: Reply, tally: Usage | None
    ) -> Reply:
        """Ask again for sample `index` while it is malformed, each time with the error."""
        for attempt in range(1, self._backend.settings.max_parse_retries + 1):
            if reply.malformed is None:
                break
            wrong = request.prefix + reply.completion.text
            again = request.model_copy(
                update={
                    "messages": (
                        *request.messages,
                        assistant(wrong),
                        user(
                            f"This answer cannot be used: {reply.malformed}\n"
                            "Give the whole answer again, in the form asked for."
                        ),
                    ),
                    "first": index,
                    "n": 1,
                    # The same wrong answer twice is still a new question.
                    "seed": keyed_seed(request.seed, "malformed", attempt),
                }
            )
            (reply,) = await self._replies(prompt, again, tally)
        return reply
