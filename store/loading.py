"""Any version of a dataset as a `datasets` dataset, without a copy."""

from typing import TYPE_CHECKING

from synthmill.schemas.row import Status
from synthmill.store.dataset import Dataset
from synthmill.store.reading import selection

if TYPE_CHECKING:
    import datasets

# The status stands in the table's log and in the folder's name, not in the files.
STORED = [name for name in selection(None).names if name != "status"]


def load_version(
    dataset: Dataset,
    version: int | None = None,
    status: Status = "accepted",
    streaming: bool = False,
) -> "datasets.Dataset | datasets.IterableDataset":
    """The rows of a version, for `datasets`; with `streaming` nothing is read ahead of its use.

    Raises:
        InputError: there is no such version.
    """
    from datasets import Dataset as Loaded
    from datasets import Features, IterableDataset, load_dataset

    features = Features.from_arrow_schema(selection(STORED))
    files = dataset.files(version, status)
    if not files:
        if streaming:
            return IterableDataset.from_generator(lambda: iter(()), features=features)
        return Loaded.from_dict({name: [] for name in STORED}, features=features)
    return load_dataset(
        "parquet", data_files=files, features=features, split="train", streaming=streaming
    )
