"""The camera of `edge-mnist serve`: a live loop on a thread of its own, whose only sink is the board."""

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
    """Watches a camera from now on, whether it is there yet or not."""

    def __init__(
        self, source: str, options: CameraOptions, settings: LiveSettings, reader: Reader, board: LiveFeed
    ) -> None:
        """Start.

        Args:
            source: Name of the camera, as of `--camera`.
            options: How the camera is opened.
            settings: Of the loop.
            reader: From now on used by this thread alone.
            board: Where it is shown.

        Raises:
            CameraRefusedError: It can never work.
        """
        check_source(source)
        self._loop = LiveLoop(partial(open_camera, source, options), board.source, reader, [board], settings)
        self._error: Exception | None = None
        self._thread = start_abandonable(threading.Thread(target=self._run, name="live", daemon=True))

    def check(self) -> None:
        """Do nothing, as long as it goes well.

        Raises:
            CameraRefusedError: The camera turned out to be one that can never work.
        """
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Stop, within a second."""
        self._loop.stop()
        self._thread.join(STOPS_WITHIN_S)

    def _run(self) -> None:
        try:
            self._loop.run()
        except CameraFileError as error:
            # The page shows it, too; pictures are read all the same.
            _logger.error("%s", error)
        except Exception as error:
            self._error = error
