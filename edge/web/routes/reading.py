"""The main part of the API: a picture in, a reading out; and the models to read with."""

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI, Query
from starlette.requests import Request
from starlette.responses import Response

from ...bundle.card import ModelCardError
from ...bundle.export_record import ModelFile, Tensor
from ...bundle.folder import Bundle
from ..browser_runtime import runtime_version
from ..errors import RequestRefusedError
from ..protection.limits import MEDIA_TYPES, find_client
from ..readers import PictureReading, ReaderChoice
from ..responses import json_response
from ..service import WebService
from .files import find_runtime_folder, send_bytes
from .schemas import ModelSchema, OddsSchema, ReadingSchema, document_errors

_PICTURE = {"schema": {"type": "string", "format": "binary"}}
_BODY = {"requestBody": {"required": True, "content": dict.fromkeys(MEDIA_TYPES, _PICTURE)}}


def add_reading_routes(app: FastAPI, service: WebService) -> None:
    """Add `/v1/read`, `/v1/model` and the model file for the browser."""
    choices = service.pool.choices
    of_model = _ask_for("Name of the model; by default the first.", (choice.model for choice in choices))
    _add_read_route(app, service, of_model)
    _add_model_routes(app, service, of_model)


def _add_read_route(app: FastAPI, service: WebService, of_model: Any) -> None:
    pool = service.pool
    of_runtime = _ask_for("Inference runtime.", (choice.runtime for choice in pool.choices))
    of_precision = _ask_for("Precision of the model file.", (choice.precision for choice in pool.choices))

    @app.post(
        "/v1/read",
        summary="Read the digits of a picture",
        openapi_extra=_BODY,
        response_class=Response,
        responses={200: {"model": ReadingSchema}, **document_errors(400, 408, 413, 415, 422, 503)},
    )
    async def read(
        request: Request,
        model: str | None = of_model,
        runtime: str | None = of_runtime,
        precision: str | None = of_precision,
    ) -> Response:
        choice, client = pool.choose(model, runtime, precision), find_client(request.scope)
        # A picture holds its place from its first byte: those that arrive slowly are limited like those that wait.
        with pool.places.hold(client):
            async with service.uploads.receive(request) as content:
                answer = await pool.read(content, choice, client)
        service.metrics.count_reading(answer.timing_ms)
        return json_response(describe_answer(answer))


def _add_model_routes(app: FastAPI, service: WebService, of_model: Any) -> None:
    pool = service.pool

    @app.get(
        "/v1/model",
        summary="The default model and all choices",
        response_class=Response,
        responses={200: {"model": ModelSchema}, **document_errors(400)},
    )
    async def describe(model: str | None = of_model) -> Response:
        bundle = pool.bundles[pool.choose(model, None, None).model]
        return json_response({**describe_bundle(bundle, service.settings.root_path), **describe_server(service)})

    @app.get(
        "/model/int8.onnx",
        summary="The model's ONNX int8 file",
        response_class=Response,
        responses={
            200: {"content": {"application/octet-stream": {}}},
            304: {"description": "Unchanged"},
            **document_errors(400, 404),
        },
    )
    async def send_model(request: Request, model: str | None = of_model) -> Response:
        bundle = pool.bundles[pool.choose(model, None, None).model]
        file = _find_onnx_int8(bundle)
        if file is None:
            raise RequestRefusedError(404, "path", "This model has no ONNX int8 file.")
        return send_bytes(request, bundle.read(file.record), "application/octet-stream")


def describe_answer(answer: PictureReading) -> dict[str, Any]:
    """Convert a reading to the response of `/v1/read`."""
    width, height = answer.frame_size
    return {
        "rows": answer.reading.rows,
        "digits": [
            {
                "digit": digit.digit,
                "confidence": digit.confidence,
                "digit_probability": digit.digit_probability,
                "class_probability": digit.class_probability,
                "score": digit.score,
                "box": (digit.box.x, digit.box.y, digit.box.width, digit.box.height),
            }
            for digit in answer.reading.digits
        ],
        "truncated": answer.reading.truncated,
        "frame": {"width": width, "height": height},
        "timing_ms": answer.timing_ms,
        **_describe_choice(answer.choice),
    }


def describe_bundle(bundle: Bundle, root_path: str) -> dict[str, Any]:
    """Describe a model from its card, and where its file for the browser is."""
    card, abstention, file = bundle.card, bundle.export.abstention, _find_onnx_int8(bundle)
    evaluated = bundle.export.evaluations[0].images
    odds = abstention.digit_odds
    measured = next((file for file in bundle.files if file.precision == "int8"), bundle.files[0])
    return {
        "name": card.name,
        "architecture": card.architecture.name,
        "parameters": card.architecture.parameters,
        "macs": card.architecture.macs,
        "accuracy": {
            "images": evaluated.name,
            "count": evaluated.count,
            "correct": measured.verification.correct,
        },
        "abstention": {
            "threshold": abstention.threshold,
            "temperature": abstention.temperature,
            "digit_odds": odds and {name: getattr(odds, name) for name in OddsSchema.model_fields},
        },
        "onnx_int8": file and _describe_file(file, root_path),
    }


def describe_server(service: WebService) -> dict[str, Any]:
    """Describe the choices of this server."""
    choices = service.pool.choices
    return {
        "runtime": choices[0].runtime,
        "precision": choices[0].precision,
        "models": _unique(choice.model for choice in choices),
        "runtimes": _unique(choice.runtime for choice in choices),
        "precisions": _unique(choice.precision for choice in choices),
        "choices": [{**_describe_choice(choice), "golden": service.pool.golden[choice]} for choice in choices],
        "browser_runtime": runtime_version(find_runtime_folder()),
        "camera": service.feed.source if service.feed else None,
        "upload_bytes": service.limits.upload_bytes,
        "megapixels": service.limits.megapixels,
    }


def _ask_for(description: str, values: Iterable[str]) -> Any:
    """Make a query parameter that has one of these values."""
    return Query(None, description=description, json_schema_extra={"enum": [*_unique(values)]})


def _describe_choice(choice: ReaderChoice) -> dict[str, str]:
    return {"model": choice.model, "runtime": choice.runtime, "precision": choice.precision}


def _describe_file(file: ModelFile, root_path: str) -> dict[str, Any]:
    return {
        "url": f"{root_path}/model/int8.onnx",
        "sha256": file.record.sha256,
        "size_bytes": file.record.size_bytes,
        "input": _describe_tensor(file.input),
        "output": _describe_tensor(file.output),
    }


def _describe_tensor(tensor: Tensor) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "shape": tensor.shape,
        "dtype": tensor.dtype,
        "scale": tensor.scale,
        "zero_point": tensor.zero_point,
    }


def _unique(names: Iterable[str]) -> list[str]:
    """Return each name once, in order."""
    return list(dict.fromkeys(names))


def _find_onnx_int8(bundle: Bundle) -> ModelFile | None:
    try:
        return bundle.file("onnx", "int8")
    except ModelCardError:
        return None
