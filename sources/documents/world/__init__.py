"""A small generated world: entities, relations and dated facts, told by documents.

The truth is known, so answers and distractors made from the documents can be checked against it.
"""

from synthmill.sources.documents.world.drawing import Fact, World, draw
from synthmill.sources.documents.world.telling import tell

__all__ = ["Fact", "World", "draw", "tell"]
