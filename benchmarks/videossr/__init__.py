"""Speed and memory of the VideoSSR generator: ``python -m benchmarks.videossr``."""
