"""Check that a model reads and gives what its user states, by its results on 500 digits."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ...edge.bundle.contract import IMAGE_SHAPE, SCALING_LAYER, Convention
from ...edge.common.terminal.formatting import format_percent
from ...edge.data.images import Images
from ..errors import ExportError
from .output_function import recognize_function

# A convention is contradicted if another one raises the model's accuracy by this much.
CONTRADICTION = 0.10
# Between ranges that read about as many digits, the scale of the logits decides. Networks of four kinds were trained on
# each range for one and for six epochs: the median margin between the two largest logits is at most 79 if the range is
# right, at least 272 if pixels are 255 times as large as in training, and at least 205 if they are 128 times as large
# (`python docs/decisions/measure_scales.py`).
SAME_ACCURACY, IMPLAUSIBLE_MARGIN, PLAUSIBLE_MARGIN = 0.05, 150, 100
BATCH = 500


@dataclass(frozen=True)
class ConventionCheck:
    """The results of a model on sample images.

    Attributes:
        accuracy: Share of images read correctly, in [0, 1].
        margin: Median difference between the two largest logits, in nats.
    """

    accuracy: float
    margin: float


def check_convention(model: keras.Model, convention: Convention, images: Images, path: Any) -> None:
    """Refuse a convention that the model's own results contradict.

    Args:
        model: The adopted model.
        convention: The convention it was adopted with.
        images: Sample images that it should be able to read.
        path: The model's file, for error messages.

    Raises:
        ExportError: The outputs are not finite, or are not logits; another range of pixels, or inverted pixels, fit
            clearly better; or the model cannot be run at all.
    """
    pixels = images.pixels.astype(np.float32)
    try:
        network = _behind_cast(model)
        outputs = _run(network, pixels)
        _check_outputs(outputs, convention, path)
        stated = _read(outputs, images)
        found = {
            name: _read(_run(network, changed), images) for name, changed in _other_ranges(convention, pixels).items()
        }
    except ExportError:
        raise
    except Exception as error:
        # The model's own layers run here for the first time.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ExportError(f"{path}: cannot be run ({reason}).") from error
    for name, other in sorted(found.items(), key=lambda item: -item[1].accuracy):
        _compare(convention.pixels, stated, name, other, len(images), path)


def _other_ranges(convention: Convention, pixels: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Return pixels [N, 28, 28, 1] that make the model see what it would under each other convention."""
    rivals = {"inverted (0 = ink)": 255 - pixels}
    if convention.pixels == "0-1":
        rivals |= {"0-255": pixels * 255, "-1-1": pixels * 2 - 255}
    elif convention.pixels == "0-255":
        rivals |= {"0-1": pixels / 255, "-1-1": pixels / 127.5 - 1}
    elif convention.pixels == "-1-1":
        rivals |= {"0-1": (pixels / 255 + 1) * 127.5, "0-255": (pixels + 1) * 127.5}
    return rivals


def _check_outputs(outputs: NDArray[np.float32], convention: Convention, path: Any) -> None:
    kind = recognize_function(outputs)
    if kind == "not finite":
        bad = int((~np.isfinite(outputs)).any(axis=1).sum())
        raise ExportError(
            f"{path}: expected finite logits, got NaN or infinity for {bad} of {len(outputs)} digits. Its "
            "weights are not finite, or its activations overflow. Train it again with a smaller learning rate."
        )
    if kind == "constant":
        raise ExportError(f"{path}: outputs the same {outputs.shape[1]} numbers for every digit. Train it first.")
    if kind is None:
        return
    sums = f" {'their exponentials' if kind == 'log-softmax' else 'they'} sum to 1 for every digit"
    shown = " all lie between 0 and 1" if kind == "sigmoid" else sums
    if convention.outputs == "logits":
        raise ExportError(
            f"{path}: expected logits, but its outputs look like those of a {kind}:{shown}. Pass --outputs {kind}."
        )
    raise ExportError(
        f"{path}: its outputs still look like those of a {kind} after the {convention.outputs} at its end was "
        f"removed:{shown}. Save the model so that it outputs logits."
    )


def _compare(
    stated_name: str, stated: ConventionCheck, name: str, other: ConventionCheck, count: int, path: Any
) -> None:
    inverted = name.startswith("inverted")
    advice = "Train it with 0 = paper." if inverted else f"Pass --pixels {name}."
    if other.accuracy > stated.accuracy + CONTRADICTION:
        raise ExportError(
            f"{path}: reads {format_percent(stated.accuracy, 0)} of {count} digits as {stated_name}, but "
            f"{format_percent(other.accuracy, 0)} as {name}. {advice}"
        )
    similar = other.accuracy > stated.accuracy - SAME_ACCURACY and not inverted
    if similar and stated.margin > IMPLAUSIBLE_MARGIN and other.margin < PLAUSIBLE_MARGIN:
        raise ExportError(
            f"{path}: reads digits as {stated_name}, but its logits are implausibly large there: the two largest "
            f"differ by {stated.margin:,.0f}. As {name} it reads {format_percent(other.accuracy, 0)}, and they "
            f"differ by {other.margin:.1f}. {advice}"
        )


def _behind_cast(model: keras.Model) -> keras.Model:
    """Return the whole model as a function of float pixels, so that other ranges can be tried."""
    pixels = keras.Input(IMAGE_SHAPE)
    unit = keras.layers.Rescaling(model.get_layer(SCALING_LAYER).scale)(pixels)
    return keras.Model(pixels, keras.Model(model.get_layer(SCALING_LAYER).output, model.output)(unit))


def _run(network: keras.Model, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    return network.predict(pixels, batch_size=BATCH, verbose=0)  # pyright: ignore[reportArgumentType]


def _read(logits: NDArray[np.float32], images: Images) -> ConventionCheck:
    second, first = np.sort(logits, axis=1)[:, -2:].T
    return ConventionCheck(float((logits.argmax(axis=1) == images.labels).mean()), float(np.median(first - second)))
