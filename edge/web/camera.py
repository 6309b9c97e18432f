"""The camera of `edge-mnist serve`: a live loop on its own thread, whose only sink is the live feed."""

import logging
import threading
from functools import partial

from ..cameras.camera import CameraFileError, CameraOptions
from ..cameras.factory import check_source, open_camera
from ..common.processes.ending import start_abandonable
from ..live.loop import LiveLoop
from ..live.settings import LiveSettings
from ..reading.reader import Reader
from .live_feed import LiveFeed

# The loop stops within a second; the process does not wait for a driver that hangs.
STOPS_WITHIN_S = 0.8

_logger = logging.getLogger(__name__)


class CameraThread:
    """A thread that runs the live loop of a camera, even if the camera is not connected yet."""

    def __init__(
        self, source: str, options: CameraOptions, settings: LiveSettings, reader: Reader, feed: LiveFeed
    ) -> None:
        """Start the live loop.

        Args:
            source: Name of the camera, as of `--camera`.
            options: How the camera is opened.
            settings: Settings of the live loop.
            reader: Reader that only this thread uses from now on.
            feed: Live feed that shows the camera.

        Raises:
            CameraUnsupportedError: The camera can never work.
        """
        check_source(source)
        self._loop = LiveLoop(partial(open_camera, source, options), feed.source, reader, [feed], settings)
        self._error: Exception | None = None
        self._thread = start_abandonable(threading.Thread(target=self._run, name="live", daemon=True))

    def check(self) -> None:
        """Raise the error that ended the loop, if any.

        Raises:
            CameraUnsupportedError: The camera can never work.
        """
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Stop within a second."""
        self._loop.stop()
        self._thread.join(STOPS_WITHIN_S)

    def _run(self) -> None:
        try:
            self._loop.run()
        except CameraFileError as error:
            # The page shows it, too; uploaded pictures are still read.
            _logger.error("%s", error)
        except Exception as error:
            self._error = error
