r"""Text, formulas, layout and reading order of parsed pages, each compared with the truth.

They are the metrics by which MinerU2.5-Pro (arXiv 2604.04771, sections 3.2 and 4) compares parsers
and rewards its model; tables are in `document_tables.py`, and formulas as rendered characters (CDM)
in `formula_rendering.py`. The metric of formulas here compares tokens of normalized LaTeX: it is
not CDM, and two ways to write the same formula that the normalization does not know cost something.

This file needs the standard library alone, and is faster with rapidfuzz. Import it, or copy it, and
use it as

* a verl custom reward function: ``custom_reward_function.path=documents.py``
  ``custom_reward_function.name=compute_score``
* a TRL or ms-swift reward function: `trl_reward` (columns `data_source` and `ground_truth`, or
  `solution` for the latter)
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple


def bit_parallel_distance(first: Sequence[Hashable], second: Sequence[Hashable]) -> int:
    """The Levenshtein distance, in parallel over the bits of an integer (Hyyro 2003)."""
    if not first:
        return len(second)
    places: dict[Hashable, int] = {}
    for at, item in enumerate(first):
        places[item] = places.get(item, 0) | 1 << at
    full, last = (1 << len(first)) - 1, 1 << len(first) - 1
    rises, falls, distance = full, 0, len(first)
    for item in second:
        same = places.get(item, 0)
        flat = (((same & rises) + rises) ^ rises) | same | falls
        up, down = falls | (full & ~(flat | rises)), rises & flat
        distance += bool(up & last) - bool(down & last)
        up = (up << 1 | 1) & full
        rises, falls = (down << 1 | (full & ~(flat | up))) & full, up & flat
    return distance


try:  # the same values, some 50 times faster
    from rapidfuzz.distance.Levenshtein import distance as edit_distance
except ImportError:
    edit_distance = bit_parallel_distance  # type: ignore[assignment]


# Bounds of hostile answers; all are ours.
MAX_CHARS = 100_000  # of a text or formula; the rest is left out
MAX_REGIONS = 200  # of a page; further regions match nothing
# OmniDocBench and detection benchmarks in general: less overlap is another region.
SAME_REGION_IOU = 0.5

_TOKEN = re.compile(r"\\(?:begin|end)\s*\{[^{}]*\}|\\[a-zA-Z]+|\\.|[^\s]", re.DOTALL)
_UNSEEN_PARTS = re.compile(r"\\(?:tag\*?|label)\s*\{[^{}]*\}|\\(?:left|right)\s*\.")
_COLUMNS = re.compile(r"(\\begin\s*\{(?:array|tabular)\*?\})\s*(?:\[[a-z]\]\s*)?\{[^{}]*\}")
_REGION = re.compile(
    r"<\|box_start\|>\s*(\d{1,4})[\s,]+(\d{1,4})[\s,]+(\d{1,4})[\s,]+(\d{1,4})\s*<\|box_end\|>\s*"
    r"<\|ref_start\|>\s*(\w+)\s*<\|ref_end\|>"
)
# Tokens that change the spacing or the size of what is shown, not what is shown.
_UNSEEN = {
    *(r"\ ", "~", "$", r"\,", r"\;", r"\:", r"\!", r"\[", r"\]", r"\(", r"\)"),
    *(r"\quad", r"\qquad", r"\left", r"\right", r"\limits", r"\nolimits"),
    *(r"\big", r"\Big", r"\bigg", r"\Bigg", r"\bigl", r"\bigr", r"\Bigl", r"\Bigr"),
    *(r"\displaystyle", r"\textstyle", r"\scriptstyle", r"\nonumber", r"\notag"),
    *(r"\begin{equation}", r"\end{equation}", r"\begin{math}", r"\end{math}"),
    *(r"\begin{displaymath}", r"\end{displaymath}"),
}
_SAME = {
    r"\dfrac": r"\frac",
    r"\tfrac": r"\frac",
    r"\leq": r"\le",
    r"\geq": r"\ge",
    r"\neq": r"\ne",
    r"\to": r"\rightarrow",
    r"\gets": r"\leftarrow",
    r"\lbrace": r"\{",
    r"\rbrace": r"\}",
    r"\vert": "|",
    r"\Vert": r"\|",
    r"\land": r"\wedge",
    r"\lor": r"\vee",
    r"\epsilon": r"\varepsilon",
    r"\phi": r"\varphi",
    r"\ldots": r"\dots",
    r"\cdots": r"\dots",
    r"\operatorname": r"\mathrm",
    r"\textrm": r"\mathrm",
    r"\text": r"\mathrm",
    r"\rm": r"\mathrm",
    r"\bm": r"\mathbf",
    r"\boldsymbol": r"\mathbf",
    r"\cr": r"\\",
    r"\newline": r"\\",
}
_ALIGNED = {"align", "aligned", "split", "gather", "gathered", "eqnarray", "multline", "alignedat"}


class Region(NamedTuple):
    """A box of a page's layout; x0 < x1 and y0 < y1 in any unit, the same for all regions."""

    category: str
    x0: float
    y0: float
    x1: float
    y1: float


def sequence_similarity(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """1 - edit distance / length of the longer one; two empty sequences are the same."""
    longest = max(len(first), len(second))
    return 1 - edit_distance(first, second) / longest if longest else 1.0


def normalize_text(text: str) -> str:
    """A text in Unicode's form NFKC and single spaces: what is compared."""
    return " ".join(unicodedata.normalize("NFKC", text[:MAX_CHARS]).split())


def text_similarity(first: str, second: str) -> float:
    """1 - normalized edit distance over characters, in [0, 1]; symmetric."""
    return sequence_similarity(normalize_text(first), normalize_text(second))


def latex_tokens(formula: str) -> list[str]:
    """The tokens of a formula in LaTeX, written in one way where LaTeX allows several.

    Removed: delimiters, numbers and labels, spacing, sizes of delimiters, braces around a single
    token, column specifications of arrays. Replaced: synonyms, and letters that differ by font
    alone (`\\epsilon`, `\\varepsilon`). Indices come before exponents, and primes are exponents.
    """
    text = _COLUMNS.sub(r"\1", _UNSEEN_PARTS.sub(" ", formula[:MAX_CHARS]))
    tokens: list[str] = []
    for raw in _TOKEN.findall(text):
        token = _environment(raw) if raw.startswith(("\\begin", "\\end")) else _SAME.get(raw, raw)
        if token == "'":
            tokens += ["^", r"\prime"]
        elif token not in _UNSEEN:
            tokens.append(token)
    return _indices_first(_without_single_braces(tokens))


def formula_similarity(first: str, second: str) -> float:
    """1 - normalized edit distance over `latex_tokens`, in [0, 1]; symmetric."""
    return sequence_similarity(latex_tokens(first), latex_tokens(second))


def iou(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of two boxes (x0, y0, x1, y1); 0 for boxes without area."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


def layout_similarity(first: Sequence[Region], second: Sequence[Region]) -> float:
    """``2 * sum(IoU) / (n + m)`` over the best assignment of boxes of the same category.

    It is the F1 score of regions where a pair counts as far as it overlaps; the paper rewards
    layout by "category IoU" without a formula, and this one is ours. Symmetric; two empty layouts
    are the same.
    """
    total = len(first) + len(second)
    by_category: dict[str, tuple[list[Region], list[Region]]] = defaultdict(lambda: ([], []))
    for side, regions in enumerate((first, second)):
        for region in regions[:MAX_REGIONS]:
            by_category[region.category][side].append(region)
    overlap = 0.0
    for ours, theirs in by_category.values():
        weights = [[iou(a[1:], b[1:]) for b in theirs] for a in ours]
        overlap += sum(weights[i][j] for i, j in assign(weights))
    return 2 * overlap / total if total else 1.0


def order_similarity(first: Sequence[Region], second: Sequence[Region]) -> float:
    """1 - normalized edit distance between the orders of the regions that both layouts have.

    Regions are the same where they overlap by `SAME_REGION_IOU`; categories do not matter. As in
    OmniDocBench, missing regions cost nothing here. Without any common region it is 0, except for
    two empty layouts.
    """
    first, second = first[:MAX_REGIONS], second[:MAX_REGIONS]
    weights = [[iou(a[1:], b[1:]) for b in second] for a in first]
    order = [j for i, j in assign(weights) if weights[i][j] >= SAME_REGION_IOU]
    if not order:
        return float(not first and not second)
    return sequence_similarity(order, sorted(order))


def parse_layout(text: str) -> list[Region]:
    """The regions of MinerU2.5's layout tokens, in reading order; boxes without area are left out.

    A region is ``<|box_start|>x0 y0 x1 y1<|box_end|><|ref_start|>category<|ref_end|>`` on a grid
    of 0 to 999; a rotation token may follow.
    """
    found = [Region(m[5], *(float(m[k]) for k in range(1, 5))) for m in _REGION.finditer(text)]
    return [region for region in found if region.x0 < region.x1 and region.y0 < region.y1]


def assign(weights: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Pairs (row, column) of the one-to-one assignment with the largest sum of weights.

    Weights are 0 or more; pairs of weight 0 are left out. Kuhn and Munkres' method, in O(n^2 m)
    for the smaller side n, on each connected part of the pairs above 0.
    """
    pairs: list[tuple[int, int]] = []
    for rows, columns in _connected(weights):
        if len(rows) == 1 or len(columns) == 1:
            best = max((weights[i][j], -i, -j) for i in rows for j in columns)
            pairs.append((-best[1], -best[2]))
            continue
        turned = len(rows) > len(columns)
        short, long = (columns, rows) if turned else (rows, columns)
        costs = [[-(weights[b][a] if turned else weights[a][b]) for b in long] for a in short]
        for a, b in _munkres(costs):
            i, j = (long[b], short[a]) if turned else (short[a], long[b])
            if weights[i][j] > 0:
                pairs.append((i, j))
    return sorted(pairs)


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any] | None = None,
    **_: Any,
) -> float:
    """The score of a response, 0..1; verl calls it.

    `data_source` is one of `SCORES`, also as ``<name>@<version>``.

    Raises:
        ValueError: there is no such score.
    """
    name = data_source.partition("@")[0]
    if name not in SCORES:
        raise ValueError(f"no reward for data source {data_source!r}; known: {', '.join(SCORES)}")
    return float(SCORES[name](solution_str, ground_truth))


def trl_reward(completions: Sequence[Any], **columns: Any) -> list[float | None]:
    """The rewards of a batch; None for rows of other tasks, which TRL leaves out of the mean.

    Used columns: `data_source`, and `ground_truth` or `solution`.
    """
    truths = columns.get("ground_truth") or columns["solution"]
    rows = zip(columns["data_source"], completions, truths, strict=True)
    return [
        compute_score(name, _text(given), truth) if name.partition("@")[0] in SCORES else None
        for name, given, truth in rows
    ]


SCORES = {
    "document.text": text_similarity,
    "document.formula": formula_similarity,
    "document.layout": lambda a, b: layout_similarity(parse_layout(a), parse_layout(b)),
    "document.order": lambda a, b: order_similarity(parse_layout(a), parse_layout(b)),
}


def _environment(raw: str) -> str:
    """``\\begin{name}`` without spaces; environments that align the same way have one name."""
    command, _, name = raw.partition("{")
    name = name.rstrip("}").strip().removesuffix("*")
    return f"{command.strip()}{{{'aligned' if name in _ALIGNED else name}}}"


def _without_single_braces(tokens: list[str]) -> list[str]:
    """The tokens without empty groups and without braces around one token."""
    out: list[str] = []
    opened: list[int] = []
    for token in tokens:
        if token == "{":
            opened.append(len(out))
        out.append(token)
        if token == "}" and opened:
            start = opened.pop()
            if len(out) - start <= 3:
                del out[start :: len(out) - start - 1]
    return out


def _indices_first(tokens: list[str]) -> list[str]:
    """The tokens with ``^ a _ b`` written as ``_ b ^ a``, for arguments of any length."""
    ends: dict[int, int] = {}
    opened: list[int] = []
    for at, token in enumerate(tokens):
        if token == "{":
            opened.append(at)
        elif token == "}" and opened:
            ends[opened.pop()] = at
    out: list[str] = []
    waiting = [(0, len(tokens))]  # parts still to be written, the next one last
    while waiting:
        at, end = waiting.pop()
        if at >= end:
            continue
        after = ends.get(at + 1, at + 1) + 1
        if tokens[at] == "^" and after < end and tokens[after] == "_":
            last = min(ends.get(after + 1, after + 1) + 1, end)
            waiting += [(last, end), (at, after), (after, last)]
        else:
            out.append(tokens[at])
            waiting.append((at + 1, end))
    return out


def _connected(weights: Sequence[Sequence[float]]) -> list[tuple[list[int], list[int]]]:
    """Rows and columns of each connected part of the pairs whose weight is above 0."""
    by_row = [[j for j, weight in enumerate(line) if weight > 0] for line in weights]
    by_column: dict[int, list[int]] = defaultdict(list)
    for i, line in enumerate(by_row):
        for j in line:
            by_column[j].append(i)
    parts, seen = [], set[int]()
    for start, line in enumerate(by_row):
        if start in seen or not line:
            continue
        rows, columns, waiting = {start}, set[int](), [start]
        while waiting:
            for j in by_row[waiting.pop()]:
                if j not in columns:
                    columns.add(j)
                    waiting += [i for i in by_column[j] if i not in rows]
                    rows.update(by_column[j])
        seen |= rows
        parts.append((sorted(rows), sorted(columns)))
    return parts


def _munkres(costs: list[list[float]]) -> list[tuple[int, int]]:
    """The cheapest assignment of every row to a column of its own, by shortest paths."""
    width = len(costs[0])
    row_price, column_price = [0.0] * (len(costs) + 1), [0.0] * (width + 1)
    owner = [0] * (width + 1)  # row (from 1) of each column (from 1)
    for row in range(1, len(costs) + 1):
        owner[0], at = row, 0
        least, way, used = [float("inf")] * (width + 1), [0] * (width + 1), [False] * (width + 1)
        while owner[at]:
            used[at], line, delta, nearest = True, owner[at], float("inf"), 0
            for column in range(1, width + 1):
                if used[column]:
                    continue
                reduced = costs[line - 1][column - 1] - row_price[line] - column_price[column]
                if reduced < least[column]:
                    least[column], way[column] = reduced, at
                if least[column] < delta:
                    delta, nearest = least[column], column
            for column in range(width + 1):
                if used[column]:
                    row_price[owner[column]] += delta
                    column_price[column] -= delta
                else:
                    least[column] -= delta
            at = nearest
        while at:
            owner[at], at = owner[way[at]], way[at]
    return [(owner[column] - 1, column - 1) for column in range(1, width + 1) if owner[column]]


def _text(completion: Any) -> str:
    if isinstance(completion, str):
        return completion
    return str(completion[-1].get("content") or "")
