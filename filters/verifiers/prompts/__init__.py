"""The prompts of the filters that ask models, each with its template beside it."""
