"""Routes for operators of the server: is it alive, is it ready, and its metrics."""

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from ..responses import json_response
from ..service import WebService
from .schemas import HealthSchema, ReadySchema, document_errors


def add_health_routes(app: FastAPI, service: WebService) -> None:
    """Add `/healthz`, `/readyz` and `/metrics`."""

    @app.get(
        "/healthz",
        summary="Is the process running?",
        response_class=Response,
        responses={200: {"model": HealthSchema}},
    )
    async def live() -> Response:
        return json_response({"status": "ok"})

    @app.get(
        "/readyz",
        summary="Is the model loaded, and the camera open?",
        response_class=Response,
        responses={
            200: {"model": ReadySchema},
            **document_errors(),
            503: {"model": ReadySchema, "description": "Not ready"},
        },
    )
    async def ready() -> Response:
        model = service.describe_model_state()
        camera = service.feed.state if service.feed else "none"
        is_ready = model == "loaded" and camera in {"none", "open", "ended"}
        return json_response({"ready": is_ready, "model": model, "camera": camera}, 200 if is_ready else 503)

    @app.get(
        "/metrics",
        summary="Metrics for Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}}, **document_errors()},
    )
    async def count() -> Response:
        return Response(service.metrics.write(), media_type=CONTENT_TYPE_LATEST)
