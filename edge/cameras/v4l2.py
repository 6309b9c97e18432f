"""Video devices of Linux: list them, and query their names before they are opened for capture."""

import errno
import fcntl
import os
import struct
from dataclasses import dataclass
from pathlib import Path

from ..common.terminal.text import printable
from .camera import CameraError, CameraUnsupportedError

# Source: linux/videodev2.h. Of struct v4l2_capability: driver, card, bus_info, version, capabilities, device_caps.
CAPABILITY = struct.Struct("=16s32s32s3I12x")
QUERY_CAPABILITY = 2 << 30 | CAPABILITY.size << 16 | ord("V") << 8
CAN_CAPTURE, SAYS_DEVICE_CAPS = 0x0000_0001 | 0x0000_1000, 0x8000_0000
# A Raspberry Pi's other video devices: raw sensors, which libcamera uses, codecs, and image processors.
NOT_WEBCAMS = ("bcm2835-", "rpi-hevc", "rpivid", "pispbe", "rp1-cfe", "unicam")


@dataclass(frozen=True)
class VideoDevice:
    """A device that may be a webcam.

    Attributes:
        path: Path, e.g. /dev/video0.
        name: Name given by its maker.
    """

    path: Path
    name: str


def list_webcams(root: Path) -> list[VideoDevice]:
    """List devices that may return frames, by number, without opening one.

    Args:
        root: Folder taken for `/`.
    """
    folders = (root / "sys/class/video4linux").glob("video*")
    numbered = sorted((int(folder.name[5:]), folder) for folder in folders if folder.name[5:].isdecimal())
    devices = [
        VideoDevice(root / "dev" / folder.name, printable(_read(folder / "name")))
        for _, folder in numbered
        if _is_first(folder)
    ]
    return [device for device in devices if device.path.exists() and not device.name.startswith(NOT_WEBCAMS)]


def query_name(path: Path) -> str:
    """Return the name that a capture device reports.

    Raises:
        CameraError: It is not connected now, or access is denied.
        CameraUnsupportedError: It is not a capture device.
    """
    answer = bytearray(CAPABILITY.size)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.ioctl(descriptor, QUERY_CAPABILITY, answer)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _explain(path, error) from error
    _, card, _, _, capabilities, device_capabilities = CAPABILITY.unpack(answer)
    if capabilities & SAYS_DEVICE_CAPS:
        capabilities = device_capabilities
    name = printable(card.partition(b"\0")[0].decode(errors="replace"))
    if not capabilities & CAN_CAPTURE:
        raise CameraUnsupportedError(
            f"{path} ({name}): this device delivers no frames. A webcam often has several devices; try the others "
            "under /dev."
        )
    return name


def _explain(path: Path, error: OSError) -> CameraError:
    match error.errno:
        case errno.ENOENT | errno.ENODEV | errno.ENXIO:
            return CameraError(f"{path}: no such device. Plug the webcam in, or name another.")
        # Just after it was plugged in, a device belongs to root; then the system assigns it to its group.
        case errno.EACCES | errno.EPERM:
            return CameraError(
                f"{path}: this user has no permission to open it. Run `sudo usermod -aG video $USER`, then log "
                "out and in again."
            )
        case errno.EBUSY:
            return CameraError(f"{path}: another program uses it. `fuser -v {path}` shows which.")
        case errno.ENOTTY | errno.EINVAL | errno.EISDIR:
            return CameraUnsupportedError(f"{path}: not a video device. Expected one such as /dev/video0.")
        case _:
            return CameraError(f"{path}: cannot be opened ({error.strerror}).")


def _is_first(folder: Path) -> bool:
    """Whether this is a webcam's first device; a second one returns metadata instead of frames."""
    return _read(folder / "index") in {"", "0"}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
