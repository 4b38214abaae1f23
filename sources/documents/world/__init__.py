"""A small generated world: entities, relations and dated facts, rendered as documents.

The truth is known, so answers and distractors made from the documents can be checked against it.
"""

from synthmill.sources.documents.world.render_documents import render_documents
from synthmill.sources.documents.world.sample_world import World, WorldFact, sample_world

__all__ = ["World", "WorldFact", "render_documents", "sample_world"]
