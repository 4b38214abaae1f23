"""Offline rules of DocDancer: they explore, ask, read and answer by the structure of documents.

They know some forms of questions over tables, captions, footnotes and plain sentences, and nothing
of any document. What they ask follows from the document's tree. Importing this registers them.
"""

from synthmill.generators.docdancer.offline import author, explorer, solver

__all__ = ["author", "explorer", "solver"]
