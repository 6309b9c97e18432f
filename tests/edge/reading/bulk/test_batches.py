"""Batches: contents or paths in, rows out, as tables and as columns; and addresses that pyarrow opens."""

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

import edge_mnist as em
from edge_mnist.benchmarks.scenes.pages import PagePen, draw_page
from edge_mnist.edge.reading.bulk.addresses import is_remote, iterate_addresses
from edge_mnist.edge.reading.bulk.formats import FIELDS
from edge_mnist.edge.reading.bulk.rows import read_rows
from tests.conftest import REPOSITORY, edge_mnist


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("batch")
    for i, row in enumerate(("12", "305")):
        Image.fromarray(draw_page((row,), seed=i, pen=PagePen(height_px=40, width_px=4))).save(folder / f"{i}.png")
    (folder / "2.png").write_bytes(b"\x89PNG nothing")
    return folder


@pytest.fixture(scope="module")
def read() -> em.BatchReader:
    return em.BatchReader("nano")


def _columns(folder: Path) -> dict[str, list[Any]]:
    paths = sorted(folder.iterdir())
    return {"path": [str(path) for path in paths], "bytes": [path.read_bytes() for path in paths]}


@pytest.mark.parametrize("left_out", [None, "bytes", "path"])
def test_columns_of_contents_and_paths_give_a_row_for_each_picture(
    folder: Path, read: em.BatchReader, left_out: str | None
) -> None:
    columns = {name: values for name, values in _columns(folder).items() if name != left_out}

    rows = read(columns)

    assert tuple(rows) == FIELDS
    assert rows["rows"] == [["12"], ["305"], []]
    assert [error is None for error in rows["error"]] == [True, True, False]
    expected = columns.get("path", ["picture 0", "picture 1", "picture 2"])
    assert rows["source"] == expected
    assert [digit["digit"] for digit in rows["digits"][1]] == [3, 0, 5]


def test_a_table_gives_a_table(folder: Path, read: em.BatchReader) -> None:
    pyarrow = pytest.importorskip("pyarrow")

    table = read(pyarrow.table(_columns(folder)))

    assert table.column_names == list(FIELDS)
    assert table.to_pydict() == read(_columns(folder))


def test_a_batch_without_pictures_is_refused(read: em.BatchReader) -> None:
    with pytest.raises(em.EdgeMnistError, match="expected a column `bytes` or `path`, got image"):
        read({"image": []})


def test_addresses_are_listed_and_read_like_files(folder: Path) -> None:
    pytest.importorskip("pyarrow")
    reader = em.Reader("nano")
    (folder / "notes.txt").write_text("left out")

    listed = list(iterate_addresses((f"file://{folder}", f"file://{folder}/1.png", f"file://{folder}/none.png")))

    names = [item.name.rpartition("/")[2] for item in listed]
    assert (sorted(names[:3]), names[3:]) == (["0.png", "1.png", "2.png"], ["1.png", "none.png"])
    results = {item.name: read_rows(reader, item) for item in listed}
    assert b'"rows":["305"]' in results[f"file://{folder}/1.png"].rows[0]
    assert [name.rpartition("/")[2] for name, result in results.items() if result.failures] == ["2.png", "none.png"]
    assert len({item.key for item in listed}) == len(listed)


def test_run_reads_addresses(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")

    result = edge_mnist("run", f"file://{folder}/0.png", "--out", tmp_path / "rows.jsonl")

    assert result.exit_code == 0, result.stderr
    assert '"rows":["12"]' in (tmp_path / "rows.jsonl").read_text()


@pytest.mark.parametrize(("argument", "expected"), [("s3://bucket/scans", True), ("scans/s3", False), ("s3:x", False),
                                                    ("http://camera/stream", False), ("C:\\scans", False)])  # fmt: skip
def test_addresses_are_told_from_paths(argument: str, expected: bool) -> None:
    assert is_remote(argument) == expected


def test_the_service_of_the_page_reads_pictures(folder: Path) -> None:
    page = (REPOSITORY / "docs" / "guides" / "bulk.md").read_text()
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "FastAPI" in block)
    found: dict[str, Any] = {"__name__": "service"}

    exec(code, found)  # noqa: S102 - of our own page

    async def post() -> httpx.Response:
        transport = httpx.ASGITransport(found["app"])
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.post("/read", content=(folder / "1.png").read_bytes())

    assert asyncio.run(post()).json() == {"rows": ["305"]}
