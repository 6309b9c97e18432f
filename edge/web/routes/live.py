"""The live part of the API: events as they arrive, and the newest picture."""

import asyncio
import time

from fastapi import FastAPI, Query
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..errors import RequestRefusedError, encode_json
from ..live_feed import LiveFeed
from ..protection.limits import Slots, find_client
from ..service import WebService
from ..settings import WebLimits
from .schemas import document_errors

# A client whose stream broke reconnects after this many milliseconds.
_RETRY = b"retry: 2000\n\n"


def add_watching_routes(app: FastAPI, service: WebService) -> None:
    """Add `/v1/live` and `/v1/live/frame.jpg`."""

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
        responses={200: {"content": {"text/event-stream": {}}}, **document_errors(404, 503)},
    )
    async def follow(request: Request) -> Response:
        return EventStream(_find_feed(service), service.watchers, find_client(request.scope), service.limits)

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
        request: Request,
        after: int | None = Query(None, ge=0, le=2**53, description="X-Frame-Index of the previous picture."),
    ) -> Response:
        feed = _find_feed(service)
        with service.watchers.hold(find_client(request.scope)):
            picture = await feed.wait_for_picture(after, service.limits.poll_s)
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


class EventStream(Response):
    """Server-sent events until the client leaves or the server stops."""

    def __init__(self, feed: LiveFeed, watchers: Slots, client: str, limits: WebLimits) -> None:
        super().__init__(media_type="text/event-stream")
        # Its length is not known, and nginx would hold it back until it has some kilobytes.
        del self.headers["content-length"]
        self.headers["X-Accel-Buffering"] = "no"
        self._feed = feed
        self._watchers = watchers
        self._client = client
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream, see ASGI.

        Raises:
            RefusedError: 503, too many clients watch already.
        """
        with self._watchers.hold(self._client):
            tasks = [asyncio.create_task(self._send_events(send)), asyncio.create_task(_wait_until_gone(receive))]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _send_events(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await _send_part(send, _RETRY)
        notes, version = self._feed.events_after(0), 0
        documents = [note.text for note in notes] + [encode_json(self._feed.describe_state())]
        while not self._feed.is_over:
            for document in documents:
                await _send_part(send, b"data: " + document + b"\n\n")
            version = notes[-1].version if notes else version
            await asyncio.sleep(1 / self._limits.events_per_s)
            notes = await self._feed.wait_for_events(version, self._limits.ping_s)
            documents = [note.text for note in notes] or [encode_json(self._feed.describe_state())]
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _find_feed(service: WebService) -> LiveFeed:
    if service.feed is None:
        raise RequestRefusedError(404, "path", "This server has no camera: start it with --camera.")
    return service.feed


async def _send_part(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _wait_until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
