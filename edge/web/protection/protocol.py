"""Connections with time limits and shares per client, added to uvicorn's, which leaves them to proxies."""

import asyncio
import time
from collections.abc import Container
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..responses import error_response
from .limits import WebLimits, may_take, name_client

# The connection is needed for other clients.
_CLOSE = {"Connection": "close", "Retry-After": "1"}


class TimeLimitedProtocol(H11Protocol):
    """Abort connections that send no request or read no response in time, or exceed the connection limit.

    Attributes:
        limits: Limits of the server.
        proxies: Addresses of proxies, whose connections carry many clients.
        client_name: The client that this connection counts for.
        idle_since_s: Time of the last data sent or received.
    """

    limits = WebLimits()
    proxies: Container[str] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.client_name = "-"
        self.idle_since_s = time.monotonic()
        self._request_due: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - as uvicorn's
        """Count the connection, see asyncio."""
        super().connection_made(transport)
        self.client_name = name_client(self.client[0]) if self.client else "-"
        self._make_room()
        self._expect_request()

    def data_received(self, data: bytes) -> None:
        """Parse data, see asyncio."""
        self.idle_since_s = time.monotonic()
        super().data_received(data)
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the connection, see asyncio."""
        super().connection_lost(exc)
        for timer in (self._request_due, self._stalled):
            if timer is not None:
                timer.cancel()

    def on_response_complete(self) -> None:
        """Wait for the next request, see uvicorn."""
        self.idle_since_s = time.monotonic()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Start the time limit for a client that reads too slowly, see asyncio."""
        super().pause_writing()
        self._stalled = self.loop.call_later(self.limits.stall_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop the time limit, see asyncio."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()

    @property
    def serves(self) -> bool:
        """Whether a request is being processed."""
        return self.cycle is not None and not self.cycle.response_complete

    def _make_room(self) -> None:
        """Close the client's longest idle connection if it exceeds its share; else refuse this one with a message.

        If many clients use all connections, the same applies to the connections of all.
        """
        most = self.limits.connections
        patient = [each for each in self.connections if isinstance(each, TimeLimitedProtocol)]
        open_ones = [each for each in patient if not each.transport.is_closing()]
        own = [each for each in open_ones if each.client_name == self.client_name]
        is_shared = self.client is not None and self.client[0] in self.proxies
        if len(open_ones) > most:
            candidates = open_ones
        elif is_shared or may_take(most, len(open_ones) - len(own), len(own)):
            return
        else:
            candidates = own
        idle = [each for each in candidates if each is not self and not each.serves]
        if idle:
            min(idle, key=lambda each: each.idle_since_s).transport.abort()
        else:
            self.app = _refuse_connection

    def _expect_request(self) -> None:
        """Limit the time from a request's first byte to the last of its header, however many bytes arrive between."""
        if self.serves and self._request_due is not None:
            self._request_due.cancel()
            self._request_due = None
        elif not self.serves and self._request_due is None:
            self._request_due = self.loop.call_later(self.limits.header_s, self._hang_up)

    def _hang_up(self) -> None:
        self._request_due = None
        if not self.serves:
            self.transport.abort()


async def _refuse_connection(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond instead of the application."""
    answer = error_response(503, "Too many connections from your address: try again.", _CLOSE)
    await answer(scope, receive, send)
