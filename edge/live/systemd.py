"""What systemd wants to hear from a service: that it is ready, still well, and stopping. See sd_notify(3)."""

import os
import socket
import time

# At most this often it is told that all is well; more often where its patience is shorter.
PING_EVERY_S = 1.0
# Of its patience: one that is told late is not told too late.
PATIENCE_SHARE = 1 / 3
# So long a message may wait until systemd has read those before it; then it is lost.
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
        """The service does what it is for."""
        if not self._is_ready:
            self._is_ready = True
            self._tell("READY=1")

    def alive(self) -> None:
        """All is well. To be called all the time; it is passed on as often as systemd needs it."""
        now = time.monotonic()
        if now - self._pinged_s >= self._ping_every_s:
            self._pinged_s = now
            self._tell("WATCHDOG=1")

    def status(self, text: str) -> None:
        """A line for `systemctl status`; what came in others would be taken for messages of their own."""
        self._tell(f"STATUS={' '.join(text.splitlines())}")

    def stopping(self) -> None:
        """The service is about to end; nothing more follows."""
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
            # It restarts, or does not listen: the next message is as good. A service runs on without it.
            return
