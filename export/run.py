"""A whole export, for the command and for Python: find the model, load the converters, write the bundle."""

import contextlib
import importlib
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from ..edge.bundle.contract import Convention, Format, OutputFunction, Precision
from ..edge.bundle.export_record import MissingFile
from ..edge.bundle.folder import Bundle, find_bundle
from ..edge.common.errors import ArgumentError, check_choice, explain_missing
from ..edge.common.native_log import quiet_native_log
from ..edge.common.scratch import scratch_folder
from ..edge.common.terminal.verbosity import announce_loading
from .adoption.model_source import ModelSource, find_source
from .calibration import METHODS, WEIGHTS
from .errors import ExportError
from .settings import ExportSettings, find_exported, find_unmet
from .verify import describe_doubts

Pixels = Literal["uint8", "0-1", "0-255", "-1-1"]
Outputs = Literal["logits"] | OutputFunction


def export(  # noqa: PLR0913 - as many as the command has options
    model: Any = None,
    *,
    int8: bool = True,
    float16: bool = False,
    dynamic: bool = False,
    int16x8: bool = False,
    formats: Sequence[Format] = ("tflite", "onnx"),
    out: Path | str | None = None,
    max_drop_pp: float = 0.10,
    pixels: Pixels = "uint8",
    outputs: Outputs = "logits",
    calibration: str | None = None,
    clean_calibration: bool = False,
    onnx_weights: str | None = None,
    strict_int8: bool = False,
    c_array: bool = False,
    data_dir: Path | str | None = None,
) -> Bundle:
    """Write TFLite and ONNX files, verify each in its own process, and seal them into a bundle.

    Args:
        model: A bundle, its folder, or the name of a shipped one; the path of a `.keras` file; or a Keras model. None
            for the shipped model.
        int8: Whether to write full-integer TFLite and QDQ ONNX, calibrated on training images. float32 always is.
        float16: Whether to write half-precision files.
        dynamic: Whether to write TFLite with int8 weights whose activations are quantized while it runs.
        int16x8: Whether to write TFLite with int8 weights and int16 activations.
        formats: File formats to write.
        out: Folder for the bundle; None extends a bundle in place, and takes ./NAME for other models.
        max_drop_pp: Largest allowed accuracy drop, in percentage points, 0 to 100.
        pixels: Input range of a Keras model of your own, from paper to ink.
        outputs: Output of a Keras model of your own; a function after the logits is removed.
        calibration: Calibration method of int8 ONNX files, `minmax`, `percentile` or `entropy`; None for the best on
            validation.
        clean_calibration: Whether to calibrate on clean images only.
        onnx_weights: Weight type of int8 ONNX files, `int7`, `int8` or `uint8`; None for int7, or that of the bundle.
        strict_int8: Whether to refuse int8 files with an operator that computes in float32.
        c_array: Whether to write the int8 TFLite file as C source for TFLite Micro, too.
        data_dir: Folder with the four MNIST files; None for $EDGE_MNIST_DATA, the cache and the mirrors.

    Returns:
        The new bundle. `bundle.files` has each file's size, accuracy, and comparison with Keras.

    Raises:
        ArgumentError: An argument is not one of these.
        ExportError: There is no such model; a file loses too much accuracy, and nothing is installed; or a requested
            file could not be made, and the others are installed.
        MissingPackageError: The extra `export` is not installed.
    """
    _check_arguments(pixels, outputs, formats, calibration, onnx_weights, max_drop_pp)
    named = name_precisions({"int8": int8, "float16": float16, "dynamic": dynamic, "int16x8": int16x8})
    settings = ExportSettings(
        precisions=named,
        formats=tuple(formats),
        method=calibration,
        onnx_weights=onnx_weights,
        clean_calibration=clean_calibration,
        most_drop_pp=max_drop_pp,
        c_array=c_array,
        strict_int8=strict_int8,
        named=named,
    )
    folder, data_folder = (Path(path) if path else None for path in (out, data_dir))
    with _find_model(model, Convention(pixels=pixels, outputs=outputs)) as source:
        bundle, unmet = run_export(source, settings, folder, data_folder)
    for doubt in describe_doubts(bundle.card):
        warnings.warn(doubt, stacklevel=2)
    refuse_unmet(unmet)
    return bundle


def name_precisions(asked: dict[str, bool]) -> tuple[Precision, ...]:
    """List the requested precisions, other than float32, in their usual order."""
    return tuple(precision for precision in get_args(Precision) if precision != "float32" and asked.get(precision))


def run_export(
    source: ModelSource, settings: ExportSettings, out: Path | None, data_dir: Path | None
) -> tuple[Bundle, list[MissingFile]]:
    """Export a model that was found; load TensorFlow only now.

    Returns:
        The new bundle, and the requested files that could not be made.

    Raises:
        ExportError: As `export`.
        MissingPackageError: The extra `export` is not installed.
    """
    import_tensorflow()
    destination = out or source.default_out
    earlier = find_exported(destination)
    try:
        from .pipeline import export_bundle  # noqa: PLC0415 - needs the packages just imported

        card = export_bundle(source, settings, destination, data_dir)
    except ModuleNotFoundError as error:
        raise explain_missing(error, "export", "export") from error
    return Bundle(destination, card), find_unmet(card, settings, earlier)


def refuse_unmet(unmet: Sequence[MissingFile]) -> None:
    """Report requested files that could not be made.

    Raises:
        ExportError: There are any.
    """
    if unmet:
        raise ExportError(f"some requested files could not be made: {', '.join(one.name for one in unmet)}.")


def import_tensorflow() -> None:
    """Import TensorFlow without its start-up messages. If it is missing, the code that needs it reports that.

    It takes seconds: call it after the arguments have been checked, before the first module that imports Keras.
    """
    if "tensorflow" not in sys.modules:
        announce_loading("TensorFlow")
    with quiet_native_log(), contextlib.suppress(ImportError):
        importlib.import_module("tensorflow")


def _check_arguments(
    pixels: str,
    outputs: str,
    formats: Sequence[str],
    calibration: str | None,
    onnx_weights: str | None,
    max_drop_pp: float,
) -> None:
    check_choice("pixels", pixels, get_args(Pixels))
    check_choice("outputs", outputs, ["logits", *get_args(OutputFunction)])
    for format_ in formats:
        check_choice("formats", format_, get_args(Format))
    if calibration is not None:
        check_choice("calibration", calibration, METHODS)
    if onnx_weights is not None:
        check_choice("onnx_weights", onnx_weights, WEIGHTS)
    if not 0 <= max_drop_pp <= 100:
        raise ArgumentError(f"expected max_drop_pp from 0 to 100, got {max_drop_pp!r}.")


@contextlib.contextmanager
def _find_model(model: Any, convention: Convention) -> Iterator[ModelSource]:
    """Yield the source of a model; a Keras model in memory is saved to a temporary file first."""
    if isinstance(model, Bundle):
        yield find_source(model.path, convention)
    elif model is None or isinstance(model, Path | str):
        yield find_source(None if model is None else find_bundle(model), convention)
    elif hasattr(model, "save") and hasattr(model, "name"):
        with scratch_folder() as folder:
            path = folder / f"{model.name}.keras"
            model.save(path)
            yield find_source(path, convention)
    else:
        raise ArgumentError(
            f"expected a bundle, the path of a .keras file, or a Keras model, got {type(model).__qualname__}."
        )
