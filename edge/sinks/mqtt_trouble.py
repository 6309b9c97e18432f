"""What can go wrong with an MQTT broker: it is away, or another program publishes to our topic."""

import json
import logging
import time

# Repeated failures are not reported more often.
REPORT_AGAIN_S = 60.0

_logger = logging.getLogger(__name__)


def read_origin(payload: bytes | bytearray) -> tuple[object, object]:
    """Read `machine` and `started_at` of a message; None for each that is missing, whatever the message is."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return None, None
    return (document.get("machine"), document.get("started_at")) if isinstance(document, dict) else (None, None)


class BrokerTrouble:
    """Reports failures: when one begins or has another reason, and when it is over."""

    def __init__(self, name: str) -> None:
        self.is_on = False
        self._name = name
        self._text = ""
        self._reported_s = -REPORT_AGAIN_S

    def report(self, text: str) -> None:
        """Report a failure, unless it goes on for the same reason."""
        again = text == self._text and (self.is_on or time.monotonic() - self._reported_s < REPORT_AGAIN_S)
        self.is_on = True
        if not again:
            self._text, self._reported_s = text, time.monotonic()
            _logger.warning("%s: %s. Connecting again; readings wait meanwhile.", self._name, text)

    def over(self, text: str) -> None:
        """Report that the failure is over."""
        if self.is_on:
            _logger.info("%s: connected again; %s.", self._name, text)
        self.is_on = False
