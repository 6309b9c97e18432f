"""Whatever a foreign parser makes of hostile bytes, people get one sentence, and no small input takes all memory."""

import io
import json
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edge_mnist.benchmarks.errors import BenchmarkError
from edge_mnist.benchmarks.measuring.accuracy import read_reference
from edge_mnist.benchmarks.photos.labels import read_labels
from edge_mnist.benchmarks.remote import machines as remote
from edge_mnist.benchmarks.remote.session import Parcel, _read_message
from edge_mnist.benchmarks.remote.ssh import SshOptions, parse_host
from edge_mnist.benchmarks.results import files as result_files
from edge_mnist.benchmarks.results.files import decode_results
from edge_mnist.edge.bundle.card import ModelCard, ModelCardError, decode_card, encode_card
from edge_mnist.edge.bundle.folder import Bundle, open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.common.errors import EdgeMnistError
from edge_mnist.edge.common.npz import read_npz
from edge_mnist.edge.data import download as mnist_files
from edge_mnist.edge.runtimes import keras_files
from edge_mnist.edge.runtimes.golden import check_golden
from edge_mnist.edge.runtimes.keras_files import load_keras_file
from edge_mnist.train.fitting.checkpoint import load_state
from tests.stand_ins.scripted_server import serve

NAME = "t10k-labels-idx1-ubyte"
DEEP = b"[" * 100_000


def _labels(folder: Path, content: bytes) -> None:
    (folder / "labels.json").write_bytes(content)
    read_labels(folder)


def _state(folder: Path, identity: str) -> None:
    np.savez(folder / "state", identity=identity, history=np.zeros((1, 5)), best_epoch=1)
    load_state(folder / "state.npz", [], {}, [])


@pytest.mark.parametrize(
    "read",
    [
        lambda _: decode_card(b'{"card":{"schema_version":4,"x":' + DEEP + b"}}", "card.json"),
        lambda _: decode_card(b'{"a":' * 100_000, "card.json"),
        lambda _: decode_results(b'{"schema_version":2,"rows":' + DEEP, "results.json"),
        lambda _: decode_results(b'{"a":' * 100_000, "results.json"),
        lambda _: _read_message(b'{"kind":"progress","x":' + DEEP),
        lambda folder: _labels(folder, b'{"a":' + DEEP),
        lambda folder: _state(folder, "[" * 100_000),
        lambda folder: _state(folder, "5"),
        lambda folder: _state(folder, '{"seed":1}'),
    ],
    ids=["card", "card of objects", "results", "results of objects", "message", "labels", "state", "number", "another"],
)
def test_nested_and_odd_json_is_one_sentence(tmp_path: Path, read: Callable[[Path], object]) -> None:
    with pytest.raises(EdgeMnistError) as caught:
        read(tmp_path)

    assert len(str(caught.value).splitlines()) == 1


# Of the shipped card: where, and what stands there instead.
HOSTILE: dict[str, tuple[tuple[str | int, ...], Any]] = {
    "no labels": (("labels",), []),
    "no evaluations": (("export", "evaluations"), []),
    "no files": (("export", "files"), []),
    "no images": (("export", "evaluations", 0, "images", "count"), 0),
    "more correct answers than": (("export", "files", 0, "verification", "correct"), 2**62),
    "more than all in Keras": (("export", "evaluations", 0, "correct"), 2**62),
    "an empty file": (("export", "files", 0, "record", "size_bytes"), 0),
    "a newline in a name": (("export", "files", 0, "record", "name"), "standard.tflite\n"),
    "a name too long": (("name",), "a" * 5000),
    "no shape": (("export", "files", 0, "output", "shape"), []),
    "a negative shape": (("export", "files", 0, "output", "shape"), [-1, -1]),
    "a huge shape": (("export", "files", 0, "output", "shape"), [-1, 2**60]),
    "ragged golden logits": (("export", "files", 0, "golden_logits", 0), []),
    "golden logits without end": (("export", "files", 0, "golden_logits", 0, 0), 1e308),
    "a version of many digits": (("export", "files", 0, "min_runtime"), "9" * 6000),
    "hardly any temperature": (("export", "abstention", "temperature"), 5e-324),
    "a huge temperature": (("export", "abstention", "temperature"), 1e308),
}


@pytest.mark.parametrize(("where", "value"), HOSTILE.values(), ids=HOSTILE)
def test_a_card_with_impossible_values_is_refused(where: tuple[str | int, ...], value: Any) -> None:
    spot = tree = json.loads((SHIPPED / "card.json").read_bytes())["card"]
    for step in where[:-1]:
        spot = spot[step]
    spot[where[-1]] = value

    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(tree, ModelCard)
    with pytest.raises(ModelCardError, match="not a model card"):
        decode_card(msgspec.json.encode({"seal": "0" * 64, "card": tree}), "card.json")


def test_the_shipped_cards_hold() -> None:
    for path in SHIPPED.parent.glob("*/card.json"):
        assert encode_card(decode_card(path.read_bytes(), str(path))) == path.read_bytes()


def test_golden_logits_without_images_are_refused() -> None:
    file = msgspec.structs.replace(open_bundle(SHIPPED).files[0], golden_logits=())

    with pytest.raises(ModelCardError, match="golden logits of 0 images, and 0 golden images"):
        check_golden(lambda _: np.zeros((0, 10), np.float32), file, np.zeros((0, 28, 28, 1), np.uint8), "litert")


def _archive(method: int = zipfile.ZIP_DEFLATED, **contents: bytes) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in contents.items():
            archive.writestr(f"{name}.npy", content)
    file.seek(0)
    return file


def _array(array: Any, *, is_object: bool = False) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=is_object)
    return file.getvalue()


HUGE_SHAPE = _array(np.zeros(3)).replace(b"(3,)", b"(9" + b"9" * 12 + b",)")[: 128 + 8]


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (_archive(a=_array(np.zeros(10_000_000, np.uint8))), "it unpacks to 9,996,032 bytes, expected at most 1,000"),
        (_archive(zipfile.ZIP_BZIP2, a=_array(np.zeros(3))), "neither stored nor deflated"),
        (_archive(a=_array(np.array([{}], object), is_object=True)), "Object arrays cannot be loaded"),
        (_archive(a=HUGE_SHAPE), "."),
        (_archive(a=b"no array"), "."),
        (io.BytesIO(b"no archive"), "not a zip file"),
        (io.BytesIO(b""), "not a zip file"),
    ],
    ids=["bomb", "another method", "objects", "huge shape", "no array", "no archive", "empty"],
)
def test_a_hostile_npz_file_is_refused(file: io.BytesIO, reason: str) -> None:
    with pytest.raises((ValueError, AttributeError), match=reason):
        read_npz(file, 1000)["a"].shape  # noqa: B018 - what is no array is not taken for one


def test_logits_that_unpack_to_more_than_the_card_says_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = open_bundle(SHIPPED)
    bomb = _archive(a=_array(np.zeros(100_000_000, np.uint8))).getvalue()
    monkeypatch.setattr(Bundle, "read", lambda *_: bomb)

    with pytest.raises(ModelCardError, match=r"reference\.npz: are not the logits of Keras \(it unpacks to"):
        read_reference(bundle, bundle.export.evaluations[0])


@pytest.mark.parametrize("content", [b"[1]," * 600_000, b"1," * 1_100_000], ids=["lists", "numbers"])
def test_results_of_more_values_than_any_benchmark_writes_are_not_built(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_files, "MOST_VALUES", 1_000_000)

    with pytest.raises(result_files.BenchmarkError, match="no benchmark writes that many"):
        decode_results(b'{"schema_version":2,"rows":[' + content + b"1]}", "results.json")


def test_what_one_machine_sends_costs_the_others_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(session: remote.Session, _: Parcel) -> bytes:
        if session.host.name == "evil":
            raise RecursionError("maximum recursion depth exceeded")
        return b"good"

    monkeypatch.setattr(remote.Session, "run", answer)
    monkeypatch.setattr(remote, "check_results", lambda content, _: content)
    sessions = [remote.Session(parse_host(name), SshOptions(), print) for name in ("evil", "good")]

    answers = remote._run_all(sessions, Parcel({}, "m", 1), None)  # type: ignore[arg-type]

    assert answers["good"] == b"good"
    assert isinstance(answers["evil"], BenchmarkError)
    assert "sent an unusable answer (RecursionError: maximum recursion depth" in str(answers["evil"])


def _keras_file(method: int = zipfile.ZIP_STORED, **changed: Any) -> bytes:
    """The shipped model's file with other parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(SHIPPED / "model.keras") as shipped, zipfile.ZipFile(file, "w", method) as archive:
        for name in shipped.namelist():
            change = changed.get(name.partition(".")[0])
            archive.writestr(name, change(shipped.read(name)) if change else shipped.read(name))
    return file.getvalue()


def _with_many_units(config: bytes) -> bytes:
    return config.replace(b'"units": 10', b'"units": 100000000')


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (_keras_file(zipfile.ZIP_DEFLATED, config=lambda _: bytes(70_000_000)), "it unpacks to"),
        (_keras_file(zipfile.ZIP_BZIP2), "its members are neither stored nor deflated"),
        (b"PK\x03\x04 no archive", "not a zip file"),
    ],
    ids=["bomb", "another method", "no archive"],
)
def test_a_keras_file_that_holds_more_than_it_can_starts_nothing(
    content: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras_files, "call_in_child", pytest.fail)

    with pytest.raises(EdgeMnistError, match=rf"evil\.keras: cannot be loaded as a Keras model \(.*{reason}"):
        load_keras_file(content, "evil.keras")


@pytest.mark.parametrize(
    "content",
    [_keras_file(config=_with_many_units), _keras_file(config=lambda _: DEEP)],
    ids=["51 GB of weights", "nested"],
)
def test_a_keras_file_that_asks_for_all_memory_is_one_sentence(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whatever passes in the child would be loaded here.
    monkeypatch.setattr(keras_files, "load_here", pytest.fail)

    with pytest.raises(EdgeMnistError, match=r"evil\.keras: cannot be loaded as a Keras model") as caught:
        load_keras_file(content, "evil.keras")

    assert len(str(caught.value).splitlines()) == 1


def _fetch(script: Callable[[Any, str], object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """What people are told of a mirror that does this."""
    monkeypatch.setattr(mnist_files, "cache_dir", lambda: tmp_path / "cache")
    monkeypatch.delenv("EDGE_MNIST_DATA", raising=False)
    with serve(script) as address:
        monkeypatch.setenv("EDGE_MNIST_MIRRORS", f"http://{address}/")
        with pytest.raises(mnist_files.DataError) as caught:
            mnist_files.load_idx_file(NAME, None)
    return str(caught.value)


def test_an_endless_mirror_is_left_at_the_size_of_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sent: list[int] = []

    def script(connection: Any, _: str) -> None:
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
        for _ in range(1000):
            connection.sendall(bytes(1 << 16))
            sent.append(1 << 16)

    said = _fetch(script, monkeypatch, tmp_path)

    assert "it sends more than 20,008 bytes" in said
    assert sum(sent) < 30_000_000


@pytest.mark.parametrize("length", [b"999999999999999999999", b"-1", b"abc"])
def test_a_mirror_that_announces_another_size_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, length: bytes
) -> None:
    head = b"HTTP/1.0 200 OK\r\nContent-Length: " + length + b"\r\n\r\nabc"

    said = _fetch(lambda connection, _: connection.sendall(head), monkeypatch, tmp_path)

    assert "cannot be downloaded" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("head", "reason"),
    [(b"HTTP/1.0 200 OK\r\n\r\n", "bytes arrived in"), (b"HTTP/1.0 200 OK\r\nX: ", "no response within 1 s")],
    ids=["content", "header"],
)
def test_a_mirror_that_sends_byte_by_byte_is_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, head: bytes, reason: str
) -> None:
    monkeypatch.setattr(mnist_files, "PATIENCE_S", 1.0)
    given_up = threading.Event()

    def script(connection: Any, _: str) -> None:
        connection.sendall(head)
        while not given_up.is_set():
            connection.sendall(b"a")
            time.sleep(0.1)

    monkeypatch.setattr(mnist_files, "_reason", lambda error: given_up.set() or str(error))

    assert reason in _fetch(script, monkeypatch, tmp_path)


def test_the_words_of_a_mirror_are_not_repeated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answer = b"HTTP/1.0 404 \x1b]0;pwned\x07\r\n\r\n"

    said = _fetch(lambda connection, _: connection.sendall(answer), monkeypatch, tmp_path)

    assert "HTTP status 404" in said
    assert said.isprintable()
