"""Word problems: one person's things change hands, event by event.

A story and its expression tree are built together, so the text can never say anything else than
the tree. Standard library only.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from scripts.embedded_model.expressions import LARGEST_DIVISOR, Branch, Expression, Limits, value_of

PEOPLE = ("Ana", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana", "Ivo", "June", "Kai", "Lea")
THINGS = ("pens", "coins", "books", "shells", "cards", "stamps", "apples", "beads", "eggs", "nuts")

Event = tuple[str, Branch]


def tell(rng: random.Random, size: int, limits: Limits) -> tuple[str, Expression]:
    """A story of exactly `size` (>= 1) operations: its text and its expression tree."""
    hero, *friends = rng.sample(PEOPLE, 4)
    things = rng.choice(THINGS)
    text, state = _beginning(rng, size, limits, hero, things)
    sentences, left = [text], size - (0 if isinstance(state, int) else 1)
    while left:
        event = rng.choice([e for need, events in _EVENTS.items() if need <= left for e in events])
        happened = event(rng, state, limits, hero, rng.choice(friends))
        if happened is None:
            continue
        text, following = happened
        left -= _COST[event]
        state = following
        sentences.append(text)
    sentences.append(f"How many {things} does {hero} have now?")
    return " ".join(sentences), state


def _beginning(
    rng: random.Random, size: int, limits: Limits, hero: str, things: str
) -> tuple[str, Expression]:
    if rng.random() < 0.5:
        boxes = rng.randint(2, limits.factor)
        each = rng.randint(2, max(2, min(limits.factor, limits.result // boxes)))
        return f"{hero} has {boxes} boxes of {each} {things}.", Branch("*", boxes, each)
    count = rng.randint(2, limits.operand)
    return f"{hero} has {count} {things}.", count


def _buys(rng: random.Random, state: Expression, limits: Limits, hero: str, _: str) -> Event | None:
    room = min(limits.operand, limits.result - value_of(state))
    if room < 1:
        return None
    count = rng.randint(1, room)
    return f"{hero} buys {count} more.", Branch("+", state, count)


def _gives(
    rng: random.Random, state: Expression, limits: Limits, hero: str, friend: str
) -> Event | None:
    room = min(limits.operand, value_of(state) - 1)
    if room < 1:
        return None
    count = rng.randint(1, room)
    return f"{hero} gives {friend} {count}.", Branch("-", state, count)


def _multiplies(
    rng: random.Random, state: Expression, limits: Limits, hero: str, _: str
) -> Event | None:
    room = min(limits.factor, limits.result // max(1, value_of(state)))
    if room < 2:
        return None
    times = rng.randint(2, room)
    return f"Soon {hero} has {times} times as many.", Branch("*", state, times)


def _shares(rng: random.Random, state: Expression, _: Limits, hero: str, __: str) -> Event | None:
    value = value_of(state)
    divisors = [d for d in range(2, LARGEST_DIVISOR + 1) if value > d and value % d == 0]
    if not divisors:
        return None
    parts = rng.choice(divisors)
    return f"{hero} makes {parts} equal piles and keeps one.", Branch("/", state, parts)


def _buys_packs(
    rng: random.Random, state: Expression, limits: Limits, hero: str, _: str
) -> Event | None:
    product = _product(rng, limits, limits.result - value_of(state))
    if product is None:
        return None
    text = f"{hero} buys {product.left} packs of {product.right}."
    return text, Branch("+", state, product)


def _gives_each(
    rng: random.Random, state: Expression, limits: Limits, hero: str, _: str
) -> Event | None:
    product = _product(rng, limits, value_of(state) - 1)
    if product is None:
        return None
    text = f"{hero} gives {product.left} friends {product.right} each."
    return text, Branch("-", state, product)


def _inherits(
    rng: random.Random, state: Expression, limits: Limits, hero: str, friend: str
) -> Event | None:
    had = rng.randint(2, limits.operand)
    lost = rng.randint(1, had - 1)
    if value_of(state) + had - lost > limits.result:
        return None
    text = f"{friend} had {had}, lost {lost} and gives {hero} the rest."
    return text, Branch("+", state, Branch("-", had, lost))


def _inherits_packs(
    rng: random.Random, state: Expression, limits: Limits, hero: str, friend: str
) -> Event | None:
    product = _product(rng, limits, limits.result - value_of(state))
    if product is None:
        return None
    lost = rng.randint(1, min(limits.operand, product.value - 1))
    text = (
        f"{friend} had {product.left} packs of {product.right}, lost {lost} "
        f"and gives {hero} the rest."
    )
    return text, Branch("+", state, Branch("-", product, lost))


def _product(rng: random.Random, limits: Limits, most: int) -> Branch | None:
    """`a * b`, at most `most` and within the factor limit; None where there is no room for one."""
    if most < 4:
        return None
    left = rng.randint(2, min(limits.factor, most // 2))
    return Branch("*", left, rng.randint(2, max(2, min(limits.factor, most // left))))


_EVENTS: dict[int, tuple[Callable[..., Event | None], ...]] = {
    1: (_buys, _gives, _multiplies, _shares),
    2: (_buys_packs, _gives_each, _inherits),
    3: (_inherits_packs,),
}
_COST = {event: cost for cost, events in _EVENTS.items() for event in events}
