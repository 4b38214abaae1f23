"""A source reads the files that the recipe names, within limits, and calls no address."""

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synthmill.schemas.errors import InputError
from synthmill.schemas.items import InvalidItem
from synthmill.sources.corpus import CorpusSource
from synthmill.sources.csv import CsvSource
from synthmill.sources.datasets import DatasetsSource
from synthmill.sources.folder import FolderSource
from synthmill.sources.jsonl import JsonlSource
from synthmill.sources.parquet import ParquetSource

SECRET = '{"problem": "secret", "answer": "1"}\n'


def source(kind: type[Any], path: object, **settings: object) -> Any:
    return kind(kind.Settings(path=path, **settings))


@pytest.fixture
def address() -> Iterator[tuple[str, list[str]]]:
    """A server on this machine, and the requests that reached it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(SECRET.encode())

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/secret.jsonl", asked
    server.shutdown()


def test_a_datasets_folder_cannot_name_files_outside_of_it(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    (tmp_path / "secret.jsonl").write_text(SECRET)
    for number, pattern in enumerate(
        ["../secret.jsonl", str(tmp_path / "secret.jsonl"), "link.jsonl", "file://../secret.jsonl"]
    ):
        for place in ("README.md", ".huggingface.yaml"):
            folder = tmp_path / f"{number}-{place}"
            folder.mkdir()
            (folder / "good.jsonl").write_text(SECRET)
            (folder / "link.jsonl").symlink_to(tmp_path / "secret.jsonl")
            configs = f"configs:\n- config_name: default\n  data_files: {json.dumps(pattern)}\n"
            (folder / place).write_text(f"---\n{configs}---\n" if place == "README.md" else configs)
            with pytest.raises(InputError, match="is not in its folder"):
                list(source(DatasetsSource, str(folder)).items())


def test_a_datasets_folder_cannot_call_an_address(
    tmp_path: Path, address: tuple[str, list[str]]
) -> None:
    pytest.importorskip("datasets")
    url, asked = address
    (tmp_path / "README.md").write_text(
        f"---\nconfigs:\n- config_name: d\n  data_files: {url}\n---\n"
    )
    with pytest.raises(InputError, match="is not in its folder"):
        list(source(DatasetsSource, str(tmp_path)).items())
    assert asked == []


CARD = "---\nconfigs:\n- config_name: d\n  data_files: PATTERN\n---\n"
HUB = """
import sys
from synthmill.sources.datasets import DatasetsSource
found = list(DatasetsSource(DatasetsSource.Settings(path="someone/data")).items())
print([getattr(item, "text", item) for item in found])
"""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A hub with the dataset someone/data; `card` is its card, `asked` the paths of requests."""
    commit, state = "1" * 40, {"card": "", "asked": []}
    good = b'{"problem": "good", "answer": "1"}'

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state["asked"].append(self.path)
            files = {"README.md": state["card"].encode(), "good.jsonl": good}
            path, _, name = self.path.partition("?")[0].partition(f"{commit}/")
            if "/resolve/" in path and name in files:
                self.send(files[name], "application/octet-stream")
            elif "/tree/" in path or path.endswith("/paths-info"):
                listed = [
                    {"type": "file", "path": n, "size": len(d), "oid": n} for n, d in files.items()
                ]
                self.send(json.dumps(listed).encode(), "application/json")
            elif path.startswith("/api/datasets/someone/data"):
                siblings = [{"rfilename": name} for name in files]
                info = {"id": "someone/data", "sha": commit, "siblings": siblings}
                self.send(json.dumps(info).encode(), "application/json")
            else:
                self.send_response(404)
                self.send_header("X-Error-Code", "EntryNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.path = self.path.replace("/paths-info/", "/tree/")
            self.do_GET()

        do_HEAD = do_GET

        def send(self, content: bytes, mime: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", mime)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("X-Repo-Commit", commit)
            self.send_header("ETag", f'"{len(content)}"')
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state["url"] = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("HF_ENDPOINT", state["url"])
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    yield state
    server.shutdown()


def read_hub(cache: Path) -> subprocess.CompletedProcess[str]:
    """Read someone/data in a process of its own, which takes the hub from the environment."""
    return subprocess.run(
        [sys.executable, "-c", HUB],
        env={**os.environ, "HF_HOME": str(cache)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_dataset_of_the_hub_is_read_from_its_repository_alone(
    tmp_path: Path, hub: dict[str, Any]
) -> None:
    pytest.importorskip("datasets")
    hub["card"] = CARD.replace("PATTERN", "good.jsonl")
    done = read_hub(tmp_path / "good")
    assert done.stdout.strip() == "['good']", done.stderr
    patterns = (hub["url"] + "/secret.jsonl", "/etc/passwd", "hf://datasets/other/private/*")
    for number, pattern in enumerate(patterns):
        hub["card"] = CARD.replace("PATTERN", pattern)
        done = read_hub(tmp_path / str(number))
        assert "names files that are not in its repository" in done.stderr
    assert not [path for path in hub["asked"] if "secret" in path or "private" in path]


def test_a_saved_dataset_cannot_name_files_outside_of_it(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    for name in ("secret", "saved"):
        datasets.Dataset.from_dict({"problem": [name]}).save_to_disk(str(tmp_path / name))
    state = json.loads((tmp_path / "saved" / "state.json").read_text())
    (file,) = state["_data_files"]
    file["filename"] = f"../secret/{file['filename']}"
    (tmp_path / "saved" / "state.json").write_text(json.dumps(state))
    with pytest.raises(InputError, match="is not in its folder"):
        list(source(DatasetsSource, str(tmp_path / "saved")).items())


def test_names_of_the_librarys_readers_are_no_datasets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("datasets")
    (tmp_path / "secret.csv").write_text("problem\nsecret\n")
    monkeypatch.chdir(tmp_path)
    for name in ("pandas", "csv", "json", "text", "http://127.0.0.1:9/x", "../x", "a\0b"):
        with pytest.raises(InputError, match="cannot be read"):
            list(source(DatasetsSource, name).items())


def test_pickles_in_a_datasets_folder_are_not_loaded(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    ran = tmp_path / "ran"
    code = f"cos\nsystem\n(S'touch {ran}'\ntR.".encode()
    (tmp_path / "data").mkdir()
    for name in ("train.pkl", "train.pickle", "train.pkl.gz"):
        (tmp_path / "data" / name).write_bytes(code)
    with pytest.raises(InputError):
        list(source(DatasetsSource, str(tmp_path / "data")).items())
    assert not ran.exists()


@pytest.mark.parametrize("kind", [JsonlSource, CsvSource, ParquetSource])
def test_pipes_devices_and_kernel_files_are_no_sources(kind: type[Any], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    link = tmp_path / "link"
    link.symlink_to("/proc/self/environ")
    for path in (tmp_path / "pipe", "/dev/zero", "/proc/self/environ", link, tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            next(source(kind, path).items())


@pytest.mark.parametrize(
    "kind", [JsonlSource, CsvSource, ParquetSource, FolderSource, CorpusSource]
)
def test_paths_that_are_no_paths_are_refused(kind: type[Any]) -> None:
    for path in ("a\0b", "a\ud800b"):
        with pytest.raises(InputError):
            next(source(kind, path).items())


def test_file_names_that_are_not_utf8_cost_nothing(tmp_path: Path) -> None:
    good = json.dumps({"problem": "p", "answer": "1"})
    (tmp_path / "\udcff.jsonl").write_text(f"{good}\n{{broken\n")
    (tmp_path / "\udcfe.csv").write_text("problem,answer\nq,1\n")
    with (tmp_path / "\udcfd.parquet").open("wb") as file:
        pq.write_table(pa.table({"problem": ["r"]}), file)
    found = list(source(FolderSource, tmp_path).items())
    assert sorted(i.text for i in found if not isinstance(i, InvalidItem)) == ["p", "q", "r"]
    for item in found:
        item.model_dump_json().encode()  # raises where text is not storable
        item.origin.uri.encode()


def test_a_damaged_parquet_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"problem": [f"question {n}" for n in range(50)]}), path)
    whole = path.read_bytes()
    for place in range(4, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:place] + b"\xff\xff\xff" + whole[place + 3 :])
        try:
            list(source(ParquetSource, path).items())
        except InputError as error:
            assert "\n" not in str(error)


def test_a_day_that_python_cannot_hold_is_a_rejected_row(tmp_path: Path) -> None:
    days = pa.array([2**31 - 1], pa.int32()).cast(pa.date32())
    pq.write_table(pa.table({"problem": ["q"], "answer": days}), tmp_path / "x.parquet")
    (found,) = source(ParquetSource, tmp_path / "x.parquet").items()
    assert "cannot be decoded" in found.detail


def limited(code: str, megabytes: int) -> str:
    """What a program prints that may use so much memory, its workers not counted."""
    program = (
        f"import resource\nresource.setrlimit(resource.RLIMIT_DATA, ({megabytes} << 20,) * 2)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program + code], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_parquet_bomb_takes_no_more_memory_than_its_limit(tmp_path: Path) -> None:
    bomb = pa.table({"problem": pa.array(["x" * (8 << 20)]).dictionary_encode().take([0] * 20_000)})
    pq.write_table(bomb, tmp_path / "x.parquet", compression="zstd", row_group_size=20_000)
    assert (tmp_path / "x.parquet").stat().st_size < 1 << 20
    code = """
from pathlib import Path
from synthmill.sources.parquet import ParquetSource
from synthmill.sources.corpus import CorpusSource
for kind in (ParquetSource, CorpusSource):
    parser = {"settings": {"memory_mb": 300, "text_field": "problem"}}
    corpus = {"parsers": {".parquet": parser}}
    settings = {"memory_mb": 300} if kind is ParquetSource else corpus
    found = list(kind(kind.Settings(path=Path(PATH), **settings)).items())
    print(found[-1].detail)
"""
    code = code.replace("PATH", repr(str(tmp_path / "x.parquet")))
    parquet, corpus = limited(code, 2000).splitlines()
    assert "memory limit" in parquet and "memory limit" in corpus


def test_a_gzip_bomb_ends_where_it_is_200_times_its_size(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "x.jsonl.gz", "wb") as file:
        for _ in range(300):
            file.write(b" " * (1 << 20) + b"\n")
    found = list(source(CorpusSource, tmp_path / "x.jsonl.gz").items())
    assert "unpacks to more than 200 times its size" in found[-1].detail


def test_a_gzip_bomb_of_a_datasets_folder_ends_at_the_memory_limit(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    with gzip.open(tmp_path / "x.jsonl.gz", "wb") as file:
        file.write(b'{"problem": "')
        for _ in range(1000):
            file.write(b"x" * (1 << 20))
    (found,) = source(DatasetsSource, str(tmp_path), memory_mb=600).items()
    assert "memory limit" in found.detail
