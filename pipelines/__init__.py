"""The engine: reads a recipe, streams candidates through the stages, commits batches."""
