"""Runs or resumes a recipe in a process of its own: `runner HOME RUN_ID RECIPE [KILL_AFTER]`.

`KILL_AFTER` are the seconds of the run after which the process kills itself with SIGKILL.
"""

import asyncio
import os
import signal
import sys
import threading

from synthmill.pipelines.progress import Progress
from synthmill.pipelines.run import resume, start
from synthmill.schemas.recipe import Recipe
from synthmill.store.home import Home


async def main(folder: str, run_id: str, recipe: str, kill_after: str | None = None) -> None:
    home, timers = Home(folder), list[threading.Timer]()

    def watch(_: Progress) -> None:
        if kill_after is not None and not timers:
            kill = (os.getpid(), signal.SIGKILL)
            timers.append(threading.Timer(float(kill_after), os.kill, kill))
            timers[0].start()

    if (home.run(run_id) / "recipe.yaml").is_file():
        report = await resume(run_id, home, on_progress=watch)
    else:
        report = await start(
            Recipe.model_validate_json(recipe), home, run_id=run_id, on_progress=watch
        )
    print(report.stop, flush=True)
    for timer in timers:
        timer.cancel()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
