"""The machine: worker processes with limits, and files that are written whole or not at all."""
