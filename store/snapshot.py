"""One version of a dataset, as rows, Arrow, `datasets` or pandas."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from synthmill.schemas.arrow import row_from_record
from synthmill.schemas.row import Kind, Row, Status
from synthmill.store.dataset import Dataset
from synthmill.store.metadata import Version
from synthmill.store.reading import selection
from synthmill.store.tags import resolve

if TYPE_CHECKING:
    import datasets
    import pandas

# `status` is the partition column: its values are in the table's log, not in the files.
STORED_COLUMNS = [name for name in selection(None).names if name != "status"]


class DatasetSnapshot:
    """The rows of a dataset at one version; commits made later do not change it.

    It is an Arrow stream (the PyCapsule interface), so `polars.DataFrame(snapshot)`,
    `pyarrow.table(snapshot)` and DuckDB read its accepted rows directly.

    Everywhere `status=None` means accepted and rejected rows, `kind=None` rows of all kinds.
    """

    def __init__(self, dataset: Dataset, version: int | str | None = None) -> None:
        """Raises InputError when there is no such version or tag."""
        self.dataset = dataset
        self.name = dataset.name
        self.version = resolve(dataset, version)

    def __repr__(self) -> str:
        return f"DatasetSnapshot({self.name!r}, version={self.version})"

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.to_batches().__arrow_c_stream__(requested_schema)

    def versions(self) -> list[Version]:
        """All versions of the dataset, oldest first."""
        return self.dataset.history()

    def rows(self, status: Status | None = "accepted", kind: Kind | None = None) -> Iterator[Row]:
        """The rows one by one, as typed models."""
        for batch in self.to_batches(status, kind):
            yield from map(row_from_record, batch.to_pylist())

    def to_batches(
        self,
        status: Status | None = "accepted",
        kind: Kind | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.RecordBatchReader:
        """Stream the rows in flat memory.

        Raises:
            InputError: no such column, or the files of this version were deleted by `maintain`.
        """
        if kind is None:
            return self.dataset.read(self.version, status, columns)
        kept = list(columns) if columns else selection(None).names
        reader = self.dataset.read(self.version, status, list({*kept, "kind"}))
        found = (batch.filter(pc.equal(batch["kind"], kind)).select(kept) for batch in reader)
        return pa.RecordBatchReader.from_batches(selection(kept), found)

    def to_arrow(
        self,
        status: Status | None = "accepted",
        kind: Kind | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """The rows as one Arrow table in memory."""
        return self.to_batches(status, kind, columns).read_all()

    def to_pandas(
        self,
        status: Status | None = "accepted",
        kind: Kind | None = None,
        columns: Sequence[str] | None = None,
    ) -> "pandas.DataFrame":
        """The rows as a pandas data frame; raises ImportError where pandas is not installed."""
        return self.to_arrow(status, kind, columns).to_pandas()

    def to_datasets(
        self, status: Status = "accepted", streaming: bool = False
    ) -> "datasets.Dataset | datasets.IterableDataset":
        """The rows for `datasets`, read from the Parquet files without a copy.

        With `streaming` nothing is read before it is used. There is no `status` column.
        """
        from datasets import Dataset as LoadedDataset
        from datasets import Features, IterableDataset, load_dataset

        features = Features.from_arrow_schema(selection(STORED_COLUMNS))
        files = self.dataset.files(self.version, status)
        if not files:
            if streaming:
                return IterableDataset.from_generator(lambda: iter(()), features=features)
            return LoadedDataset.from_dict({name: [] for name in STORED_COLUMNS}, features)
        return load_dataset(
            "parquet", data_files=files, features=features, split="train", streaming=streaming
        )
