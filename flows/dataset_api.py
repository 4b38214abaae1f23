"""The Python API of whole datasets: judging again, merging, copying, renaming, dropping."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from synthmill.flows.api import complete
from synthmill.pipelines import renaming
from synthmill.pipelines.refilter import RefilterSummary, filter_set
from synthmill.pipelines.refilter import refilter as judge_again
from synthmill.schemas.base import Record
from synthmill.store import arranging, catalog
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home

OnRows = Callable[[int, int], None]


class MergeSummary(Record):
    """The rows of a merged dataset, and those left out.

    `repeated` were there already (an id is accepted once), `blocked` are of blocked sources.
    `refiltered` is what the filters of the merge did afterwards.
    """

    dataset: str
    accepted: int
    rejected: int
    repeated: int
    blocked: int
    refiltered: RefilterSummary | None = None


def refilter(
    dataset: str,
    filters: Sequence[str],
    *,
    settings: Mapping[str, Any] | None = None,
    models: str | Path | None = None,
    readmit: bool = False,
    home: str | Path | None = None,
    on_progress: OnRows = lambda done, total: None,
) -> RefilterSummary:
    """Judge the rows of a dataset's newest version again, and commit them as a new version.

    Accepted rows are judged; those that fail become rejected, with the new verdict. It replaces an
    earlier one of a filter of the same name. Older versions stay as they were.

    Args:
        dataset: its name.
        filters: names, places such as `./mine.py:short`, or recipes, whose filters are meant.
        settings: settings of filters by name, such as `{"length": {"max_words": 200}}`.
        models: a recipe whose models the filters ask.
        readmit: judge rejected rows too, where only these filters had rejected them, and accept
            those that pass.
        home: the data folder; `$SYNTHMILL_HOME` or `./factory` by default.
        on_progress: called with the rows done and their number.

    Raises:
        InputError: something the user can correct; the dataset is then unchanged.
    """
    place = Home.find(home)
    opened = Dataset.open(place, dataset)
    chosen = filter_set(filters, settings, models=models)
    done = complete(judge_again(opened, chosen, place, readmit=readmit, on_rows=on_progress))
    catalog.refresh(place)
    return done


def merge_datasets(
    datasets: Sequence[str],
    into: str,
    *,
    filters: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    models: str | Path | None = None,
    home: str | Path | None = None,
    on_progress: OnRows = lambda done, total: None,
) -> MergeSummary:
    """Merge the newest versions of datasets into a new one; every id is accepted once.

    Args:
        datasets: their names; of copies, the row of the one named first stays.
        into: the name of the new dataset; it appears complete or not at all.
        filters: judge the merged rows by these (as `refilter`), diversity filters for example.
        settings: as of `refilter`.
        models: as of `refilter`.
        home: the data folder; `$SYNTHMILL_HOME` or `./factory` by default.
        on_progress: called with the rows judged and their number.

    Raises:
        InputError: something the user can correct; nothing was made.
    """
    place = Home.find(home)
    chosen = filter_set(filters, settings, models=models) if filters else None
    again = None
    with arranging.merging(place, datasets, into) as merge:
        if chosen is not None:
            again = complete(judge_again(merge.dataset, chosen, place, on_rows=on_progress))
    catalog.refresh(place)
    return MergeSummary(
        dataset=into,
        accepted=merge.rows["accepted"],
        rejected=merge.rows["rejected"],
        repeated=merge.repeated,
        blocked=merge.blocked,
        refiltered=again,
    )


def copy_dataset(
    dataset: str,
    new: str,
    *,
    version: int | str | None = None,
    home: str | Path | None = None,
) -> int:
    """Copy a dataset with its versions up to `version`; the copy's newest version.

    Raises:
        InputError: no such dataset or version, or the new name is taken or not allowed.
    """
    place = Home.find(home)
    number = arranging.copy_dataset(place, dataset, new, version)
    catalog.refresh(place)
    return number


def rename_dataset(dataset: str, new: str, *, home: str | Path | None = None) -> None:
    """Give a dataset another name, also in the recipes that its runs are resumed with.

    Raises:
        InputError: there is no such dataset, or the new name is taken or not allowed.
    """
    place = Home.find(home)
    renaming.rename_dataset(place, dataset, new)
    catalog.refresh(place)


def drop_dataset(dataset: str, *, home: str | Path | None = None) -> None:
    """Delete a dataset with all its versions; reports of its runs stay.

    Raises:
        InputError: there is no such dataset, or no permission.
    """
    place = Home.find(home)
    arranging.drop_dataset(place, dataset)
    catalog.refresh(place)
