"""Mutated recipes, arguments, source files and server answers against the real command line."""
