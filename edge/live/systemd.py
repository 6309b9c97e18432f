"""Notify systemd that the service is ready, still well, or stopping. See sd_notify(3)."""

import os
import socket
import time

# Longest time between two keep-alive messages; shorter if systemd's timeout requires it.
PING_EVERY_S = 1.0
# Share of systemd's timeout between two messages, so that a late message is not too late.
PATIENCE_SHARE = 1 / 3
# A message waits at most this long until systemd has read those before it; then it is lost.
SEND_WITHIN_S = 0.05


class Systemd:
    """The service manager that started this process, if one did. One that does not listen is not waited for."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the null byte of an abstract address.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) if address else None
        if self._socket is not None:
            self._socket.settimeout(SEND_WITHIN_S)
        patience_s = float(os.environ.get("WATCHDOG_USEC", "inf")) / 1e6
        self._ping_every_s = min(PING_EVERY_S, PATIENCE_SHARE * patience_s)
        self._pinged_s = -self._ping_every_s
        self._is_ready = False

    def ready(self) -> None:
        """Report that the service is ready."""
        if not self._is_ready:
            self._is_ready = True
            self._tell("READY=1")

    def alive(self) -> None:
        """Report that all is well. Call it often; it is passed on as often as systemd needs it."""
        now = time.monotonic()
        if now - self._pinged_s >= self._ping_every_s:
            self._pinged_s = now
            self._tell("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Set the line that `systemctl status` shows; further lines would be taken for other messages."""
        self._tell(f"STATUS={' '.join(text.splitlines())}")

    def stopping(self) -> None:
        """Report that the service is about to end; nothing more follows."""
        self._tell("STOPPING=1")
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, message: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(message.encode(), self._address)
        except OSError:
            # systemd restarts or does not listen: the next message will do. A service runs on without it.
            return
