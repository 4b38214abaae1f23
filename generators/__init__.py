"""Generators, one folder a method; what several share stands in a folder of its own."""
