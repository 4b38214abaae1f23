"""Synthmill: a synthetic training-data factory. The subpackages are the rooms of the project."""
