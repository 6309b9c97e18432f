"""What can be set of the live loop."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LiveSettings:
    """How the loop behaves.

    Attributes:
        fps: At most so many frames are read per second, > 0; None reads as many as there is time for.
        silence_s: How long a camera may take for a frame before it counts as lost: a little more than the three seconds
            after which cameras that can tell say themselves that none came. Where `fps` is low it may take
            longer: three frames' time. One that is slower by itself than a frame in so many seconds needs more.
        first_open_s: How long it may take to open the first time, when drivers load. Later it may take as long as it
            took then, or `silence_s` if that is more.
        wait_for_camera: Whether a camera that cannot be opened at first is tried until it can.
        frames: After so many that were read the loop stops; None goes on.
        seconds: After so many since it began it stops; None goes on.
    """

    fps: float | None = None
    silence_s: float = 3.5
    first_open_s: float = 30.0
    wait_for_camera: bool = False
    frames: int | None = None
    seconds: float | None = None

    @property
    def longest_silence_s(self) -> float:
        """The time after which a camera counts as lost."""
        return max(self.silence_s, 3 / self.fps) if self.fps else self.silence_s
