"""What every step of a task works with."""

from dataclasses import dataclass, replace
from typing import TypeVar

from synthmill.generators.base import Context
from synthmill.generators.ragshaper.knowledge_base import KnowledgeBase
from synthmill.generators.ragshaper.settings import RagShaperSettings
from synthmill.models.prompt import Prompt
from synthmill.models.request import Sampling

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RagTask:
    """A task's context with the knowledge base and the settings."""

    context: Context
    knowledge: KnowledgeBase
    settings: RagShaperSettings

    def scoped(self, prefix: str) -> "RagTask":
        """The same with `prefix/` in front of every purpose."""
        return replace(self, context=self.context.scoped(prefix))

    async def curate(self, prompt: Prompt[T], purpose: str) -> T | None:
        """The curator's answer, or None where it is malformed."""
        sampling: Sampling = self.settings.tree.sampling
        reply = await self.context.generate(
            prompt, purpose=purpose, role="curator", sampling=sampling
        )
        return reply.value
