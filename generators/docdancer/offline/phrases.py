"""Phrasings with slots that are written and read back: one template serves both ways."""

import re
from collections.abc import Iterator
from random import Random

_SLOT = re.compile(r"\{(\w+)\}")


class Phrasings:
    """Several ways to say the same; `{slot}` stands for a value."""

    def __init__(self, *templates: str) -> None:
        self.templates = templates
        self._patterns = [re.compile(_pattern(one), re.IGNORECASE) for one in templates]

    def write(self, slots: dict[str, str], rng: Random) -> str:
        """One of the phrasings with its slots filled."""
        return rng.choice(self.templates).format(**slots)

    def read(self, text: str) -> Iterator[dict[str, str]]:
        """The slots of every phrasing that the whole text may be."""
        for pattern in self._patterns:
            if found := pattern.fullmatch(text):
                yield found.groupdict()


def _pattern(template: str) -> str:
    """A pattern of a template; a slot that occurs again has the same value."""
    seen: set[str] = set()
    out, at = "", 0
    for slot in _SLOT.finditer(template):
        out += re.escape(template[at : slot.start()])
        name, at = slot.group(1), slot.end()
        inner = "the .+" if name == "sel" else ".+?"
        out += f"(?P={name})" if name in seen else f"(?P<{name}>{inner})"
        seen.add(name)
    return out + re.escape(template[at:])
