"""What of the API a server understands, and what to send instead of what it refuses."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from synthmill.models.errors import HTTPStatusError

SchemaStyle = Literal["json_schema", "json_object", "prompt"]
PrefixStyle = Literal["continue_final_message", "assistant", "completions"]
TokensField = Literal["max_tokens", "max_completion_tokens"]

# Statuses of a server that does not take a request as it is.
REFUSALS = frozenset({400, 422, 501})
MOST_STEPS = 6
NEXT_STYLE: dict[SchemaStyle, SchemaStyle] = {"json_schema": "json_object", "json_object": "prompt"}
# Fields that only shape the sampling: an answer without them is still an answer.
OPTIONAL = (
    "seed", "top_p", "temperature", "stop", "top_k", "min_p",
    "frequency_penalty", "presence_penalty", "repetition_penalty",
)  # fmt: skip
_JSON = re.compile(r"response_format|json|schema|grammar|structured|guided", re.IGNORECASE)
_SAMPLES = re.compile(
    r"\bn_cmpl\b|['\"`]n['\"`]|\bn\s*(?:=|>|<|must|should|is|was|cannot)|"
    r"\bnumber of (?:choices|slots)|one (?:completion )?choice|multiple (?:choices|completions)",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"unsupported|not.{0,12}support|unknown|unrecogni|not permitted|not allowed|unexpected|extra|"
    r"invalid|cannot|must|only",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How requests are written for one server."""

    json_style: SchemaStyle = "json_schema"
    prefix: PrefixStyle = "continue_final_message"
    tokens_field: TokensField = "max_tokens"
    samples: int = 128
    omit: frozenset[str] = frozenset()

    def forms_of(self, body: Mapping[str, Any]) -> set[str]:
        """What of this dialect a request uses; an answer proves that the server understands it."""
        used = {self.json_style} if "response_format" in body else set()
        return used | ({"n"} if body.get("n", 1) > 1 else set())

    def simpler(
        self, error: HTTPStatusError, body: Mapping[str, Any], proven: set[str]
    ) -> "tuple[Dialect, str] | None":
        """What to try after a refusal of `body`, and a notice of it; None: nothing is left.

        A field that the server blames is left out or written in another way. Where it blames none
        that was sent, structured answers and several samples are suspected in turn, unless earlier
        answers have `proven` that the server has them.
        """
        if error.status not in REFUSALS:
            return None
        blamed = f"{error.parameter or ''} {error.detail}"
        if step := self._other_tokens_field(blamed, body) or self._without(error, blamed, body):
            return step
        suspects = []
        if "response_format" in body and self.json_style not in proven:
            suspects.append((_JSON, self._next_style()))
        if body.get("n", 1) > 1 and "n" not in proven:
            single = (replace(self, samples=1), "several samples a call are refused: one is asked")
            suspects.append((_SAMPLES, single))
        named = [step for pattern, step in suspects if pattern.search(blamed)]
        return next(iter(named or [step for _, step in suspects]), None)

    def _next_style(self) -> "tuple[Dialect, str]":
        style = NEXT_STYLE[self.json_style]
        sent = "the schema is in the prompt" if style == "prompt" else f"{style} is sent"
        return replace(self, json_style=style), f"{self.json_style} is refused: {sent}"

    def _other_tokens_field(
        self, blamed: str, body: Mapping[str, Any]
    ) -> "tuple[Dialect, str] | None":
        names: tuple[TokensField, TokensField] = ("max_tokens", "max_completion_tokens")
        other = names[1] if self.tokens_field == names[0] else names[0]
        refused = self.tokens_field in body and re.search(rf"\b{self.tokens_field}\b", blamed)
        if not refused or "context" in blamed or not _REFUSED.search(blamed):
            return None
        return replace(self, tokens_field=other), f"{self.tokens_field} is refused: {other} is sent"

    def _without(
        self, error: HTTPStatusError, blamed: str, body: Mapping[str, Any]
    ) -> "tuple[Dialect, str] | None":
        if not _REFUSED.search(blamed):
            return None
        if "continue_final_message" in body and re.search(
            r"continue_final_message|add_generation_prompt", blamed
        ):
            notice = "continue_final_message is refused: a prefix is sent as a plain assistant turn"
            return replace(self, prefix="assistant"), notice
        for name in OPTIONAL:
            quoted = re.search(rf"['\"`]{name}['\"`]", blamed)
            if name in body and (error.parameter == name or quoted or f"{name} " in blamed):
                notice = f"{name} is refused: it is left out"
                return replace(self, omit=self.omit | {name}), notice
        return None
