"""For those who run the server: does it live, can it work, how does it go?"""

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from .answers import HealthAnswer, ReadyAnswer, document_errors
from .responses import answer_json
from .service import Service


def add_health_routes(app: FastAPI, service: Service) -> None:
    """Add `/healthz`, `/readyz` and `/metrics`."""

    @app.get(
        "/healthz",
        summary="Does the process live?",
        response_class=Response,
        responses={200: {"model": HealthAnswer}},
    )
    async def live() -> Response:
        return answer_json({"status": "ok"})

    @app.get(
        "/readyz",
        summary="Is the model loaded, and the camera open?",
        response_class=Response,
        responses={
            200: {"model": ReadyAnswer},
            **document_errors(),
            503: {"model": ReadyAnswer, "description": "Not ready"},
        },
    )
    async def ready() -> Response:
        model = service.describe_model_state()
        camera = service.board.state if service.board else "none"
        is_ready = model == "loaded" and camera in {"none", "open", "ended"}
        return answer_json({"ready": is_ready, "model": model, "camera": camera}, 200 if is_ready else 503)

    @app.get(
        "/metrics",
        summary="Metrics for Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}}, **document_errors()},
    )
    async def count() -> Response:
        return Response(service.metrics.write(), media_type=CONTENT_TYPE_LATEST)
