"""Offline rules of RAGShaper: they answer its prompts by reading English prose.

They know some relations that reference works state in plain sentences, and nothing of any corpus.
Importing this package registers them.
"""

from synthmill.generators.ragshaper.offline import (
    asking,
    curating,
    distracting,
    navigating,
    reading,
)

__all__ = ["asking", "curating", "distracting", "navigating", "reading"]
