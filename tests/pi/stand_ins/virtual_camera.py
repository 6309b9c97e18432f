"""`edge-mnist` with picamera2 on libcamera's virtual camera: `python virtual_camera.py live --camera picamera2 ...`.

picamera2 is the one that a Pi has. Here it is told of four things that the virtual camera does otherwise than a Pi's.
"""

import mmap
import time
from typing import Any

import libcamera
import picamera2
from picamera2.allocators import LibcameraAllocator

from edge_mnist.cli import main
from edge_mnist.edge.common.network import time_limits

FRAME_S = 0.1
# An emulator on a busy machine may take longer for a frame than any camera that still works.
PATIENCE_S = 60.0


class WholeBuffer:
    """A frame's memory: its length is that of its planes, for the virtual camera does not say how much it wrote."""

    def __init__(self, allocator: LibcameraAllocator, frame: Any, write: bool) -> None:
        self._planes = frame.planes

    def __enter__(self) -> mmap.mmap:
        self._memory = mmap.mmap(self._planes[0].fd, sum(plane.length for plane in self._planes))
        return self._memory

    def __exit__(self, *_: object) -> None:
        self._memory.close()


class VirtualPicamera2(picamera2.Picamera2):
    """Has libcamera allocate, as the virtual camera wants a plane for brightness and one for colour."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.allocator = LibcameraAllocator(self.camera)
        self.allocator.sync = WholeBuffer

    def process_requests(self, display: object) -> None:
        """Hold frames back: it makes new ones as fast as it gets buffers, which leaves no time to read them."""
        time.sleep(FRAME_S)
        super().process_requests(display)

    def _get_raw_modes(self) -> list[dict[str, object]]:
        """It has no raw frames; the sizes of the others tell as much."""
        formats = self.camera.generate_configuration([libcamera.StreamRole.Viewfinder]).at(0).formats
        return [
            {"format": str(pixels), "size": (size.width, size.height)}
            for pixels in formats.pixel_formats
            for size in formats.sizes(pixels)
        ]


if __name__ == "__main__":
    picamera2.Picamera2 = VirtualPicamera2
    time_limits.FRAME_S = PATIENCE_S
    main(prog_name="edge-mnist")
