"""Perturbations of a span of frames: colour, space, order, speed, replacement."""
