"""Offline rules of RAGShaper: they answer its prompts, and those of filters, by reading English.

They know some relations that reference works state in plain sentences, and nothing of any corpus.
Importing this package registers them.
"""

from synthmill.generators.ragshaper.offline import curator, solver

__all__ = ["curator", "solver"]
