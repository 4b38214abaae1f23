"""How sound values and bytes are damaged."""

import copy
from random import Random
from typing import Any

TEXTS = (
    "", " ", "\0", "x" * 10_000, "../../etc/passwd", "/dev/zero", "/proc/self/mem", "/dev/stdin",
    "~nobody/x",
    "$HOME", "*", "{{ 7 * 7 }}", "{% for a in range(9) %}", "'; DROP TABLE x; --",
    "http://169.254.169.254/",
    "file:///etc/passwd", "./x.py:y", "os:getcwd", "..:x", "a\nb", "\x1b[2J", "\u202e", "é", "漢字",
    "😀",
    "\udcff", "-1", "1e999", "nan", "null", "true", "9" * 400, "0x10", "2026-01-01", "[1, 2]",
    "{a: 1}", "--help",
    "%s%n", "%41", "\\boxed{9^{9^{9}}}", "<think>", "= " * 500, "con", ".", "..", "a/../b",
    "a" * 300,
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 0.5, -0.0, 1e308, 1e-300, float("nan"), float("inf"), 2**31,
    2**53 + 1,
    2**63, 10**40, 10**400, [], {}, [[]], [None], {"": ""}, [1, "a", None], {"name": "length"},
    {"a": {"b": {}}},
)  # fmt: skip
PIECES = (
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\r\n", b'"', b"'", b",", b"{", b"}", b"[" * 2000,
    b"{" * 300, b"<" * 500,
    b"<div>" * 800, b"&#x110000;", b"9" * 2000, b"x" * 100_000,
    b"!!python/object/apply:os.getcwd []", b"&a [*a]",
    b"\t", b"\x1a", b"\\u0000", b"\\ud800", b"NaN", b"1e999", b"<script>", b"%%EOF", b"endstream",
    b"/Length -1",
    b"| " * 400, b"> " * 400, b"#" * 400, b"`" * 300, b"*" * 999, b"- " * 500,
)  # fmt: skip


def value(rng: Random) -> Any:
    """A text, number or structure that programs trip over."""
    drawn = rng.choice(TEXTS) if rng.random() < 0.6 else rng.choice(VALUES)
    return copy.deepcopy(drawn)


def mutated(tree: Any, rng: Random) -> Any:
    """A copy of nested mappings and lists with one place changed."""
    tree = copy.deepcopy(tree)
    places = [(holder, key) for holder, key in _places(tree)]
    if not places:
        return value(rng)
    holder, key = rng.choice(places)
    match rng.randrange(8):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[rng.choice(("", "x", str(key).upper(), f"{key} ", "__class__", "9" * 50))] = (
                holder.pop(key)
            )
        case 2 if isinstance(holder, dict):
            holder[rng.choice(TEXTS)] = value(rng)
        case 2:
            holder.extend([copy.deepcopy(holder[key])] * rng.choice((1, 3, 2000)))
        case 3:
            deep: Any = holder[key]
            for _ in range(rng.choice((1, 3, 60))):
                deep = [deep] if rng.random() < 0.5 else {"a": deep}
            holder[key] = deep
        case 4:
            other, place = rng.choice(places)
            holder[key] = copy.deepcopy(other[place])
        case 5:
            holder[key] = str(holder[key])
        case _:
            holder[key] = value(rng)
    return tree


def _places(tree: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    if not isinstance(tree, dict | list):
        return found
    keys = tree.keys() if isinstance(tree, dict) else range(len(tree))
    for key in keys:
        found.append((tree, key))
        found += _places(tree[key])
    return found


def mutated_bytes(data: bytes, rng: Random) -> bytes:
    """The bytes with a piece flipped, lost, doubled, put in or replaced."""
    at = rng.randrange(len(data) + 1)
    length = rng.choice((1, 2, 10, 100))
    match rng.randrange(7):
        case 0:
            flipped = bytes(byte ^ rng.randrange(256) for byte in data[at : at + length])
            return data[:at] + flipped + data[at + length :]
        case 1:
            return data[:at]
        case 2:
            return data[:at] + data[at + length :]
        case 3:
            return data[:at] + data[at : at + length] * rng.choice((2, 20, 500)) + data[at:]
        case 4:
            return data[:at] + rng.randbytes(length) + data[at + length :]
        case 5:
            return data.decode("utf-8", "replace").encode(
                rng.choice(("utf-16", "utf-32", "cp037")), "replace"
            )
        case _:
            return data[:at] + rng.choice(PIECES) + data[at:]
