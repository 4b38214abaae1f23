"""What travels through Synthmill: rows, verdicts, lineage, media, recipes and run reports.

This room imports nothing of ours; every other room may import it.
"""
