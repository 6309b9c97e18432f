"""MNIST is found, verified and split the same way for everyone, and never used when it is not MNIST."""

import gzip
import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from edge_mnist.edge.data import datasets
from edge_mnist.edge.data import download as mnist_files
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.edge.data.download import DataError
from tests.stand_ins.scripted_server import send, serve

NAME = "t10k-labels-idx1-ubyte"
CONTENT = bytes(range(256)) * 39


@pytest.fixture
def small_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Pretend that MNIST is one small file whose hash is known; the cache is empty, nothing else is configured."""
    monkeypatch.setitem(mnist_files.SHA256, NAME, hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(mnist_files, "cache_dir", lambda: tmp_path / "cache")
    monkeypatch.delenv("EDGE_MNIST_DATA", raising=False)
    folder = tmp_path / "data"
    folder.mkdir()
    return folder / f"{NAME}.gz"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Keep the test's output clean."""


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A real web server on this machine: its address and its folder."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", folder
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_split_is_disjoint_and_complete(full_mnist: mnist.Splits) -> None:
    train, validation = full_mnist.train, full_mnist.validation

    assert (len(train), len(validation), len(full_mnist.test)) == (55_000, 5_000, 10_000)
    assert np.array_equal(np.sort(np.concatenate([train.indices, validation.indices])), np.arange(60_000))
    assert (np.bincount(validation.labels) == 500).all()
    assert full_mnist.test.source != train.source


def test_the_sample_is_validation_pixel_for_pixel(full_mnist: mnist.Splits, sample: mnist.Images) -> None:
    assert sample.sha256 == full_mnist.validation.sha256


def test_the_sample_needs_no_other_package_and_is_the_one_that_was_checked(sample: mnist.Images) -> None:
    assert sample.sha256 == datasets.SAMPLE_SHA256
    assert (sample.pixels.shape, sample.pixels.dtype) == ((5_000, 28, 28, 1), np.uint8)
    assert sample.labels.tolist() == sorted(list(range(10)) * 500)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (None, "No such file or directory"),
        ({"pixels": np.zeros((5_000, 28, 28, 1), np.uint8)}, "'labels'"),
        ({"pixels": np.zeros((5_000, 28, 28, 1), np.uint8), "labels": np.zeros(5_000, np.uint8)}, "expected 809ec085"),
        ({"pixels": np.zeros((6_000, 28, 28, 1), np.uint8)}, "it unpacks to 4,700,032 bytes"),
        ({"pixels": np.array([{}])}, "allow_pickle"),
    ],
    ids=["no file", "no labels", "other images", "too many", "a pickle"],
)
def test_a_damaged_sample_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arrays: dict[str, np.ndarray] | None, message: str
) -> None:
    path = tmp_path / "sample.npz"
    monkeypatch.setattr(datasets, "SAMPLE_FILE", path)
    if arrays is not None:
        np.savez_compressed(path, allow_pickle=True, **arrays)

    with pytest.raises(DataError, match=rf"sample\.npz .*{message}.*Reinstall edge-mnist\.$"):
        datasets.load_sample()


def test_the_divisions_of_the_sample_are_disjoint_and_balanced(sample: mnist.Images) -> None:
    divisions = mnist.split_sample_for_export(sample)
    splits = mnist.split_sample_for_training()

    assert [len(part) for part in divisions] == [500, 500, 4_000]
    assert len(set.union(*(set(part.indices) for part in divisions))) == 5_000
    assert all(len(set(np.bincount(part.labels))) == 1 for part in divisions)
    parts = [set(part.indices) for part in (splits.train, splits.validation, splits.test)]
    assert [len(part) for part in parts] == [4_000, 500, 500]
    assert len(set.union(*parts)) == 5_000


@pytest.mark.parametrize(
    ("trained_on", "calibration", "evaluation", "certain"),
    [
        (mnist.MNIST, 500, 4_000, True),
        (None, 500, 4_000, False),
        (mnist.SAMPLE, 4_000, 500, True),
    ],
    ids=["trained on mnist", "unknown", "trained on the sample"],
)
def test_without_mnist_a_model_is_evaluated_on_what_it_has_not_seen(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    trained_on: str | None,
    calibration: int,
    evaluation: int,
    certain: bool,
) -> None:
    monkeypatch.delenv("EDGE_MNIST_DATA", raising=False)

    held_out = mnist.held_out_images(trained_on)

    assert len(held_out.calibration_pool) == calibration
    assert [len(images) for images in held_out.evaluations] == [evaluation]
    assert held_out.certain is certain
    parts = (held_out.calibration_pool, held_out.validation, held_out.evaluations[0])
    assert len(set.union(*(set(part.indices) for part in parts))) == sum(len(part) for part in parts)
    assert "mnist-sample-5k" in capsys.readouterr().err


def test_with_mnist_a_model_of_the_sample_is_not_evaluated_on_the_sample(full_mnist: mnist.Splits) -> None:
    held_out = mnist.held_out_images(mnist.SAMPLE)

    assert [images.name for images in held_out.evaluations] == [full_mnist.test.name]
    assert held_out.validation.sha256 == mnist.split_sample_for_training().validation.sha256


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("subfolder", ["", "mnist"])
def test_a_good_file_is_found_plain_or_gzipped(small_file: Path, suffix: str, subfolder: str) -> None:
    path = small_file.parent / subfolder / (NAME + suffix)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(CONTENT) if suffix else CONTENT)

    assert mnist_files.load_idx_file(NAME, small_file.parent) == CONTENT


@pytest.mark.parametrize(
    "damaged",
    [
        gzip.compress(CONTENT)[:-200],
        b"",
        gzip.compress(CONTENT[:-1]),
        CONTENT[:-1] + b"!",
        b"\x1f\x8b\x08\x00" + bytes(50),
    ],
    ids=["truncated", "empty", "another content", "one byte changed", "not deflate"],
)
def test_a_damaged_file_is_named_not_used_and_fetched_anew(
    small_file: Path,
    mirror: tuple[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    damaged: bytes,
) -> None:
    small_file.write_bytes(damaged)
    address, folder = mirror
    (folder / f"{NAME}.gz").write_bytes(gzip.compress(CONTENT))
    monkeypatch.setenv("EDGE_MNIST_MIRRORS", address)

    content = mnist_files.load_idx_file(NAME, small_file.parent)

    assert content == CONTENT
    assert str(small_file) in capsys.readouterr().err
    assert small_file.read_bytes() == damaged


def test_a_folder_that_cannot_be_looked_into_is_passed_over(
    small_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGE_MNIST_MIRRORS", "")
    monkeypatch.setenv("EDGE_MNIST_DATA", str(small_file.parent))
    small_file.write_bytes(gzip.compress(CONTENT))

    content = mnist_files.load_idx_file(NAME, Path("x" * 300))

    assert content == CONTENT
    assert "skipped, it cannot be read" in capsys.readouterr().err


def test_what_holds_more_than_any_of_the_files_is_not_unpacked(
    small_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGE_MNIST_MIRRORS", "")
    monkeypatch.setitem(mnist_files.SIZE_BYTES, NAME, len(CONTENT) - 1)
    small_file.write_bytes(gzip.compress(CONTENT))

    with pytest.raises(mnist_files.DataError):
        mnist_files.load_idx_file(NAME, small_file.parent)

    assert "it unpacks to more than 9,983 bytes" in capsys.readouterr().err


@pytest.mark.parametrize(
    "address",
    ["http://me:secret@localhost/", "http://localhost:abc/", "http://[::1/", "no address"],
    ids=["password", "no port", "no host", "no address"],
)
def test_a_mirror_that_is_no_address_is_passed_over(
    small_file: Path, mirror: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    (mirror[1] / f"{NAME}.gz").write_bytes(gzip.compress(CONTENT))
    monkeypatch.setenv("EDGE_MNIST_MIRRORS", address)

    with pytest.raises(mnist_files.DataError) as caught:
        mnist_files.load_idx_file(NAME, small_file.parent)
    monkeypatch.setenv("EDGE_MNIST_MIRRORS", f"{address} {mirror[0]}")

    assert mnist_files.load_idx_file(NAME, small_file.parent) == CONTENT
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [b"no web server\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"],
    ids=["another protocol", "cut off"],
)
def test_a_mirror_that_answers_otherwise_is_one_sentence(
    small_file: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    with serve(send(answer)) as address:
        monkeypatch.setenv("EDGE_MNIST_MIRRORS", f"http://{address}/")

        with pytest.raises(mnist_files.DataError, match=r"response of a web server.*--data-dir"):
            mnist_files.load_idx_file(NAME, small_file.parent)


def test_a_bad_mirror_is_passed_over_and_the_download_is_kept(
    small_file: Path, mirror: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, folder = mirror
    for name, content in (("bad", b"not MNIST"), ("good", CONTENT)):
        (folder / name).mkdir()
        (folder / name / f"{NAME}.gz").write_bytes(gzip.compress(content))
    monkeypatch.setenv("EDGE_MNIST_MIRRORS", f"{address}missing {address}bad {address}good")

    first = mnist_files.load_idx_file(NAME, None)
    monkeypatch.setenv("EDGE_MNIST_MIRRORS", "")
    again = mnist_files.load_idx_file(NAME, None)

    assert first == again == CONTENT
    assert [path.name for path in (small_file.parent.parent / "cache").iterdir()] == [f"{NAME}.gz"]


def test_no_mirror_in_reach_is_one_sentence(small_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_MNIST_MIRRORS", "http://127.0.0.1:9/")

    with pytest.raises(mnist_files.DataError, match=r"cannot be downloaded .*refused.*--data-dir"):
        mnist_files.load_idx_file(NAME, small_file.parent)
