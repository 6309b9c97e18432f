"""Requests and responses of the Open Inference Protocol, version 2: tensors as JSON, or as bytes after the JSON.

Source: KServe's Open Inference Protocol, and the binary tensor data extension of Triton.
"""

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...bundle.contract import IMAGE_SHAPE, NUM_CLASSES
from ..errors import RequestRefusedError, encode_json

INPUT, OUTPUT = "pixels", "logits"
IMAGE_BYTES = int(np.prod(IMAGE_SHAPE))
EXPECTED = f'one input named "{INPUT}", UINT8 [N, 28, 28, 1] with 0 = paper and 255 = ink'


class InputTensor(msgspec.Struct, frozen=True):
    """An input of a request; its values are in `data`, or follow the JSON."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] = {}
    data: Any = None


class RequestedOutput(msgspec.Struct, frozen=True):
    """An output that the client wants."""

    name: str
    parameters: dict[str, Any] = {}


class InferenceDocument(msgspec.Struct, frozen=True):
    """The JSON of a request."""

    inputs: list[InputTensor]
    id: str = ""
    outputs: list[RequestedOutput] = []
    parameters: dict[str, Any] = {}


@dataclass(frozen=True)
class InferenceRequest:
    """A request to classify images.

    Attributes:
        id: Name that the client gave the request; empty for none.
        images: uint8 [N, 28, 28, 1].
        wants_bytes: Whether the logits are to follow the JSON as bytes.
    """

    id: str
    images: NDArray[np.uint8]
    wants_bytes: bool


def parse_request(body: bytes, header_length: str | None) -> InferenceRequest:
    """Parse a request.

    Args:
        body: JSON, followed by the bytes of a tensor if it is longer than `header_length`.
        header_length: Header `Inference-Header-Content-Length`: bytes of the JSON; None if all is JSON.

    Raises:
        RequestRefusedError: 400, it is not valid, or asks for other tensors.
    """
    if header_length is not None and not (header_length.isdecimal() and int(header_length) <= len(body)):
        raise refuse_tensor("Inference-Header-Content-Length is not the length of the JSON in the body.")
    split = len(body) if header_length is None else int(header_length)
    try:
        document = msgspec.json.decode(body[:split], type=InferenceDocument)
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise refuse_tensor(f"The request is not valid ({str(error)[:200]}). Expected {EXPECTED}.") from error
    if len(document.inputs) != 1 or document.inputs[0].name != INPUT:
        raise refuse_tensor(f"Expected {EXPECTED}.")
    return InferenceRequest(
        document.id, _parse_images(document.inputs[0], body[split:]), _wants_bytes(document.outputs, document)
    )


def _parse_images(tensor: InputTensor, binary: bytes) -> NDArray[np.uint8]:
    count = tensor.shape[0] if tensor.shape else 0
    if tensor.datatype != "UINT8" or tensor.shape[1:] != list(IMAGE_SHAPE) or count < 1:
        raise refuse_tensor(f"Expected {EXPECTED}; got {tensor.datatype} {tensor.shape[:10]}.")
    if "binary_data_size" in tensor.parameters:
        if tensor.data is not None or tensor.parameters["binary_data_size"] != len(binary):
            raise refuse_tensor(f"binary_data_size is not the number of bytes after the JSON, {len(binary)}.")
        values = np.frombuffer(binary, np.uint8)
    else:
        values = _parse_values(tensor.data)
    if len(values) != count * IMAGE_BYTES:
        raise refuse_tensor(f"The shape needs {count * IMAGE_BYTES} values, got {len(values)}.")
    return values.reshape(count, *IMAGE_SHAPE)


def _parse_values(data: Any) -> NDArray[np.uint8]:
    """Convert a list, flat or nested, of integers from 0 to 255."""
    try:
        values = np.asarray(data).reshape(-1)
    except (ValueError, OverflowError) as error:
        raise refuse_tensor("data is not a list of integers, flat or nested like the shape.") from error
    if values.dtype.kind not in "iu" or not len(values) or values.min() < 0 or values.max() > 255:
        raise refuse_tensor("data is not a list of integers from 0 to 255.")
    return values.astype(np.uint8)


def _wants_bytes(outputs: list[RequestedOutput], document: InferenceDocument) -> bool:
    if any(output.name != OUTPUT or "classification" in output.parameters for output in outputs) or len(outputs) > 1:
        raise refuse_tensor(f'Expected no outputs, or one named "{OUTPUT}", without classification.')
    parameters = outputs[0].parameters if outputs else {}
    return bool(parameters.get("binary_data", document.parameters.get("binary_data_output", False)))


def encode_response(model: str, request: InferenceRequest, logits: NDArray[np.float32]) -> tuple[bytes, dict[str, str]]:
    """Encode the response: its body and headers; logits are float32 [N, 10]."""
    output: dict[str, Any] = {"name": OUTPUT, "datatype": "FP32", "shape": list(logits.shape)}
    content = np.ascontiguousarray(logits, "<f4").tobytes()
    if request.wants_bytes:
        output["parameters"] = {"binary_data_size": len(content)}
    else:
        output["data"] = logits.reshape(-1).tolist()
    document = {"model_name": model, "model_version": "1", "outputs": [output]}
    header = encode_json(document | ({"id": request.id} if request.id else {}))
    if not request.wants_bytes:
        return header, {"Content-Type": "application/json"}
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(header))}
    return header + content, headers


def describe_tensors() -> dict[str, Any]:
    """Describe input and output, the same for every model; -1 is any number of images."""
    return {
        "inputs": [{"name": INPUT, "datatype": "UINT8", "shape": [-1, *IMAGE_SHAPE]}],
        "outputs": [{"name": OUTPUT, "datatype": "FP32", "shape": [-1, NUM_CLASSES]}],
    }


def refuse_tensor(message: str) -> RequestRefusedError:
    """Make the error for a request that is not valid."""
    return RequestRefusedError(400, "tensor", message)
