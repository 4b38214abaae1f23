"""Optical character recognition: engines, and the blocks that recognized pieces form."""
