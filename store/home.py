"""The data folder of a project.

datasets/<name>/rows/    the Delta table
datasets/<name>/media/   files the rows refer to, named by their SHA-256
datasets/<name>/tags/    named pointers to versions
datasets/<name>/state/   states of feedback generators, named by their SHA-256
runs/<run_id>/           recipe.yaml, report.json and log.txt (tracebacks); lock, held at work
runs/<run_id>/rewards/   reward functions of a user that rows name
cache/responses.sqlite   answers of models
cache/corpora/ ...       what generators build once (corpora, indexes), named by content
indexes/<name>/          diversity state of a dataset
catalog.duckdb           the projection of all this that SQL reads
"""

import os
import re
from pathlib import Path

from synthmill.runtime.files import remove_abandoned
from synthmill.schemas.errors import InputError
from synthmill.schemas.recipe import NAME_PATTERN
from synthmill.store.errors import translate_errors

HOME_VARIABLE = "SYNTHMILL_HOME"
DEFAULT_HOME = "factory"
PRIVATE = 0o700
# Patterns of DuckDB, percent-encoding and separators of addresses, names of Hive partitions.
STRANGE = frozenset("*?[]{}%\\|^#=")


def _usable(sign: str) -> bool:
    return sign not in STRANGE and (sign.isprintable() or sign == "\u200d")


class Home:
    """The paths of a data folder; folders are created when something is written.

    Raises:
        InputError: the path holds a character that the table or the catalog cannot have there.
    """

    def __init__(self, path: str | Path) -> None:
        try:
            self.path = Path(path).expanduser().absolute()
        except (RuntimeError, ValueError) as error:  # an unknown user, a NUL
            raise InputError(f"the data folder {str(path)!r} cannot be used: {error}") from error
        strange = next((sign for sign in str(self.path) if not _usable(sign)), None)
        if strange is not None:
            raise InputError(
                f"the data folder {str(self.path)!r} cannot be used: {strange!r} in its path is "
                "read as something else by Delta Lake or DuckDB; give another --home"
            )

    @classmethod
    def find(cls, option: str | Path | None = None) -> "Home":
        """The home that `--home` names, else `SYNTHMILL_HOME`, else `./factory`."""
        return cls(option or os.environ.get(HOME_VARIABLE) or DEFAULT_HOME)

    def prepare(self) -> "Home":
        """Create the folder, for its owner alone: answers were paid for, rows may be private.

        Raises:
            InputError: it cannot be made (a file is in the way, no permission, full disk).
        """
        with translate_errors(f"home {self.path}"):
            self.path.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        return self

    def remove_abandoned(self) -> None:
        """Remove the files and folders that killed processes had not finished."""
        # A table's own files are the business of its vacuum.
        remove_abandoned(self.path, skip={"rows"})

    def require(self) -> "Home":
        """The home, if its folder exists.

        Raises:
            InputError: it does not.
        """
        if not self.path.is_dir():
            raise InputError(
                f"there is no data folder {self.path}: `synthmill run` makes it, or give --home"
            )
        return self

    @property
    def catalog(self) -> Path:
        """The DuckDB catalog file."""
        return self.path / "catalog.duckdb"

    @property
    def cache(self) -> Path:
        """The folder of everything that can be made again and is shared by runs."""
        return self.path / "cache"

    @property
    def responses(self) -> Path:
        """The response cache of the models."""
        return self.cache / "responses.sqlite"

    @property
    def datasets(self) -> Path:
        """The folder of all datasets."""
        return self.path / "datasets"

    def dataset(self, name: str) -> Path:
        """The folder of one dataset.

        Raises:
            InputError: `name` cannot name a dataset.
        """
        return self.datasets / dataset_name(name)

    def dataset_names(self) -> list[str]:
        """Names of the datasets that exist, sorted."""
        if not self.datasets.is_dir():
            return []
        created = self.datasets.glob(f"*/rows/_delta_log/{0:020}.json")
        return sorted(entry.parents[2].name for entry in created)

    def index(self, name: str) -> Path:
        """The folder of a dataset's diversity indexes."""
        return self.path / "indexes" / dataset_name(name)

    def run(self, run_id: str) -> Path:
        """The folder of one run.

        Raises:
            InputError: `run_id` cannot name a run.
        """
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", run_id):
            raise InputError(
                f"{run_id!r} cannot name a run: letters, digits, '.', '_' and '-', 128 at most"
            )
        return self.path / "runs" / run_id

    def run_ids(self) -> list[str]:
        """Ids of the runs that have a folder, sorted."""
        runs = self.path / "runs"
        return sorted(p.name for p in runs.iterdir() if p.is_dir()) if runs.is_dir() else []


# Views are named after datasets; these names are used by the catalog itself.
RESERVED = frozenset(
    {
        "catalog_format", "datasets", "failures", "files", "funnel", "runs", "sources", "tags",
        "usage", "verdicts", "versions",
    }
)  # fmt: skip
RESERVED_ENDINGS = ("_rejected", "_all", "_at")


def dataset_name(name: str) -> str:
    """`name` itself, after a check that it can name a folder and SQL views.

    Raises:
        InputError: it cannot.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise InputError(
            f"{name!r} cannot name a dataset: lower case letters, digits, '-' and '_', "
            "beginning with a letter or digit, 64 at most"
        )
    if name in RESERVED or name.endswith(RESERVED_ENDINGS):
        raise InputError(
            f"{name!r} cannot name a dataset: the catalog keeps the names "
            f"{', '.join(sorted(RESERVED))} and the endings {', '.join(RESERVED_ENDINGS)}"
        )
    return name
