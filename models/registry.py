"""The models of a run: every role's back end, one response cache, one usage tracker."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from synthmill.models.backend import Backend, backend_settings
from synthmill.models.client import ModelClient
from synthmill.models.embedding import EmbeddingService
from synthmill.models.errors import RequestRejected, ServerUnavailable
from synthmill.models.forms import USUAL_FORMS, WORDS, Form
from synthmill.models.inflight import CompletionService
from synthmill.models.prices import price_note, price_of
from synthmill.models.response_cache import ResponseCache
from synthmill.models.usage import UsageTracker
from synthmill.schemas.errors import InputError
from synthmill.schemas.identity import canonical_json
from synthmill.schemas.recipe import ModelSpec
from synthmill.schemas.usage import PromptUsage, Usage


class ModelRegistry:
    """Opens the back ends of a recipe's roles on entry and closes them on exit.

    Args:
        specs: model roles by name; a role that is not among them falls back to `default`.
        cache: file of the response cache; None for a run that keeps no answers.
        media_dir: the dataset's folder, where the images and videos are that messages show.
        give_up_after_seconds: seconds that a dead server is waited for before `ServerUnavailable`.

    Raises:
        InputError: a back end or one of its settings is wrong.
    """

    def __init__(
        self,
        specs: Mapping[str, ModelSpec],
        *,
        cache: Path | None,
        media_dir: Path | None = None,
        give_up_after_seconds: float = 300.0,
    ) -> None:
        self._media_dir = media_dir
        self._specs = dict(specs)
        self._cache_path = cache
        self._tracker = UsageTracker()
        self._backends: dict[str, Backend] = {}
        for role, spec in self._specs.items():
            if _identity(spec) not in self._backends:
                cls, settings = backend_settings(role, spec)
                self._backends[_identity(spec)] = cls(
                    spec, settings, give_up_after_seconds=give_up_after_seconds
                )
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open the cache and every back end; when one fails, what was opened is closed again."""
        async with AsyncExitStack() as stack:
            cache = None
            if self._cache_path is not None:
                cache = ResponseCache(self._cache_path)
                stack.callback(cache.close)
            for backend in self._backends.values():
                stack.push_async_callback(backend.close)
                await backend.open()
            self._completions = CompletionService(cache, self._media_dir)
            self._embeddings = EmbeddingService(cache)
            stack.push_async_callback(self._completions.close)
            stack.push_async_callback(self._embeddings.close)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def client(self, role: str = "default") -> ModelClient:
        """The client of a role.

        Raises:
            InputError: the role is not given, and there is no `default` either.
        """
        spec = self._specs.get(role) or self._specs.get("default")
        if spec is None:
            raise InputError(
                f"no model for the role {role!r}: give models.{role} or models.default"
            )
        backend = self._backends[_identity(spec)]
        price = price_of(spec, local=backend.local)
        return ModelClient(backend, price, self._completions, self._embeddings, self._tracker)

    @property
    def usage(self) -> dict[str, PromptUsage]:
        """What was used so far, by prompt name."""
        failures: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for backend in self._backends.values():
            for prompt, kinds in backend.failures.items():
                failures[prompt] += kinds
        return self._tracker.report(failures)

    @property
    def bought(self) -> Usage:
        """What back ends answered so far; answers from the response cache are left out."""
        return self._tracker.bought

    def status(self) -> str | None:
        """One line when calls are waiting for a server, else None."""
        lines = dict.fromkeys(backend.status() for backend in self._backends.values())
        return "; ".join(line for line in lines if line) or None

    async def check(self, forms: Mapping[str, Collection[Form]] | None = None) -> list[str]:
        """One line for each back end, after it has answered one small call of each form.

        Args:
            forms: the roles that are asked, and the forms of calls for each; by default all roles,
                and the usual forms (for the role `embedding` a vector).

        Raises:
            InputError: one is not ready; the line says what would be right.
        """
        if forms is None:
            forms = {r: ("embedding",) if r == "embedding" else USUAL_FORMS for r in self._specs}
        asked: dict[str, dict[str, Collection[Form]]] = {}
        for role, wanted in forms.items():
            given = role if role in self._specs else "default"
            self.client(role)  # there is a model for it
            of_backend = asked.setdefault(_identity(self._specs[given]), {})
            of_backend[given] = [*of_backend.get(given, ()), *wanted]
        lines = []
        for identity, roles in asked.items():
            backend, names = self._backends[identity], ", ".join(roles)
            wanted = [form for form in WORDS if any(form in forms for forms in roles.values())]
            try:
                note = price_note(self._specs[next(iter(roles))], local=backend.local)
                lines.append(f"{names}: {await backend.check(wanted)}{note}")
            except (ServerUnavailable, RequestRejected) as error:
                raise InputError(f"model {names}: {error}") from error
        return lines


def _identity(spec: ModelSpec) -> str:
    """What makes two roles share a back end: all but the price."""
    return canonical_json(spec.model_dump(mode="json", exclude={"price"}))
