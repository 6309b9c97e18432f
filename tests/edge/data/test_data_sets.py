"""Other data than MNIST: split the same way for everyone; what is no data set is refused in one sentence."""

import gzip
import hashlib
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_mnist.edge.common.errors import EdgeMnistError
from edge_mnist.edge.data import download as mnist_files
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.edge.data.datasets import CLASSES, FASHION_FILES, load_fashion, load_other, split_idx
from edge_mnist.edge.data.download import DataError, IdxSource
from edge_mnist.edge.data.picture_folder import FEWEST_PER_CLASS, load_pictures

NAMES = tuple("abcdefghij")


@pytest.fixture(scope="module")
def pictures(sample: mnist.Images, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As few digits as are accepted, a subfolder each."""
    folder = tmp_path_factory.mktemp("pictures") / "My letters"
    for label, name in enumerate(NAMES):
        (folder / name).mkdir(parents=True)
        for i, image in enumerate(sample.pixels[sample.labels == label][:FEWEST_PER_CLASS]):
            Image.fromarray(image[..., 0]).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture
def copy(pictures: Path, tmp_path: Path) -> Path:
    return shutil.copytree(pictures, tmp_path / "copy")


def test_sorted_subfolders_are_the_classes_and_pictures_stay_as_they_are(pictures: Path, sample: mnist.Images) -> None:
    splits = load_pictures(pictures)

    assert (splits.name, splits.labels) == ("folder:My-letters", NAMES)
    read = {image.tobytes(): label for part in _parts(splits) for image, label in zip(part.pixels, part.labels)}  # noqa: B905 - Images have as many labels as pixels
    known = {image.tobytes(): label for image, label in zip(sample.pixels, sample.labels, strict=True)}
    assert len(read) == 10 * FEWEST_PER_CLASS
    assert read == {image: known[image] for image in read}


def test_pictures_are_split_alike_in_every_class(pictures: Path) -> None:
    splits = load_pictures(pictures)

    counts = [set(np.bincount(part.labels).tolist()) for part in _parts(splits)]
    assert counts == [{52}, {6}, {6}]
    assert len({index for part in _parts(splits) for index in part.indices.tolist()}) == 10 * FEWEST_PER_CLASS


def test_the_split_does_not_depend_on_file_names_or_copies(copy: Path, pictures: Path) -> None:
    for i, path in enumerate(sorted((copy / "c").iterdir())):
        path.rename(path.with_name(f"renamed-{1000 - i}.png"))
    shutil.copy(next((copy / "d").iterdir()), copy / "d" / "twin.png")

    before, after = load_pictures(pictures), load_pictures(copy)

    assert [part.sha256 for part in _parts(before)] == [part.sha256 for part in _parts(after)]


def test_other_shapes_and_formats_are_scaled_and_centred(copy: Path) -> None:
    Image.new("RGB", (280, 140), "white").save(copy / "a" / "wide.jpg")

    splits = load_pictures(copy)

    (wide,) = (image for part in _parts(splits) for image in part.pixels if image.min(axis=1).max() == 255)
    assert (wide[7:21] == 255).all()
    assert (wide[:7] == 0).all()
    assert (wide[21:] == 0).all()


def test_dark_ink_on_paper_is_pointed_out(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in copy.rglob("*.png"):
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)

    load_pictures(copy)

    assert "light at their edges" in capsys.readouterr().err


def _no_subfolders(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def _empty_class(folder: Path) -> None:
    shutil.rmtree(folder / "e")
    (folder / "e").mkdir()


def _same_in_two(folder: Path) -> None:
    shutil.copy(folder / "a" / "3.png", folder / "b" / "stray.png")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_no_subfolders, "expected 10 subfolders, one for each class, got none"),
        (lambda folder: shutil.rmtree(folder / "c"), r"expected 10 subfolders.* got 9 \(a, b, d,"),
        (lambda folder: (folder / "k").mkdir(), "expected 10 subfolders.* got 11"),
        (lambda folder: (folder / "f" / "5.png").unlink(), f"f: expected at least {FEWEST_PER_CLASS} .* got 63"),
        (_empty_class, f"e: expected at least {FEWEST_PER_CLASS} pictures, got none"),
        (lambda folder: (folder / "g" / "notes.txt").write_text("ink"), r"notes\.txt: a text, not a supported picture"),
        (lambda folder: (folder / "g" / "9.png").write_bytes(b""), r"9\.png: the file is empty"),
        (_same_in_two, r"b/stray\.png: the same 28 x 28 pixels as .*a/3\.png, in another class"),
    ],
    ids=["no subfolders", "nine", "eleven", "too few", "none", "no picture", "empty file", "in two classes"],
)
def test_what_is_no_data_set_is_one_sentence(copy: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(copy)

    with pytest.raises(EdgeMnistError, match=message):
        load_pictures(copy)


def _parts(splits: mnist.Splits) -> tuple[mnist.Images, ...]:
    return splits.train, splits.validation, splits.test


def test_a_model_of_pictures_is_evaluated_on_its_own_test_images(pictures: Path) -> None:
    held_out = mnist.held_out_images("folder:My-letters", pictures)

    splits = load_pictures(pictures)
    assert [images.sha256 for images in held_out.evaluations] == [splits.test.sha256]
    assert (held_out.calibration_pool.sha256, held_out.validation.sha256) == (
        splits.train.sha256, splits.validation.sha256,
    )  # fmt: skip
    assert held_out.certain


def test_nobody_guesses_where_pictures_are() -> None:
    with pytest.raises(DataError, match=r"named My-letters: .*--data-dir"):
        load_other("folder:My-letters", None)


def test_a_data_set_of_a_later_version_is_named() -> None:
    with pytest.raises(DataError, match="'cifar'"):
        load_other("cifar", None)


def _idx(values: np.ndarray) -> bytes:
    head = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    return gzip.compress(head + values.tobytes(), mtime=0)


@pytest.fixture
def published(tmp_path: Path) -> IdxSource:
    """A small set in MNIST's format, gzipped, in the subfolder that it is looked for in."""
    random = np.random.default_rng(1)
    files = {}
    for part, count in (("train", 6_000), ("t10k", 100)):
        pixels = random.integers(0, 256, (count, 28, 28), np.uint8)
        files[f"{part}-images-idx3-ubyte"] = _idx(pixels)
        files[f"{part}-labels-idx1-ubyte"] = _idx(np.arange(count, dtype=np.uint8) % 10)
    (tmp_path / "small").mkdir()
    for name, content in files.items():
        (tmp_path / "small" / f"{name}.gz").write_bytes(content)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return IdxSource("Small", hashes, gzipped=True, mirrors=(), folders=("small",))


def test_sets_in_its_format_are_split_as_mnist_is(published: IdxSource, tmp_path: Path) -> None:
    splits = split_idx("small", published, tmp_path, CLASSES)

    assert [len(part) for part in _parts(splits)] == [1_000, 5_000, 100]
    assert (np.bincount(splits.validation.labels) == 500).all()
    assert splits.labels == CLASSES
    assert not set(splits.train.indices) & set(splits.validation.indices)


def test_another_gzip_file_is_not_used(
    published: IdxSource, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "small" / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1, mtime=1))

    with pytest.raises(DataError, match=r"Small is not on this machine .*\.gz files into a subfolder named small"):
        split_idx("small", published, tmp_path)
    assert "t10k-labels-idx1-ubyte.gz: skipped" in capsys.readouterr().err


def test_another_gzip_file_is_not_even_unpacked(
    published: IdxSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "small" / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"bomb"))
    monkeypatch.setattr(mnist_files, "_uncompressed", pytest.fail)

    with pytest.raises(DataError):
        split_idx("small", published, tmp_path)

    assert "train-images-idx3-ubyte.gz: skipped, its SHA-256 is" in capsys.readouterr().err


@pytest.mark.usefixtures("full_data")
def test_fashion_mnist_is_split_as_mnist_is() -> None:
    try:
        splits = load_fashion()
    except DataError:
        pytest.skip("needs Fashion-MNIST: set EDGE_MNIST_DATA to a folder with its four files in fashion-mnist")

    assert [len(part) for part in _parts(splits)] == [55_000, 5_000, 10_000]


def test_without_fashion_mnist_the_message_says_where_to_put_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("EDGE_MNIST_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    with pytest.raises(DataError, match=r"Fashion-MNIST is not .* subfolder named fashion-mnist .*--data-dir"):
        load_fashion()
    assert len(FASHION_FILES.sha256) == 4
