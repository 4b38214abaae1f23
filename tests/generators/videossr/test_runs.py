"""Whole runs by the real engine: same rows at any worker count, after kills, in exact counts."""

import asyncio
import io
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from synthmill.generators.videossr.generator import Videossr
from synthmill.generators.videossr.settings import VideossrSettings
from synthmill.pipelines.run import start
from synthmill.schemas.recipe import Recipe
from synthmill.store.dataset import Dataset
from synthmill.store.export import export
from synthmill.store.exports.base import load_exporter
from synthmill.store.home import Home
from tests.generators.videossr import footage

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Six good clips in four codecs, a copy and a broken file."""
    folder = tmp_path_factory.mktemp("clips")
    for seed in range(6):
        footage.scene_clip(folder / f"clip{seed}", seed=seed, form=seed % 4)
    (folder / "copy.mp4").write_bytes((folder / "clip0.mp4").read_bytes())
    (folder / "broken.mp4").write_bytes(b"broken")
    return folder


def recipe(clips, seed=0, engine=None, name="videossr", source=None, **settings) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "videos",
            "seed": seed,
            "source": {"type": "videos", "path": str(clips), **(source or {})},
            "generator": {"name": name, "settings": {"per_video": "one_per_task", **settings}},
            "models": {},
            "output": {"dataset": "videos"},
            "engine": engine or {},
        }
    )


def rows(home, status=None):
    """The rows of a dataset without what differs from run to run."""
    found = Dataset.open(home, "videos").rows(status=status)
    bare = (row.model_copy(update={"run_id": "", "created_at": None}) for row in found)
    return sorted(bare, key=lambda row: (row.task_key, row.id))


def made(folder, wanted) -> Home:
    home = Home(folder)
    report = asyncio.run(start(wanted, home))
    assert report.stop == "source exhausted" and not report.failed
    return home


@pytest.fixture(scope="module")
def calm(clips, tmp_path_factory):
    return made(tmp_path_factory.mktemp("calm"), recipe(clips))


def test_a_folder_becomes_rows_of_all_tasks_and_bad_files_rejected_ones(calm):
    accepted = rows(calm, "accepted")
    tasks = Counter(row.reward for row in accepted)
    assert set(tasks) == {f"videossr.{task}@1" for task in ("grounding", "counting", "jigsaw")}
    assert all(row.kind == "rlvr" and len(row.media) == 48 for row in accepted)
    bad = {v.reason for row in rows(calm, "rejected") for v in row.verdicts if v.status == "fail"}
    assert {"corrupt", "duplicate file"} <= bad
    for row in accepted:
        for item in row.media:
            assert (Dataset.open(calm, "videos").folder / item.path).is_file()


@pytest.mark.parametrize("form", [{}, {"media": "clip"}, {"media": "clip", "codec": "vp9"}])
def test_same_seed_same_rows_and_media_at_any_worker_count(clips, tmp_path, form):
    one, many = (
        made(
            tmp_path / str(n), recipe(clips, form=form, engine={"workers": n, "concurrency": 4 * n})
        )
        for n in (1, 2)
    )
    assert rows(one) == rows(many)
    assert {item.sha256 for row in rows(one) for item in row.media}


def test_another_seed_makes_other_rows(clips, calm, tmp_path):
    other = made(tmp_path, recipe(clips, seed=1))
    assert not {row.id for row in rows(calm, "accepted")} & {
        row.id for row in rows(other, "accepted")
    }


def test_kills_end_in_the_rows_of_an_undisturbed_run(clips, calm, tmp_path):
    wanted = recipe(clips, engine={"batch_rows": 3, "concurrency": 2}).model_dump_json()
    command = [sys.executable, "-m", "tests.pipelines.runner", str(tmp_path), "killed", wanted]
    log = tmp_path / "datasets" / "videos" / "rows" / "_delta_log"
    for _ in range(3):
        before = len(list(log.glob("*.json")))
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        # The first commit makes the table; the next one holds rows.
        while process.poll() is None and len(list(log.glob("*.json"))) < max(2, before + 1):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    last = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert last.stdout.strip() == "source exhausted", last.stderr
    assert bare(rows(Home(tmp_path))) == bare(rows(calm))


def bare(found):
    # The recipes differ in how they are executed, which is no part of the hash; nor is a row's.
    return [row.model_dump(exclude={"recipe_hash"}) for row in found]


def test_the_benchmark_makes_exact_counts(clips, tmp_path):
    counts = {"grounding/mirror": 3, "counting/hard": 2, "jigsaw/8": 4, "grounding/swap": 1}
    wanted = recipe(clips, name="synthmill.generators.videossr.viubench:Viubench", counts=counts)
    home = made(tmp_path, wanted)
    accepted = rows(home, "accepted")
    assert Counter(json.loads(row.detail)["sub_type"] for row in accepted) == counts
    by_video = Counter((row.task_key, json.loads(row.detail)["sub_type"]) for row in accepted)
    assert max(by_video.values()) == 1
    strict = {row.reward: json.loads(row.reward_args).get("strict") for row in accepted}
    assert strict["videossr.jigsaw@1"] and not strict["videossr.grounding@1"]


def test_contact_sheets_show_every_kind_of_row(calm):
    generator = Videossr(VideossrSettings())
    folder = Dataset.open(calm, "videos").folder
    kinds = {row.reward: row for row in rows(calm, "accepted")}
    assert len(kinds) == 3
    for row in kinds.values():
        sheet = Image.open(io.BytesIO(generator.picture(row, folder)))
        assert sheet.format == "PNG" and sheet.width > 150 and sheet.height > 150
        red = (np.asarray(sheet.convert("RGB")) == (220, 40, 40)).all(axis=-1).sum()
        assert (red > 100) == (row.reward != "videossr.jigsaw@1")
        assert row.answer in generator.describe(row)
    rejected = next(row for row in rows(calm, "rejected") if not row.media)
    assert generator.picture(rejected, folder) is None
    assert generator.describe(rejected) is None


def test_verl_rows_have_the_published_form(calm, tmp_path):
    datasets = pytest.importorskip("datasets")
    dataset = Dataset.open(calm, "videos")
    root = str(dataset.folder)
    export(dataset, load_exporter("verl", {"media_root": root}), tmp_path / "verl")
    files = sorted((tmp_path / "verl" / "frames").glob("*.parquet"))
    found = datasets.load_dataset("parquet", data_files=[str(f) for f in files], split="train")
    assert set(found.column_names) == {
        "data_source", "prompt", "videos", "ability", "reward_model", "extra_info",
    }  # fmt: skip
    for record in found:
        turn = record["prompt"][-1]
        assert record["prompt"][0]["role"] == "system" and turn["role"] == "user"
        assert turn["content"].count("<video>") == len(record["videos"])
        clips = 6 if record["data_source"] == "jigsaw" else 1
        assert len(record["videos"]) == clips
        video = record["videos"][0]
        assert len(video["video"]) == 48 // clips and all(Path(p).is_file() for p in video["video"])
        assert (video["max_pixels"], video["min_pixels"]) == (65536, 16384)
        assert video["sample_fps"] == record["extra_info"]["sampling_fps"]
        assert record["reward_model"]["style"] == "rule"
        assert score(record) == 1.0


def score(record):
    from synthmill.rewards.videossr import compute_score

    truth = record["reward_model"]["ground_truth"]
    score = compute_score(record["data_source"], truth, truth, record["extra_info"])
    return pytest.approx(score, abs=1e-6)


def test_ms_swift_and_trl_rows(calm, tmp_path):
    datasets = pytest.importorskip("datasets")
    from synthmill.rewards.videossr import trl_reward

    dataset = Dataset.open(calm, "videos")
    root = str(dataset.folder)
    export(dataset, load_exporter("ms_swift", {"media_root": root}), tmp_path / "swift")
    lines = [
        json.loads(line)
        for file in (tmp_path / "swift" / "grpo_frames").glob("*.jsonl")
        for line in file.read_text("utf-8").splitlines()
    ]
    assert len(lines) == len(rows(calm, "accepted"))
    for record in lines:
        tags = "".join(m["content"] for m in record["messages"]).count("<video>")
        assert tags == len(record["videos"]) and record["fps"] > 0
        columns = {key: [record[key]] for key in ("solution", "data_source", "extra_info")}
        assert trl_reward([record["solution"]], **columns) == [pytest.approx(1.0)]
    export(dataset, load_exporter("trl_vision", {"media_root": root}), tmp_path / "trl")
    files = [str(f) for f in (tmp_path / "trl" / "grpo").glob("*.parquet")]
    found = datasets.load_dataset("parquet", data_files=files, split="train")
    first = found[0]
    parts = first["prompt"][-1]["content"]
    assert sum(part["type"] == "image" for part in parts) == len(first["images"]) == 48
    assert first["images"][0].size == (footage.WIDTH, footage.HEIGHT)
