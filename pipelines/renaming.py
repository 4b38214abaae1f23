"""Renaming a dataset together with the recipes and reports of its runs, whatever dies when."""

import json
from contextlib import suppress

from synthmill.pipelines.load import read_recipe
from synthmill.pipelines.run_store import RECIPE_FILE, save_recipe, save_report
from synthmill.runtime.files import atomic_write
from synthmill.schemas.errors import InputError
from synthmill.store import arranging
from synthmill.store.dataset import Dataset
from synthmill.store.errors import translate_errors
from synthmill.store.home import Home
from synthmill.store.reports import read_report

RENAME_FILE = "rename.json"  # in the home: the old and the new name while a dataset is renamed


def rename_dataset(home: Home, name: str, new: str) -> None:
    """Give a dataset another name, also in the recipes and reports of its runs.

    A note in the home says what is being renamed, so that a rename which was killed is completed
    by the next rename or resume. No run may write to the dataset meanwhile.

    Raises:
        InputError: there is no such dataset, the new name is taken or not allowed, or a folder
            cannot be written.
    """
    complete_rename(home)
    Dataset.open(home, name)
    note = home.path / RENAME_FILE
    with translate_errors(str(home.path)):
        atomic_write(note, json.dumps([name, new]))
    try:
        arranging.rename_dataset(home, name, new)
    except BaseException:
        if name in home.dataset_names():
            note.unlink(missing_ok=True)
        raise
    complete_rename(home)


def complete_rename(home: Home) -> None:
    """Complete a rename that was killed, if there is one.

    Raises:
        InputError: a folder cannot be written.
    """
    note = home.path / RENAME_FILE
    try:
        name, new = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    names = home.dataset_names()
    if new in names and name not in names:  # else it was killed before the dataset was renamed
        for run_id in home.run_ids():
            _rename_in_run(home, run_id, name, new)
    note.unlink(missing_ok=True)


def _rename_in_run(home: Home, run_id: str, name: str, new: str) -> None:
    try:
        recipe = read_recipe(home.run(run_id) / RECIPE_FILE)
    except InputError:  # it cannot be resumed either
        return
    with suppress(OSError, ValueError):  # no report, or one that cannot be read
        report = read_report(home, run_id)
        if report.dataset == name:
            report = report.model_copy(update={"dataset": new})
            save_report(home, report)
    if recipe.output.dataset == name:
        output = recipe.output.model_copy(update={"dataset": new})
        save_recipe(home, run_id, recipe.model_copy(update={"output": output}))
