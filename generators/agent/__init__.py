"""A tool-using agent over any model back end: typed tools, a rollout loop, recorded steps.

The loop is our own and small because it must go through `Context.ask`: that is where answers are
cached, seeded, counted against the budget and replayed on resume, which agent libraries do by
means of their own.
"""
