"""A real Ray cluster of two nodes on this machine, one of which is killed: its rows are those of this machine's cores.

`make test-cluster` installs Ray and runs it.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from edge_mnist.benchmarks.scenes.pages import PagePen, draw_page
from tests.conftest import edge_mnist_process, python_process

cluster_utils = pytest.importorskip("ray.cluster_utils", reason="needs the package ray: make test-cluster")
PEN = PagePen(height_px=40, width_px=4)
PICTURES = 200
# Parts are written after every five inputs, so that the test sees how far the job is, and batches are small.
COMMAND = (
    "import sys; from edge_mnist.edge.reading.bulk import parts, pool; parts.PART_INPUTS = 5; pool.MOST_IN_CHUNK = 5; "
    "from edge_mnist.cli import main; sys.argv[0] = 'edge-mnist'; main()"
)
HANGS_S = 600


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for i in range(PICTURES):
        Image.fromarray(draw_page((f"{i:03d}",), seed=i, pen=PEN)).save(folder / f"{i:03d}.png")
    (folder / "damaged.png").write_bytes((folder / "000.png").read_bytes()[:500])
    return folder


@pytest.fixture(scope="module")
def expected(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The rows of two processes on this machine."""
    out = tmp_path_factory.mktemp("local") / "rows.jsonl"
    done = edge_mnist_process("run", folder, "--jobs", 2, "--out", out)
    assert done.returncode == 1, done.stderr
    return sorted(out.read_bytes().splitlines())


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    # Other programs of this machine may need its memory, for which Ray would end actors.
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "0")
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    yield cluster
    cluster.shutdown()


def test_rows_are_complete_when_a_node_is_killed(
    cluster: Any, folder: Path, expected: list[bytes], tmp_path: Path
) -> None:
    node = cluster.add_node(num_cpus=2)
    cluster.wait_for_nodes()
    out = tmp_path / "rows.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "run", folder, "--engine", "ray", "--address", cluster.address, "--out", out],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip

    deadline = time.monotonic() + HANGS_S
    while len(list(tmp_path.glob("rows.jsonl.parts/part-*"))) < 5 and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert process.poll() is None, "it ended before the node could be killed"
    cluster.remove_node(node, allow_graceful=False)
    _, said = process.communicate(timeout=HANGS_S)

    assert process.returncode == 1, said
    assert f"{PICTURES + 1:,} inputs, 1 failure." in said
    assert sorted(out.read_bytes().splitlines()) == expected


FIVE_LINES = """
import json, sys
import edge_mnist as em
import ray
ray.init(sys.argv[1], log_to_driver=False)
files = ray.data.read_binary_files(sys.argv[2], include_paths=True)
rows = files.map_batches(em.BatchReader, batch_format="pyarrow", batch_size=32, concurrency=1)
print(json.dumps(rows.take_all()))
"""


def test_five_lines_of_python_give_the_same_readings(cluster: Any, folder: Path, expected: list[bytes]) -> None:
    # One core for the actor, one to read the files.
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()

    done = python_process(FIVE_LINES, cluster.address, folder)

    assert done.returncode == 0, done.stderr
    rows = sorted(json.loads(done.stdout.splitlines()[-1]), key=lambda row: row["source"])
    local = [json.loads(line) for line in expected]
    read = [row for row in local if row["error"] is None]
    assert len(rows) == len(local) == len(read) + 1
    assert [row for row in rows if row["error"] is None] == read


def test_an_address_without_a_cluster_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    done = edge_mnist_process("run", folder, "--engine", "ray", "--address", "127.0.0.1:1", "--out", tmp_path / "a.csv")

    assert done.returncode == 1
    assert "A Ray cluster at 127.0.0.1:1 cannot be reached" in done.stderr.splitlines()[-1]
