"""Reading what a home holds: a catalog that is up to date, and answers as tables."""

from collections.abc import Sequence
from contextlib import suppress

import pyarrow as pa

from synthmill.schemas.errors import InputError
from synthmill.store import catalog
from synthmill.store.home import Home
from synthmill.store.query import query


def refreshed(home: Home) -> Home:
    """The home with its catalog brought up to date, where it may be written.

    A run that was killed has committed rows that the catalog does not know yet.

    Raises:
        InputError: there is no such folder.
    """
    require_folder(home)
    with suppress(InputError):  # somebody else's folder is read as it is
        catalog.rebuild(home)
    return home


def require_folder(home: Home) -> Home:
    """The home, once it is known to be there.

    Raises:
        InputError: it is not.
    """
    if not home.path.is_dir():
        raise InputError(
            f"there is no data folder {home.path}: `synthmill run` makes it, or give --home"
        )
    return home


def ask(home: Home, sql: str) -> pa.Table:
    """The whole result of a query on the catalog, which must be small."""
    reader = query(home, sql)
    return pa.Table.from_batches(list(reader), reader.schema)


def tuples(table: pa.Table) -> Sequence[Sequence[object]]:
    """The rows of a table."""
    return [tuple(record.values()) for record in table.to_pylist()]
