"""Write a generated world to a folder:

    python -m synthmill.sources.documents.world FOLDER --seed 7

FOLDER/documents/   one Markdown file per document, for the source `corpus`
FOLDER/truth.jsonl  every fact, apart from the documents
"""

import json
from pathlib import Path

import click

from synthmill.sources.documents.world import render_documents, sample_world


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--seed", default=7, show_default=True, help="the world's seed")
@click.option("--size", default=1.0, show_default=True, help="1 is about 100 entities")
def main(folder: Path, seed: int, size: float) -> None:
    """Write documents and truth of a world into FOLDER."""
    world = sample_world(seed, size)
    documents = folder / "documents"
    documents.mkdir(parents=True, exist_ok=True)
    count = 0
    for document in render_documents(world, seed):
        (documents / document.key).write_text(document.text, encoding="utf-8")
        count += 1
    lines = (json.dumps(fact._asdict(), ensure_ascii=False) for fact in world.facts)
    (folder / "truth.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    click.echo(f"{count:,} documents, {len(world.facts):,} facts in {folder}")


if __name__ == "__main__":
    main()
