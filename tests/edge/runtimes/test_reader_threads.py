"""One reader, or one classifier, serves any number of threads at the same time, and a process that was forked."""

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_mnist.benchmarks.scenes.pages import PagePen, draw_page
from edge_mnist.edge.bundle.export_record import ModelFile
from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.reading.reader import Reader
from edge_mnist.edge.runtimes.classifiers import InterpreterClassifier
from edge_mnist.edge.runtimes.golden import unpack_pixels
from edge_mnist.edge.runtimes.loading import load_classifier
from edge_mnist.edge.runtimes.registry import RUNTIMES

THREADS = 8
READINGS = 400
INSTALLED = [
    pytest.param(
        name, marks=pytest.mark.skipif(not runtime.installed, reason=f"{name} is not installed: {runtime.install_hint}")
    )
    for name, runtime in RUNTIMES.items()
]
PAGES = (
    draw_page(("0123456789", "31415926"), seed=1, pen=PagePen(height_px=40, width_px=4)),
    draw_page(("2718",), seed=2, pen=PagePen(height_px=40, width_px=4)),
)


@pytest.mark.parametrize("runtime", INSTALLED)
def test_one_reader_gives_eight_threads_what_it_gives_one(runtime: str) -> None:
    reader = Reader(runtime=runtime)
    alone = [_describe(reader, page) for page in PAGES]

    with ThreadPoolExecutor(THREADS) as threads:
        read = list(threads.map(lambda i: _describe(reader, PAGES[i % 2]), range(READINGS)))

    assert read == [alone[i % 2] for i in range(READINGS)]


@pytest.mark.parametrize("runtime", INSTALLED)
@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_one_classifier_gives_eight_threads_what_it_gives_one(runtime: str, precision: str) -> None:
    bundle = open_bundle(SHIPPED)
    classifier = load_classifier(bundle, RUNTIMES[runtime], precision)  # type: ignore[arg-type]
    images = unpack_pixels(bundle.export.golden_pixels)
    alone = classifier.logits(images)

    with ThreadPoolExecutor(THREADS) as threads:
        turned = list(threads.map(lambda i: classifier.logits(np.roll(images, i, axis=0)), range(READINGS)))

    assert all((logits == np.roll(alone, i, axis=0)).all() for i, logits in enumerate(turned))


def test_readings_of_asyncio_tasks_do_not_mix() -> None:
    reader = Reader()
    alone = [_describe(reader, page) for page in PAGES]

    async def read_all() -> Sequence[object]:
        return await asyncio.gather(*[asyncio.to_thread(_describe, reader, PAGES[i % 2]) for i in range(100)])

    assert list(asyncio.run(read_all())) == [alone[i % 2] for i in range(100)]


@pytest.mark.parametrize("runtime", INSTALLED)
def test_a_forked_process_goes_on_with_the_reader_that_it_inherits(runtime: str) -> None:
    reader = Reader(runtime=runtime)
    alone = _describe(reader, PAGES[0])

    child = os.fork()
    if child == 0:
        # Nothing of pytest's may run here, whatever happens.
        try:
            os._exit(0 if _describe(reader, PAGES[0]) == alone else 1)
        finally:
            os._exit(2)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_one_thread_never_makes_a_second_interpreter() -> None:
    made, classifier, images = _count_interpreters()

    for _ in range(20):
        classifier.logits(images)

    assert len(made) == 1


def test_there_are_never_more_interpreters_than_threads() -> None:
    made, classifier, images = _count_interpreters()

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(lambda _: classifier.logits(images), range(READINGS)))

    assert len(made) <= THREADS


def test_an_interpreter_that_failed_in_one_thread_is_not_lost() -> None:
    made, classifier, images = _count_interpreters()

    with pytest.raises(ValueError, match="expected images"):
        classifier.logits(images[0])
    classifier.logits(images)

    assert len(made) == 1


def _describe(reader: Reader, page: NDArray[np.uint8]) -> object:
    reading = reader.read(page)
    return reading.rows, reading.digits


def _count_interpreters() -> tuple[list[object], InterpreterClassifier, NDArray[np.uint8]]:
    """A list of all that are made, the classifier that makes them, and images for it."""
    from ai_edge_litert.interpreter import Interpreter

    bundle = open_bundle(SHIPPED)
    file: ModelFile = bundle.file("tflite", "int8")
    content, made = bundle.read(file.record), []

    def make() -> Interpreter:
        made.append(Interpreter(model_content=content, num_threads=1))
        return made[-1]

    return made, InterpreterClassifier(make, file), unpack_pixels(bundle.export.golden_pixels)
