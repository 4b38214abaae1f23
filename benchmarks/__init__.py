"""Benchmarks: each prints ratios against a baseline or a peer that is measured in the same run."""
