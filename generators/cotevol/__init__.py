"""CoTEvol: chains of thought bred by crossover and mutation (arXiv 2604.14768)."""
