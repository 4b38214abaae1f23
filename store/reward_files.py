"""Reward functions of a user, `./file.py:function@version` in a row: their files go where rows go.

A run keeps a copy of the file below `runs/<run_id>/rewards/`, under the path that the row names,
so that an export carries the code that the rows were made for, also when the original has changed.
"""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from synthmill.runtime.files import atomic_write
from synthmill.schemas.errors import InputError
from synthmill.store.errors import translate_errors
from synthmill.store.home import Home

FOLDER = "rewards"
MARK = ".py:"
MAX_BYTES = 1_000_000  # ours: a file of code


def reward_path(reward: str) -> PurePosixPath | None:
    """The path in a row's reward, or None where the reward is a built-in name.

    Raises:
        InputError: the path leads out of the recipe's folder.
    """
    if MARK not in reward:
        return None
    path = PurePosixPath(reward.partition("@")[0].rpartition(":")[0])
    if path.is_absolute() or ".." in path.parts:
        raise InputError(f"reward {reward!r}: the file must be in the folder of the recipe")
    return path


def keep_reward_files(home: Home, run_id: str, folder: Path, rewards: Iterable[str]) -> None:
    """Copy the files that rewards name from the recipe's folder into the run's.

    Raises:
        InputError: a file cannot be read, is no file in that folder, or cannot be written.
    """
    for reward in rewards:
        if (path := reward_path(reward)) is None:
            continue
        source, kept = (folder / path).resolve(), home.run(run_id) / FOLDER / path
        if kept.is_file():
            continue
        if not source.is_relative_to(folder.resolve()) or not source.is_file():
            raise InputError(f"reward {reward!r}: there is no file {path} in {folder}")
        if source.stat().st_size > MAX_BYTES:
            raise InputError(f"reward {reward!r}: {path} has more than {MAX_BYTES} bytes")
        with translate_errors(f"reward {reward!r}"):
            atomic_write(kept, source.read_bytes())


def copy_reward_files(home: Home, newest: dict[str, str], out: Path) -> dict[str, str | None]:
    """Copy the files of rewards into the folder `rewards` of an export.

    Args:
        home: where the runs are.
        newest: each reward, and the newest run with rows of it.
        out: the folder of the export.

    Returns: for each reward of a file its path in the export, None where the run's copy is gone.
    """
    copied: dict[str, str | None] = {}
    for reward, run_id in newest.items():
        if (path := reward_path(reward)) is None:
            continue
        kept = home.run(run_id) / FOLDER / path
        copied[reward] = (FOLDER / path).as_posix() if kept.is_file() else None
        if kept.is_file():
            with translate_errors(str(out)):
                atomic_write(out / FOLDER / path, kept.read_bytes())
    return copied
