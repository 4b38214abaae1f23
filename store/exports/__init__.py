"""Exporters, one file for each trainer and named after it."""
