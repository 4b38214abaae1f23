"""The OpenAI-compatible wire format: request bodies, answers, settings, presets."""
