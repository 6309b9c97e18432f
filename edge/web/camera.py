"""The camera of `edge-mnist serve`: a live loop on a thread of its own, whose only sink is the board."""

import threading
from functools import partial
from pathlib import Path

from ..cameras.choose import check_source, open_camera
from ..ending import start_abandonable
from ..live.cli import FILE_SILENCE_S
from ..live.loop import LiveLoop
from ..live.options import CameraChoice
from ..live.settings import LiveSettings
from ..reader import Reader
from .board import LiveBoard

# The loop stops within a second; the process does not wait for a driver that hangs.
STOPS_WITHIN_S = 0.8


class CameraThread:
    """Watches a camera from now on, whether it is there yet or not."""

    def __init__(self, camera: CameraChoice, reader: Reader, board: LiveBoard) -> None:
        """Start.

        Args:
            camera: Which, and how.
            reader: From now on used by this thread alone.
            board: Where it is shown.

        Raises:
            CameraRefusedError: It can never work.
        """
        check_source(camera.source)
        is_file = Path(camera.source).exists() and not camera.source.startswith("/dev/")
        settings = LiveSettings(
            silence_s=FILE_SILENCE_S if is_file else LiveSettings.silence_s,
            fps=camera.options.fps or None,
            wait_for_camera=True,
        )
        self._loop = LiveLoop(
            partial(open_camera, camera.source, camera.options), board.source, reader, [board], settings
        )
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
        except Exception as error:
            self._error = error
