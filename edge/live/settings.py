"""What can be set of the live loop."""

from dataclasses import dataclass

from ..common.network import time_limits
from ..common.network.time_limits import FRAMES, GRACE_S


@dataclass(frozen=True)
class LiveSettings:
    """How the loop behaves.

    Attributes:
        fps: At most so many frames are read per second, > 0; None reads as many as there is time for.
        silence_s: How long a camera may take for a frame before it counts as lost; where `fps` is low, three frames'
            time, if that is more. See `time_limits.py`.
        first_open_s: How long it may take to open the first time, when drivers load.
        open_again_s: The same later. A driver that took longer the first time has as long as it took then.
        wait_for_camera: Whether a camera that cannot be opened at first is tried until it can.
        frames: After so many that were read the loop stops; None goes on.
        seconds: After so many since it began it stops; None goes on.
    """

    fps: float | None = None
    silence_s: float = time_limits.FRAME_S + GRACE_S
    first_open_s: float = time_limits.OPEN_S + GRACE_S
    open_again_s: float = time_limits.FRAME_S + GRACE_S
    wait_for_camera: bool = False
    frames: int | None = None
    seconds: float | None = None

    @property
    def longest_silence_s(self) -> float:
        """The time after which a camera counts as lost."""
        return max(self.silence_s, FRAMES / self.fps + GRACE_S) if self.fps else self.silence_s
