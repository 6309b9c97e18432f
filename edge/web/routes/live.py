"""The live part of the API: events as they arrive, and the newest picture."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Annotated

from fastapi import Depends, FastAPI, Query
from fastapi.sse import EventSourceResponse, format_sse_event
from starlette.requests import Request
from starlette.responses import Response

from ..errors import RequestRefusedError, encode_json
from ..live_feed import LiveFeed
from ..protection.limits import find_client
from ..service import WebService
from ..settings import WebLimits
from .schemas import document_errors

# A client whose stream broke reconnects after this many milliseconds.
_RETRY_MS = 2000

Watch = Callable[[Request], AsyncIterator[LiveFeed]]


def add_watching_routes(app: FastAPI, service: WebService) -> None:
    """Add `/v1/live` and `/v1/live/frame.jpg`."""

    async def watch(request: Request) -> AsyncIterator[LiveFeed]:
        """Hold one of the watchers' places until the response is sent, or with scope "function" until it is ready."""
        if service.feed is None:
            raise RequestRefusedError(404, "path", "This server has no camera: start it with --camera.")
        with service.watchers.hold(find_client(request.scope)):
            yield service.feed

    _add_events_route(app, service.limits, watch)
    _add_picture_route(app, service.limits, watch)


def _add_events_route(app: FastAPI, limits: WebLimits, watch: Watch) -> None:
    @app.get(
        "/v1/live",
        summary="The camera's digits, as server-sent events",
        description="Each event's data is a JSON document as `edge-mnist live --json` writes it. A slow client misses "
        "some events, but always gets the newest. At the start, and after every 2 seconds without another "
        "event, an event reports the current state: `event` is `alive`, `state` is the camera's (`starting`, "
        "`open`, `lost` or `ended`), `captured_at` is the time of the newest frame that was read, and "
        "`age_s` its age in seconds; both are null before the first frame. A client that receives nothing "
        "for longer has lost the server.",
        response_class=Response,
        responses={200: {"content": {EventSourceResponse.media_type: {}}}, **document_errors(404, 503)},
    )
    async def follow(feed: Annotated[LiveFeed, Depends(watch)]) -> Response:
        # nginx would hold the events back until it has some kilobytes.
        return EventSourceResponse(_format_events(feed, limits), headers={"X-Accel-Buffering": "no"})


def _add_picture_route(app: FastAPI, limits: WebLimits, watch: Watch) -> None:
    @app.get(
        "/v1/live/frame.jpg",
        summary="The newest live picture",
        description="Waits for a picture newer than that of the frame `after`; 204 if none arrives in time.",
        response_class=Response,
        responses={
            200: {"content": {"image/jpeg": {}}},
            204: {"description": "No newer picture yet"},
            **document_errors(400, 404, 409, 503),
        },
    )
    async def send_picture(
        feed: Annotated[LiveFeed, Depends(watch, scope="function")],
        after: int | None = Query(None, ge=0, le=2**53, description="X-Frame-Index of the previous picture."),
    ) -> Response:
        picture = await feed.wait_for_picture(after, limits.poll_s)
        if picture is None and feed.state == "ended":
            raise RequestRefusedError(409, "ended", "The camera's file is at its end: there are no more pictures.")
        if picture is None:
            return Response(status_code=204)
        headers = {
            "X-Frame-Index": str(picture.index),
            "X-Captured-At": f"{picture.captured_at:.3f}",
            "X-Age-S": f"{time.monotonic() - picture.captured_s:.3f}",
        }
        return Response(picture.jpeg, headers=headers, media_type="image/jpeg")


async def _format_events(feed: LiveFeed, limits: WebLimits) -> AsyncIterator[bytes]:
    """Yield events as they arrive until the server stops."""
    yield format_sse_event(retry=_RETRY_MS)
    notes, version = feed.events_after(0), 0
    documents = [note.text for note in notes] + [encode_json(feed.describe_state())]
    while not feed.is_over:
        for document in documents:
            yield format_sse_event(data_str=document.decode())
        version = notes[-1].version if notes else version
        await asyncio.sleep(1 / limits.events_per_s)
        notes = await feed.wait_for_events(version, limits.ping_s)
        documents = [note.text for note in notes] or [encode_json(feed.describe_state())]
