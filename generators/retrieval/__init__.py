"""Finding passages: one interface, lexical by BM25 or dense by any encoder."""
