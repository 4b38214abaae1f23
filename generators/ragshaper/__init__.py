"""RAGShaper (arXiv 2601.08699): information trees with distractors, and agents that resist them."""
