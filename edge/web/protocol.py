"""Connections that keep nobody waiting: uvicorn's, with the time limits that it leaves to a proxy before it."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from .limits import WebLimits


class PatientProtocol(H11Protocol):
    """Hangs up on who sends no request, who takes no answer, and who comes when there is no room at all."""

    limits = WebLimits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._request_due: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - as uvicorn's
        """See asyncio."""
        super().connection_made(transport)
        # Up to the limit requests are served, above it they are refused in words; this is for those who send none.
        if len(self.connections) > 2 * self.limits.connections:
            transport.abort()
        self._expect_request()

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        super().data_received(data)
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        super().connection_lost(exc)
        for timer in (self._request_due, self._stalled):
            if timer is not None:
                timer.cancel()

    def pause_writing(self) -> None:
        """See asyncio: the client does not take what it is sent as fast as that comes."""
        super().pause_writing()
        self._stalled = self.loop.call_later(self.limits.stall_s, self.transport.abort)

    def resume_writing(self) -> None:
        """See asyncio."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()

    @property
    def _serves(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expect_request(self) -> None:
        """Start the clock with a request's first byte, stop it with the header's last: slow bytes do not help."""
        if self._serves and self._request_due is not None:
            self._request_due.cancel()
            self._request_due = None
        elif not self._serves and self._request_due is None:
            self._request_due = self.loop.call_later(self.limits.header_s, self._hang_up)

    def _hang_up(self) -> None:
        self._request_due = None
        if not self._serves:
            self.transport.abort()
