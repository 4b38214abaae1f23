"""CoTEvol against best-of-n and self-refine at equal generated tokens (`python -m
benchmarks.cotevol`)."""
