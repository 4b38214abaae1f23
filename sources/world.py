"""Documents about a generated world whose facts are known: for trying a generator, no download."""

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from synthmill.schemas.base import Settings
from synthmill.schemas.identity import canonical_json, sha256_text
from synthmill.sources.base import DocumentSource
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.world import render_documents, sample_world

WORLD_VERSION = 1  # raise it when a seed would give another world


class WorldSettings(Settings):
    """Settings of the source `world`."""

    seed: int = Field(default=7, description="the world's seed")
    size: float = Field(default=1.0, gt=0, le=2000, description="1 is about 100 entities")


class WorldSource(DocumentSource):
    """The documents of a world, the same for the same seed and size."""

    name: ClassVar[str] = "world"
    Settings = WorldSettings
    settings: WorldSettings

    def items(self) -> Iterator[Document]:
        """The documents."""
        yield from render_documents(
            sample_world(self.settings.seed, self.settings.size), self.settings.seed
        )

    def version(self) -> str:
        """Hash of the settings."""
        return sha256_text(canonical_json([WORLD_VERSION, self.settings.model_dump()]))
