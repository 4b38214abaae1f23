"""Talking to language and vision models: typed prompts, back ends, cache, budget, concurrency."""
