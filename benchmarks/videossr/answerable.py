"""How well the blind solver answers questions about a folder of videos, by sub-type.

    python -m benchmarks.videossr.answerable FOLDER [--seeds 3]

Prints a table: the mean reward of the solver on all questions and on those that the generator's
filters accept, and how many they accept. Near-duplicates are not looked for.
"""

from collections import defaultdict
from pathlib import Path

import click

from synthmill.filters.base import Verifier
from synthmill.filters.load import load_filter
from synthmill.filters.run import safe_judge
from synthmill.generators.videossr import work
from synthmill.generators.videossr.generator import Videossr
from synthmill.generators.videossr.settings import EVERYTHING, VideossrSettings, parse_sub_type
from synthmill.schemas.row import Candidate
from synthmill.sources.videos import Video, VideosSettings, VideosSource


def accepted(question: work.VideoQuestion, verifiers: list[Verifier]) -> bool:
    """Whether no verifier of the generator rejects the question."""
    candidate = Candidate(kind="rlvr", detail=question.detail.model_dump_json())
    return all(safe_judge(one, candidate).status != "fail" for one in verifiers)


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--seeds", default=3, show_default=True, help="questions of each sub-type a video")
def main(folder: Path, seeds: int) -> None:
    """The command."""
    filters = [load_filter(spec) for spec in Videossr.default_filters]
    verifiers = [one for one in filters if isinstance(one, Verifier)]
    items = list(VideosSource(VideosSettings(path=str(folder))).items())
    videos = [item for item in items if isinstance(item, Video)]
    found: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for place, video in enumerate(videos):
        for seed in range(seeds):
            wanted = tuple((parse_sub_type(name), seed) for name in EVERYTHING)
            job = work.VideoJob(video, videos[place - 1], wanted, VideossrSettings())
            for question in work.make(job).questions:
                reward = question.detail.solved.reward
                found[str(question.sub_type)].append((reward, accepted(question, verifiers)))
    click.echo(f"{len(videos)} of {len(items)} videos\n\n| sub-type | all | accepted | of these |")
    click.echo("|---|---|---|---|")
    for name, results in sorted(found.items()):
        kept = [reward for reward, passed in results if passed]
        whole = sum(reward for reward, _ in results) / len(results)
        mean = f"{sum(kept) / len(kept):.2f}" if kept else ""
        click.echo(f"| {name} | {whole:.2f} | {len(kept)} of {len(results)} | {mean} |")


if __name__ == "__main__":
    main()
