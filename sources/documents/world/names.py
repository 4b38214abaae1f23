"""Invented names, made of syllables and unique within a world."""

from collections.abc import Callable
from random import Random


def _words(text: str, between: str | None = None) -> list[str]:
    return text.split(between)


_FIRST = _words(
    "Ada Anselm Berit Caspar Delia Edvin Esther Fenno Greta Halvar Ines Ivo Jora Kaspian Lene "
    "Lorin Mabel Marek Nadia Nils Odile Orrin Petra Quentin Rhea Runa Sanna Silas Tamsin Tobin "
    "Ulla Vera Viggo Wanda Wim Yara Ysolde Zeno Zora Arvid"
)
_STARTS = _words(
    "Al Bar Bel Bran Cal Cor Dal Dor El Far Fen Gal Gor Hal Har Ing Jor Kal Kel Kor Lan Lor Mar "
    "Mel Mor Nar Nor Ol Or Pel Quar Ran Ros Sal Sel Tal Tor Ul Val Vel Wen Wor Yar Zan"
)
_MIDDLES = _words("a e i o u ar en il or un ad em is ov ut")
_ENDS = {
    "town": _words("mere stead ford ham wick by borough haven ton dale minster holm"),
    "family": _words("sen man ley ner ris ward mont quist bert lin dow vane"),
    "river": _words("sk n th ll ra ve dra mna"),
    "thing": _words("x n ra va lo th tron phon"),
}
_ADJECTIVES = _words(
    "Silver Winter Broken Quiet Amber Distant Hollow Crimson Northern Sleeping Golden Restless "
    "Pale Burning Drifting Iron Velvet Forgotten Rising Salted Twofold Weathered Glass Copper"
)
_NOUNS = _words(
    "Gate Ferry Orchard Harbour Lantern Bridge Meadow Chorus Letter Staircase Tide Garden Window "
    "Procession Mirror Loom Anchor Harvest Causeway Comet Kitchen Sparrow Archive Threshold"
)
_TRADES = _words(
    "Optical Works|Instrument Company|Foundry|Clockworks|Shipyard|Glassworks|Telegraph Company|"
    "Motor Works|Paper Mills|Precision Works",
    "|",
)
_HOUSES = _words("Gallery|Museum|Collection|Athenaeum|Hall", "|")


class Names:
    """Samples names, each of them once."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._given: set[str] = set()

    def person(self) -> str:
        """A first name and a family name."""
        return self._fresh(lambda: f"{self._rng.choice(_FIRST)} {self._syllables('family')}")

    def town(self) -> str:
        """One word."""
        return self._fresh(lambda: self._syllables("town"))

    def river(self) -> str:
        """`River` and a word."""
        return self._fresh(lambda: f"River {self._syllables('river')}")

    def company(self) -> str:
        """A family name and a trade."""
        return self._fresh(lambda: f"{self._syllables('family')} {self._rng.choice(_TRADES)}")

    def museum(self) -> str:
        """A family name and a kind of house."""
        return self._fresh(lambda: f"{self._syllables('family')} {self._rng.choice(_HOUSES)}")

    def artwork(self) -> str:
        """An adjective and a noun, with a number once the pair is taken."""
        pair = f"{self._rng.choice(_ADJECTIVES)} {self._rng.choice(_NOUNS)}"
        if pair not in self._given:
            return self._fresh(lambda: pair)
        return self._fresh(lambda: f"{pair} {self._rng.randrange(2, 10_000)}")

    def device(self) -> str:
        """A word and a number, such as Velutron-40."""
        return self._fresh(lambda: f"{self._syllables('thing')}-{self._rng.randrange(2, 100)}")

    def _syllables(self, kind: str) -> str:
        rng = self._rng
        middles = "".join(rng.choices(_MIDDLES, k=rng.choice((1, 1, 2))))
        return f"{rng.choice(_STARTS)}{middles}{rng.choice(_ENDS[kind])}"

    def _fresh(self, make: Callable[[], str]) -> str:
        while True:
            name = make()
            if name not in self._given:
                self._given.add(name)
                return name
