"""Runs or resumes a recipe in a process of its own, to be killed: `runner HOME RUN_ID RECIPE`."""

import asyncio
import sys

from synthmill.pipelines.run import resume, start
from synthmill.schemas.recipe import Recipe
from synthmill.store.home import Home


async def main(folder: str, run_id: str, recipe: str) -> None:
    home = Home(folder)
    if (home.run(run_id) / "recipe.yaml").is_file():
        report = await resume(run_id, home)
    else:
        report = await start(Recipe.model_validate_json(recipe), home, run_id=run_id)
    print(report.stop, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
