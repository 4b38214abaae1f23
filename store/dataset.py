"""A dataset: versions of rows in a Delta table, committed exactly once."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError

from synthmill.schemas.arrow import ROW_SCHEMA, row_from_record, rows_to_table
from synthmill.schemas.errors import InputError, nearest
from synthmill.schemas.row import Row, Status
from synthmill.store import media, table
from synthmill.store.blocklist import blocked_patterns, blocklist, matches
from synthmill.store.errors import check_free_space, hint_for, translate_errors
from synthmill.store.home import Home, dataset_name
from synthmill.store.log import find_commit, read_log
from synthmill.store.metadata import CommitMetadata, Version
from synthmill.store.reading import added_since, find_rows, live_files, read_files, selection

SPARE_BYTES = 256 * 1024  # for the log entry
Revise = Callable[[], tuple[pa.Table, CommitMetadata]]


class Dataset:
    """One dataset of a home; make it with `open` or `create`.

    Do not use it in a forked child process (delta-rs panics there); use spawn.
    """

    def __init__(self, home: Home, name: str) -> None:
        self.home = home
        self.name = dataset_name(name)
        self.folder = home.dataset(name)
        self._table: DeltaTable

    @classmethod
    def open(cls, home: Home, name: str) -> "Dataset":
        """The dataset `name`.

        Raises:
            InputError: there is no such dataset, or its log is damaged.
        """
        dataset = cls(home, name)
        if not DeltaTable.is_deltatable(dataset.location):
            known = home.dataset_names()
            raise InputError(
                f"there is no dataset {name!r} in {home.path}{nearest(name, known)}; "
                f"known: {', '.join(known) or 'none yet'}"
            )
        try:
            with translate_errors(f"dataset {name!r} at {dataset.location}"):
                dataset._table = DeltaTable(dataset.location)
        except DeltaError as error:
            damage = str(error).splitlines()[0]
            raise InputError(f"dataset {name!r}: its log cannot be read: {damage}") from error
        return dataset

    @classmethod
    def create(cls, home: Home, name: str) -> "Dataset":
        """The dataset `name`, created if it does not exist yet.

        Raises:
            InputError: the name is not allowed, or the folder cannot be written.
        """
        dataset = cls(home, name)
        if not DeltaTable.is_deltatable(dataset.location):
            with translate_errors(f"dataset {name!r} at {dataset.location}"):
                home.prepare()
                dataset.folder.mkdir(parents=True, exist_ok=True)
                table.create_table(dataset.location, name)
        return cls.open(home, name)

    @property
    def location(self) -> str:
        """Where the Delta table is: what Spark, Polars or DuckDB's `delta_scan` open."""
        return str(self.folder / "rows")

    @property
    def version(self) -> int:
        """The newest version, other processes' commits included."""
        with translate_errors(f"dataset {self.name!r}"):
            self._table.update_incremental()
        return int(self._table.version())

    # ---- writing

    def commit(
        self,
        rows: pa.Table | Sequence[Row],
        *,
        run_id: str,
        batch: int,
        metadata: CommitMetadata,
        revise: Revise | None = None,
    ) -> int | None:
        """Commit a batch of a run as one version, exactly once; a batch may have no rows.

        Rows of deleted sources are dropped and counted in the metadata's `blocked`. `revise` is
        called before each attempt; what it returns is committed instead, behind the newest version
        that it could see: where another version comes between, it is called again.

        Returns:
            The new version, or None if this batch (or a later one) of the run is already committed.

        Raises:
            InputError: full disk, no permission; the dataset is then unchanged.
        """
        arrow = rows if isinstance(rows, pa.Table) else rows_to_table(rows)
        arrow = arrow.select(ROW_SCHEMA.names).cast(ROW_SCHEMA)

        def attempt() -> int | None:
            if self._committed(run_id) >= batch:
                return None
            revised, values = revise() if revise else (arrow, metadata)
            named = values.model_copy(update={"run_id": run_id, "batch": batch})
            return self._append(revised, named, retries=50 if revise is None else 0)

        with translate_errors(f"dataset {self.name!r} at {self.location}"):
            check_free_space(self.folder, arrow.nbytes + SPARE_BYTES)
            return table.retry_on_conflict(attempt)

    def _committed(self, run_id: str) -> int:
        """The last batch of a run that is in the newest version, or -1."""
        self._table.update_incremental()
        batch = self._table.transaction_version(run_id)
        return -1 if batch is None else int(batch)

    def _append(self, rows: pa.Table, metadata: CommitMetadata, retries: int) -> int:
        patterns = blocked_patterns(self._table)
        if patterns:
            kept = rows.filter(pc.invert(matches(rows, patterns)))
            metadata = metadata.model_copy(update={"blocked": len(rows) - len(kept)})
            rows = kept
        commit = table.properties(
            "commit",
            metadata.model_dump(exclude_none=True),
            Transaction(metadata.run_id, metadata.batch),
            retries,
        )
        table.append(self._table, rows, commit)
        return int(self._table.version())

    def write(
        self,
        rows: pa.RecordBatchReader,
        operation: str,
        subject: str,
        *,
        replaces: int | None = None,
    ) -> int:
        """Write a stream of rows as one version that no run made.

        Args:
            rows: a stream of `ROW_SCHEMA`; it is written in flat memory.
            operation: what the log calls it.
            subject: what it was done with or for, for the log.
            replaces: the version whose rows these rows replace; by default they are added.

        Returns:
            The new version.

        Raises:
            InputError: full disk, no permission; or `replaces` is not the newest version any more.
        """
        values = {"pattern": subject}
        with translate_errors(f"dataset {self.name!r} at {self.location}"):
            if replaces is None:
                table.append(self._table, rows, table.properties(operation, values))
                return self.version
            try:
                if self.version != replaces:
                    raise CommitFailedError
                table.overwrite(self._table, rows, table.properties(operation, values, retries=0))
            except CommitFailedError as error:
                if hint_for(error):
                    raise
                raise InputError(
                    f"dataset {self.name!r} has been written to meanwhile; let its run end and "
                    "try again (what models answered is in the response cache)"
                ) from error
        return replaces + 1

    def set_blocklist(
        self, patterns: Mapping[str, list[str]], operation: str, subject: str
    ) -> None:
        """Replace the blocklist, as a version of its own."""
        self.at().alter.set_table_properties(
            {table.BLOCKED_PROPERTY: json.dumps(dict(patterns))},
            raise_if_not_exists=False,
            commit_properties=table.properties(operation, {"pattern": subject}),
        )

    def put_media(self, content: bytes, suffix: str) -> tuple[str, str]:
        """Store a file of a row; its path relative to the dataset and its SHA-256."""
        return media.put_media(self.folder, content, suffix)

    @property
    def media_folder(self) -> Path:
        """The folder of the files that rows refer to."""
        return self.folder / media.MEDIA_DIR

    # ---- the log

    def last_commit(self, run_id: str) -> tuple[int, CommitMetadata] | None:
        """The last committed batch of a run and its metadata, or None if there is none."""
        batch = self._committed(run_id)
        if batch < 0:
            return None
        found = find_commit(Path(self.location), self._table.version(), run_id, batch)
        if found is None:
            raise InputError(
                f"dataset {self.name!r}: the log entry of run {run_id}, batch {batch} is missing"
            )
        return batch, found

    def history(self) -> list[Version]:
        """All versions, oldest first."""
        return [entry.version for entry in read_log(Path(self.location), self.version)]

    def blocked_sources(self) -> list[str]:
        """The blocklist with its hashes: sources whose rows are dropped from every commit."""
        self._table.update_incremental()
        return blocked_patterns(self._table)

    def blocklist(self) -> dict[str, list[str]]:
        """The patterns of deleted sources, each with the hashes of the contents it matched."""
        self._table.update_incremental()
        return blocklist(self._table)

    # ---- reading

    def at(self, version: int | None = None) -> DeltaTable:
        """The table at a version (the newest by default).

        Raises:
            InputError: there is no such version, or its files are gone.
        """
        newest = self.version
        if version is None or version == newest:
            return self._table
        if not 0 <= version <= newest:
            raise InputError(
                f"dataset {self.name!r} has no version {version}: it has 0 to {newest}"
            )
        with translate_errors(f"dataset {self.name!r} version {version}"):
            return DeltaTable(self.location, version=version)

    def files(self, version: int | None = None, status: Status | None = None) -> list[str]:
        """Addresses of the Parquet files of a version, in the order of their writing.

        They hold exactly the rows of that version; a listing of the folder does not.
        """
        return list(live_files(self.at(version), self.location, status))

    def read(
        self,
        version: int | None = None,
        status: Status | None = "accepted",
        columns: Sequence[str] | None = None,
    ) -> pa.RecordBatchReader:
        """Stream the rows of a version (`status=None`: accepted and rejected) in flat memory.

        Raises:
            InputError: no such version or column, or its files are gone.
        """
        unknown = set(columns or ()) - set(ROW_SCHEMA.names)
        if unknown:
            name = sorted(unknown)[0]
            raise InputError(f"rows have no column {name!r}{nearest(name, ROW_SCHEMA.names)}")
        return read_files(live_files(self.at(version), self.location, status), selection(columns))

    def rows(self, version: int | None = None, status: Status | None = "accepted") -> Iterator[Row]:
        """The rows of a version one by one, as models."""
        for batch in self.read(version, status):
            yield from map(row_from_record, batch.to_pylist())

    def row(
        self, prefix: str, version: int | None = None, status: Status | None = "accepted"
    ) -> Row:
        """The row whose id begins with `prefix`.

        Copies share an id, so several rows may match: one with `status` is preferred.

        Raises:
            InputError: no row fits, or rows of several ids do.
        """
        found = find_rows(self.files(version), prefix).to_pylist()
        wanted = (record for record in found if record["status"] == status)
        return row_from_record(next(wanted, found[0]))

    def rows_since(
        self, version: int, columns: Sequence[str] | None = None
    ) -> pa.RecordBatchReader:
        """Stream the accepted rows that were added after `version` and still exist.

        Rows that a compaction or a deletion only rewrote are left out, so an index of `version` is
        up to date once these rows are added.

        Raises:
            InputError: there is no such version, or its files are gone.
        """
        return added_since(self.at(version), self.at(), self.location, columns)
