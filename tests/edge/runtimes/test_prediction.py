"""A classifier answers for images of single digits, alone or many, and refuses those of another convention."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.common.errors import EdgeMnistError
from edge_mnist.edge.data.images import Images
from edge_mnist.edge.runtimes.abstention import estimate_class_probability
from edge_mnist.edge.runtimes.prediction import Classifier

# Two strokes.
IMAGES = np.zeros((2, 28, 28), np.uint8)
IMAGES[:, 4:24, 12:16] = 255
# Few errors in a hundred: one at most.
MOST_WRONG = 1


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier("standard")


@pytest.fixture(scope="module")
def pixels(sample: Images) -> NDArray[np.uint8]:
    return sample.pixels[:100]


def test_digits_of_mnist_are_read_with_their_probabilities(classifier: Classifier, sample: Images) -> None:
    prediction = classifier.predict(sample.pixels[:100])

    assert (prediction.digits != sample.labels[:100]).sum() <= MOST_WRONG
    assert prediction.is_digit.sum() >= 100 - MOST_WRONG
    assert (prediction.logits.shape, prediction.logits.dtype) == ((100, 10), np.float32)
    assert (prediction.probabilities.shape, prediction.probabilities.dtype) == ((100, 10), np.float32)
    np.testing.assert_allclose(prediction.probabilities.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(
        prediction.probabilities.max(axis=1),
        estimate_class_probability(prediction.logits, classifier.abstention.temperature),
        rtol=1e-5,
    )


def test_every_shape_of_images_gives_the_same(classifier: Classifier, pixels: NDArray[np.uint8]) -> None:
    batch = pixels.reshape(-1, 28, 28)
    expected = classifier.predict(batch).logits

    assert (classifier.predict(batch[..., None]).logits == expected).all()
    assert (classifier.predict(batch[3]).logits == expected[3:4]).all()
    assert (classifier.predict(batch[3][..., None]).logits == expected[3:4]).all()
    assert (classifier.predict(np.asfortranarray(batch)).logits == expected).all()
    assert len(classifier.predict(batch[:0]).digits) == 0


@pytest.mark.parametrize("runtime", ["litert", "onnxruntime"])
@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_every_file_reads_alike(runtime: str, precision: Any, sample: Images) -> None:
    digits = Classifier("nano", runtime, precision).predict(sample.pixels[:100]).digits

    assert (digits != sample.labels[:100]).sum() <= MOST_WRONG


def test_threads_share_a_classifier(classifier: Classifier, pixels: NDArray[np.uint8]) -> None:
    expected = classifier.predict(pixels).logits

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda i: classifier.predict(np.roll(pixels, i, axis=0)).logits, range(20)))

    assert all((logits == np.roll(expected, i, axis=0)).all() for i, logits in enumerate(answers))


def test_what_is_no_digit_is_said(classifier: Classifier, pixels: NDArray[np.uint8]) -> None:
    noise = np.zeros((1, 28, 28), np.uint8)
    noise[0, 2:26:3, 2:26] = 255

    prediction = classifier.predict(np.concatenate([pixels[:2].reshape(-1, 28, 28), noise]))

    assert prediction.is_digit.tolist() == [True, True, False]
    assert repr(prediction) == f"Prediction(3 images: {prediction.digits[0]}{prediction.digits[1]}-)"


@pytest.mark.parametrize(
    ("images", "advice"),
    [
        (IMAGES / 255, r"got float64 \(2, 28, 28\). Convert values from 0 to 1: \(255"),
        (255 - IMAGES, "They are dark on light: pass 255 - images"),
        (255 - IMAGES[0], "They are dark on light"),
        (IMAGES // 255, "No pixel is above 1: multiply them by 255"),
        (IMAGES.astype(bool), "got bool"),
        (IMAGES[:, :20], r"got uint8 \(2, 20, 28\). Scale each digit to 28x28"),
        (np.zeros((2, 28, 28, 3), np.uint8), r"got uint8 \(2, 28, 28, 3\)"),
        (None, "got None"),
        ("page.png", "got str"),
    ],
    ids=["floats", "inverted", "one inverted", "0 and 1", "truth values", "size", "colour", "None", "path"],
)
def test_images_of_another_convention_are_one_sentence(classifier: Classifier, images: Any, advice: str) -> None:
    with pytest.raises(EdgeMnistError, match=rf"expected images, uint8 \[N, 28, 28\], .*{advice}"):
        classifier.predict(images)


def test_images_that_are_only_odd_are_classified(classifier: Classifier) -> None:
    odd = np.stack([np.zeros((28, 28), np.uint8), np.full((28, 28), 255, np.uint8)])

    assert classifier.predict(odd).is_digit.tolist() == [False, False]


def test_names_show_model_precision_and_runtime() -> None:
    assert repr(Classifier(open_bundle("nano"), "onnxruntime")) == "Classifier('nano', int8 on onnxruntime)"
