"""What another machine sends is checked like any other input; and the wheel that it gets is this very code."""

import json
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge_mnist.benchmarks.errors import BenchmarkError
from edge_mnist.benchmarks.remote.check import Expected, check_results
from edge_mnist.benchmarks.remote.wheel import build_wheel
from edge_mnist.benchmarks.results.schema import Results
from tests.conftest import REPOSITORY
from tests.stand_ins.remote_machine import answer, bundle, held_out

__all__ = ["answer", "bundle", "held_out"]


def _another_version(answer: dict[str, Any]) -> str:
    answer["edge_mnist"] = "0.0.1"
    return "its edge_mnist is 0.0.1, and here it is"


def _another_schema(answer: dict[str, Any]) -> str:
    answer["schema_version"] = 99
    return "expected schema_version"


def _another_file(answer: dict[str, Any]) -> str:
    answer["rows"][0]["file_sha256"] = "ab" * 32
    return "which is not the file that was sent"


def _another_card(answer: dict[str, Any]) -> str:
    answer["card_sha256"] = "ab" * 32
    return "its card_sha256 is"


def _fewer_images(answer: dict[str, Any]) -> str:
    answer["rows"][0]["accuracy"]["count"] -= 1
    answer["rows"][0]["accuracy"]["correct"] -= 1
    return f"rows[0].accuracy is of {answer['image_count'] - 1} images, and image_count says {answer['image_count']}"


def _a_peer(answer: dict[str, Any]) -> str:
    answer["rows"][0]["is_peer"] = True
    return "which is not the file that was sent"


def _no_raw_values(answer: dict[str, Any]) -> str:
    answer["rows"][0]["latency"]["rounds"] = []
    return "raw values are missing"


def _negative_time(answer: dict[str, Any]) -> str:
    answer["rows"][0]["latency"]["rounds"][0][0] = -1.0
    return "which is no time"


def _no_rows(answer: dict[str, Any]) -> str:
    answer["rows"] = []
    return "it contains no measurement"


def _more_machines(answer: dict[str, Any]) -> str:
    answer["machines"] *= 2
    return "describes 2 machines"


def _other_settings(answer: dict[str, Any]) -> str:
    answer["settings"]["calls"] += 1
    return "its settings is"


def _escapes(answer: dict[str, Any]) -> str:
    answer["machines"][0]["host"]["model"] = "Pi\x1b]0;mine\x07"
    return "too long or not printable"


def _essays(answer: dict[str, Any]) -> str:
    answer["machines"][0]["reasons"] = ["very " * 300]
    return "too long or not printable"


def _another_type(answer: dict[str, Any]) -> str:
    answer["rows"][0]["latency"]["p50"] = "fast"
    return "Expected `float`"


@pytest.mark.parametrize(
    "change",
    [
        _another_version, _another_schema, _another_file, _another_card, _fewer_images, _a_peer, _no_raw_values,
        _negative_time, _no_rows, _more_machines, _other_settings, _escapes, _essays, _another_type,
    ],
)  # fmt: skip
def test_results_of_something_else_are_refused(change: Callable[[dict[str, Any]], str], answer: Results) -> None:
    changed = json.loads(msgspec.json.encode(answer))
    reason = change(changed)

    with pytest.raises(BenchmarkError, match=r"^sent results that cannot be used: ") as caught:
        check_results(json.dumps(changed).encode(), _expect(answer))

    assert reason in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("content", [b"", b"{", b'{"rows": [1e999]}', b"\xff", b"[]"], ids=repr)
def test_anything_but_results_is_refused(content: bytes, answer: Results) -> None:
    with pytest.raises(BenchmarkError, match=r"^sent results that cannot be used: "):
        check_results(content, _expect(answer))


def test_the_wheel_is_built_of_this_checkout_and_leaves_nothing_there(tmp_path: Path) -> None:
    before = sorted(path.name for path in REPOSITORY.iterdir())

    wheel = build_wheel(tmp_path)

    names = zipfile.ZipFile(wheel).namelist()
    assert {"edge_mnist/benchmarks/remote/driver.py", "edge_mnist/edge/models/standard/card.json"} <= set(names)
    assert wheel.name == f"edge_mnist-{version('edge-mnist')}-py3-none-any.whl"
    assert sorted(path.name for path in REPOSITORY.iterdir()) == before


def test_without_a_checkout_it_is_said_where_to_get_the_wheel(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="pip wheel --no-deps edge-mnist"):
        build_wheel(tmp_path, checkout=tmp_path / "site-packages")


def _expect(answer: Results) -> Expected:
    """What this answer agrees with."""
    facts = {name: getattr(answer, name) for name in ("edge_mnist", "card_sha256", "images_sha256", "image_count")}
    files = frozenset((row.file, row.file_sha256, row.size_bytes) for row in answer.rows)
    return Expected(**facts, settings=answer.settings, files=files)
