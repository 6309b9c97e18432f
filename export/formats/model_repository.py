"""Lay out the ONNX files of a bundle as a model repository, which Triton Inference Server reads.

    DIR/standard-int8/config.pbtxt
    DIR/standard-int8/1/model.onnx

Source: "Model Repository" and "Model Configuration" of Triton's user guide.
"""

from contextlib import suppress
from pathlib import Path

from ...edge.bundle.export_record import Tensor
from ...edge.bundle.folder import Bundle
from ...edge.common.files import write_atomically
from ..errors import ExportError

# The most images in a batch, and how long Triton waits for further requests before it runs a smaller batch.
MOST_IN_BATCH, QUEUE_DELAY_US = 256, 500
TYPES = {"uint8": "TYPE_UINT8", "int8": "TYPE_INT8", "float32": "TYPE_FP32"}
VERSION = "1"
# The first line of each configuration, by which models are known that may be replaced.
MARK = "# Written by edge-mnist export.\n"


def write_model_repository(bundle: Bundle, folder: Path) -> list[str]:
    """Write every ONNX file of a bundle as a model of its own; return their names.

    Args:
        bundle: Exported bundle.
        folder: Model repository, made if it is not there. Models of an earlier export are replaced, others stay.

    Raises:
        ExportError: The bundle has no ONNX file, the folder cannot be written, or it has a model of the same name that
            is not of an earlier export.
    """
    files = [file for file in bundle.files if file.format == "onnx"]
    if not files:
        raise ExportError(f"{bundle.path}: has no ONNX file for a model repository. Export it without --format tflite.")
    names = [f"{bundle.card.name}-{file.precision}" for file in files]
    try:
        for name in names:
            _refuse_others(folder / name)
        for name, file in zip(names, files, strict=True):
            (folder / name / VERSION).mkdir(parents=True, exist_ok=True)
            write_atomically(folder / name / VERSION / "model.onnx", bundle.read(file.record))
            write_atomically(folder / name / "config.pbtxt", format_config(name, file.input, file.output).encode())
    except OSError as error:
        raise ExportError(f"{folder}: the model repository cannot be written ({error.strerror}).") from error
    return names


def format_config(name: str, entrance: Tensor, exit_: Tensor) -> str:
    """Format a model's configuration: its tensors without the batch, and dynamic batching."""
    return f"""{MARK}name: "{name}"
platform: "onnxruntime_onnx"
max_batch_size: {MOST_IN_BATCH}
input [ {_format_tensor(entrance)} ]
output [ {_format_tensor(exit_)} ]
dynamic_batching {{ max_queue_delay_microseconds: {QUEUE_DELAY_US} }}
"""


def _refuse_others(model: Path) -> None:
    """Refuse to replace a model that no export wrote."""
    with suppress(FileNotFoundError, NotADirectoryError):
        if (model / "config.pbtxt").read_text(errors="replace").startswith(MARK):
            return
    if model.exists() and (not model.is_dir() or any(model.iterdir())):
        raise ExportError(f"{model}: is not of an earlier export. Choose another --model-repository, or move it away.")


def _format_tensor(tensor: Tensor) -> str:
    dims = ", ".join(map(str, tensor.shape[1:]))
    return f'{{ name: "{tensor.name}" data_type: {TYPES[tensor.dtype]} dims: [ {dims} ] }}'
