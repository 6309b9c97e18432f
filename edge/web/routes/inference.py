"""The Open Inference Protocol, version 2, which KServe and Triton speak: health, metadata, and inference.

Each precision of a model is a model of its own, named like its files: `standard-int8`. A runtime other than the first
is added: `standard-int8-onnxruntime`. The logits are those of `Classifier`, real values for int8 files, too.
"""

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Path
from starlette.requests import Request
from starlette.responses import Response

from ...reading.reader import Reader
from ...runtimes.registry import RUNTIMES
from ..errors import RequestRefusedError
from ..protection.limits import UploadKind, find_client
from ..readers import NOT_LOADED, PASSED, ReaderChoice
from ..responses import json_response
from ..service import WebService
from .schemas import InferenceSchema, ServedModelSchema, ServerSchema, document_errors
from .tensors import INPUT, describe_tensors, encode_response, parse_request

VERSION = "1"
REQUEST = UploadKind(
    "request",
    # Triton's own client sends none. Pages of other sites are refused by their Origin.
    lambda media_type: media_type in {"application/json", "application/octet-stream", ""},
    "send a request of the Open Inference Protocol as application/json or application/octet-stream",
)
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {
                "type": "object", "required": ["inputs"], "properties": {"inputs": {"type": "array", "items": {
                    "type": "object", "required": ["name", "shape", "datatype"], "properties": {
                        "name": {"const": INPUT}, "datatype": {"const": "UINT8"}}}}}}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}  # fmt: skip


def name_models(choices: tuple[ReaderChoice, ...]) -> dict[str, ReaderChoice]:
    """Name each choice: by model and precision for the first runtime, and by the runtime, too, for every one."""
    named: dict[str, ReaderChoice] = {}
    for choice in choices:
        name = f"{choice.model}-{choice.precision}"
        named.setdefault(name, choice)
        named[f"{name}-{choice.runtime}"] = choice
    return named


def add_inference_routes(app: FastAPI, service: WebService) -> None:
    """Add `/v2` and everything below it."""
    models = name_models(service.pool.choices)
    of_model = Path(description="Name of the model.", json_schema_extra={"enum": [*models]})
    _add_health(app, service)
    for path in ("/v2/models/{name}", "/v2/models/{name}/versions/{of}"):
        _add_model(app, path, service, models, of_model)
        _add_infer(app, path, service, models, of_model)


def _add_health(app: FastAPI, service: WebService) -> None:
    def is_loaded() -> bool:
        return service.describe_model_state() == "loaded"

    @app.get("/v2", summary="Name, version and extensions of this server", response_class=Response,
             responses={200: {"model": ServerSchema}, **document_errors()})  # fmt: skip
    async def describe() -> Response:
        extensions = ["binary_tensor_data"]
        return json_response({"name": "edge-mnist", "version": version("edge-mnist"), "extensions": extensions})

    @app.get("/v2/health/live", summary="Is the server alive?", response_class=Response,
             responses={200: {"description": "It is"}, **document_errors()})  # fmt: skip
    async def live() -> Response:
        return json_response({"live": True})

    @app.get("/v2/health/ready", summary="Is the model loaded?", response_class=Response,
             responses={200: {"description": "It is"}, **document_errors(), 503: {"description": "No"}})  # fmt: skip
    async def ready() -> Response:
        return json_response({"ready": is_loaded()}, 200 if is_loaded() else 503)


def _add_model(app: FastAPI, path: str, service: WebService, models: dict[str, ReaderChoice], of_model: Any) -> None:
    golden = service.pool.golden
    shown = path.endswith("{name}")

    @app.get(path, summary="Inputs and outputs of a model", response_class=Response, include_in_schema=shown,
             responses={200: {"model": ServedModelSchema}, **document_errors(404)})  # fmt: skip
    async def describe(request: Request, name: str = of_model) -> Response:
        choice = _choose(models, request)
        platform = f"{choice.runtime}_{RUNTIMES[choice.runtime].format}"
        return json_response({"name": name, "versions": [VERSION], "platform": platform, **describe_tensors()})

    @app.get(f"{path}/ready", summary="Is a model ready?", response_class=Response, include_in_schema=shown,
             responses={200: {"description": "It is"}, **document_errors(404), 503: {"description": "No"}})  # fmt: skip
    async def ready(request: Request, name: str = of_model) -> Response:
        # It is loaded when it is used first, so only a model that was refused then is not ready.
        is_ready = golden[_choose(models, request)] in {NOT_LOADED, PASSED}
        return json_response({"name": name, "ready": is_ready}, 200 if is_ready else 503)


def _add_infer(app: FastAPI, path: str, service: WebService, models: dict[str, ReaderChoice], of_model: Any) -> None:
    pool = service.pool

    @app.post(f"{path}/infer", summary="Classify images of single digits", response_class=Response, openapi_extra=_BODY,
              include_in_schema=path.endswith("{name}"),
              responses={200: {"model": InferenceSchema}, **document_errors(400, 404, 408, 413, 415, 503)})  # fmt: skip
    async def infer(request: Request, name: str = of_model) -> Response:
        choice, client = _choose(models, request), find_client(request.scope)
        if request.headers.get("content-encoding", "identity") != "identity":
            raise RequestRefusedError(415, "type", "Compressed requests are not accepted: send it as it is.")
        header_length = request.headers.get("inference-header-content-length")
        with pool.places.hold(client):
            async with service.uploads.receive(request, REQUEST) as content:

                def work(reader: Reader) -> tuple[bytes, dict[str, str]]:
                    parsed = parse_request(content, header_length)
                    return encode_response(name, parsed, reader.classifier.logits(parsed.images))

                body, headers = await pool.use(work, choice, client)
        return Response(body, headers=headers)


def _choose(models: dict[str, ReaderChoice], request: Request) -> ReaderChoice:
    """Find the model of the address.

    Raises:
        RequestRefusedError: 404, there is no such model or version.
    """
    name, asked = request.path_params["name"], request.path_params.get("of", VERSION)
    if name not in models or asked != VERSION:
        raise RequestRefusedError(404, "path", f"There is no such model: choose version {VERSION} of one of "
                                  f"{', '.join(models)}.")  # fmt: skip
    return models[name]
