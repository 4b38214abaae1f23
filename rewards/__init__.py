"""Reward functions that judge rows here and score rollouts in a trainer.

Every file of this folder works alone: it imports nothing of Synthmill and nothing heavy, and may be
copied into a trainer's environment. Each has `compute_score` (verl's signature) and `trl_reward`
(TRL's and ms-swift's). A row names its reward in the column `reward`; `reward(name)` finds it, also
a function of a user, which is named `./file.py:function@version`.
"""

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

# The file that scores each reward, with the versions it still computes.
FILES = {
    "answer_equivalence@1": "math_answers",
    "document.formula@1": "documents",
    "document.layout@1": "documents",
    "document.order@1": "documents",
    "document.table@1": "document_tables",
    "document.table_structure@1": "document_tables",
    "document.text@1": "documents",
    "exact_match@1": "squad",
    "mmlongbench@1": "mmlongbench",
    "token_f1@1": "squad",
    "videossr.counting@1": "videossr",
    "videossr.grounding@1": "videossr",
    "videossr.jigsaw@1": "videossr",
}


def reward(name: str, folder: str | Path = ".") -> Callable[..., float]:
    """The function of a row's `reward` (``name@version``): `f(response, answer, args)`.

    `args` is the row's `reward_args` as a dict, or None. The score is in [0, 1] for the files
    here. A reward given as ``./file.py:function@version`` starts at `folder` (the recipe's, or an
    export's folder `rewards`); its code is run.

    Raises:
        ValueError: no file here computes that reward (reasoning-gym's scorers are in its package),
            or the user's file has no such function.
        OSError: the user's file cannot be read.
    """
    if ".py:" in name:
        compute_score = _function_in_file(name, Path(folder))
    elif name in FILES:
        compute_score = importlib.import_module(f"{__name__}.{FILES[name]}").compute_score
    else:
        raise ValueError(f"no reward {name!r}; known: {', '.join(FILES)}, or ./file.py:function@1")

    def score(response: str, answer: str, args: dict[str, object] | None = None) -> float:
        return float(compute_score(name, response, answer, args))

    return score


def _function_in_file(name: str, folder: Path) -> Any:
    path, _, function = name.partition("@")[0].rpartition(":")
    spec = importlib.util.spec_from_file_location(Path(path).stem, folder / path)
    if spec is None or spec.loader is None:
        raise ValueError(f"no reward {name!r}: {path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not callable(found := getattr(module, function, None)):
        raise ValueError(f"no reward {name!r}: {path} has no function {function!r}")
    return found
