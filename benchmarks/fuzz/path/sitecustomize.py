"""Python imports this at its start: the attacked processes are heard from their first line on."""

from benchmarks.fuzz.guard import install

install()
