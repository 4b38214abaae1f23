"""MinerU2.5-Pro's data engine: labels for document pages by agreement between parsers."""
