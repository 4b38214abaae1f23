"""List prices of known hosted models; a recipe's own price always wins.

Dollars per million tokens: the vendors' standard tier (no batch, no long-context surcharge), for
which list prices change often. Collected in November 2026 from public lists of the vendors' prices
(among them GitHub's documentation, `data/tables/copilot/models-and-pricing.yml`), not from the
vendors' own pages; give `models.ROLE.price` where dollars must be right.
"""

import re

from synthmill.schemas.recipe import ModelSpec, Price

LIST_PRICES_OF = "2026-11"

# Model name: prompt, prompt from the server's cache (None: not known), completion.
_DOLLARS: dict[str, tuple[float, float | None, float]] = {
    # OpenAI
    "gpt-4o": (2.50, 1.25, 10.00),
    "gpt-4o-mini": (0.15, 0.075, 0.60),
    "gpt-4.1": (2.00, 0.50, 8.00),
    "gpt-4.1-mini": (0.40, 0.10, 1.60),
    "gpt-4.1-nano": (0.10, 0.025, 0.40),
    "o3": (2.00, 0.50, 8.00),
    "o3-mini": (1.10, 0.55, 4.40),
    "o4-mini": (1.10, 0.275, 4.40),
    "gpt-5": (1.25, 0.125, 10.00),
    "gpt-5-mini": (0.25, 0.025, 2.00),
    "gpt-5-nano": (0.05, 0.005, 0.40),
    "gpt-5.1": (1.25, 0.125, 10.00),
    "gpt-5.2": (1.75, 0.175, 14.00),
    "gpt-5.4": (2.50, 0.25, 15.00),
    "gpt-5.4-mini": (0.75, 0.075, 4.50),
    "gpt-5.4-nano": (0.20, 0.02, 1.25),
    "gpt-5.5": (5.00, 0.50, 30.00),
    "gpt-5.6-luna": (0.20, 0.02, 1.20),
    "gpt-5.6-sol": (5.00, 0.50, 30.00),
    "gpt-5.6-terra": (2.00, 0.20, 12.00),
    "text-embedding-3-small": (0.02, None, 0.0),
    "text-embedding-3-large": (0.13, None, 0.0),
    # Anthropic
    "claude-haiku-4-5": (1.00, 0.10, 5.00),
    "claude-sonnet-4": (3.00, 0.30, 15.00),
    "claude-sonnet-4-5": (3.00, 0.30, 15.00),
    "claude-sonnet-4-6": (3.00, 0.30, 15.00),
    "claude-sonnet-5": (2.00, 0.20, 10.00),
    "claude-opus-4-5": (5.00, 0.50, 25.00),
    "claude-opus-4-6": (5.00, 0.50, 25.00),
    "claude-opus-4-7": (5.00, 0.50, 25.00),
    "claude-opus-4-8": (5.00, 0.50, 25.00),
    "claude-opus-5": (5.00, 0.50, 25.00),
    # Google
    "gemini-3.1-pro": (2.00, 0.20, 12.00),
    "gemini-3.5-flash": (1.50, 0.15, 9.00),
    # xAI
    "grok-4.5": (2.00, 0.50, 6.00),
    "grok-4.6": (2.00, 0.50, 6.00),
    # Moonshot
    "kimi-k3": (3.00, 0.30, 15.00),
}

# `openai/gpt-4o-2024-08-06` and `claude-haiku-4-5-20251001` are dated names of the same models.
_DECORATED = re.compile(
    r"(?:[\w.-]+/)?(?P<name>.+?)(?:-latest|-preview|-\d{4}-\d{2}-\d{2}|-\d{8})?", re.ASCII
)


def list_price(model: str) -> Price | None:
    """The list price of a hosted model, with or without vendor and date in its name; else None."""
    match = _DECORATED.fullmatch(model.lower())
    dollars = _DOLLARS.get(match["name"]) if match else None
    if dollars is None:
        return None
    prompt, cached, completion = dollars
    return Price(prompt=prompt, cached=cached, completion=completion)


def price_of(spec: ModelSpec, *, local: bool) -> Price | None:
    """What a role's tokens cost: the recipe's price, nothing on this machine, or the list price.

    None where no price is known.
    """
    if spec.price is not None:
        return spec.price
    return Price() if local else list_price(spec.model)


def price_note(spec: ModelSpec, *, local: bool) -> str:
    """Says which price is assumed, where the recipe gives none; else nothing."""
    if spec.price is not None or local:
        return ""
    price = list_price(spec.model)
    if price is None:
        return "; no price is known, so its tokens are in no dollars"
    return (
        f"; list price of {LIST_PRICES_OF}: ${price.prompt:g} and ${price.completion:g} for a "
        "million prompt and generated tokens"
    )
