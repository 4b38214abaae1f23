"""A tool-using agent over any model back end: typed tools, a rollout loop, recorded steps.

The loop is our own and small because it must go through `Context.generate`: that is where answers
are cached, seeded, counted against the budget and replayed on resume. Agent libraries call models
by themselves.
"""
