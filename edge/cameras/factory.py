"""Find the camera that a source such as `auto`, `/dev/video0` or a file stands for, and open it."""

import importlib.util
import platform
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from ..common.network.credentials import mask_address
from ..media import pictures
from .camera import Camera, CameraError, CameraOptions, CameraUnsupportedError
from .folder import FolderCamera
from .http_stream import parse_stream
from .mjpeg import MjpegCamera
from .picamera.camera import PicameraCamera
from .picamera.module import load_picamera2
from .rtsp import RtspCamera, check_rtsp
from .v4l2 import list_webcams
from .video import VideoCamera
from .webcam import WebcamCamera

Kind = Literal["picamera2", "v4l2", "video", "folder", "http", "rtsp"]

EXPECTED = (
    "Expected auto, picamera2, picamera2:1, /dev/video0, a video file, a folder of pictures, the http:// address of "
    "an MJPEG stream, or the rtsp:// address of a camera."
)
# Options beyond size, flips and rotation, by kind of camera.
SETTINGS: dict[Kind, frozenset[str]] = {
    "picamera2": frozenset({"fps", "exposure_us", "gain", "focus"}),
    "v4l2": frozenset({"fps", "exposure_us", "gain", "focus"}),
    "video": frozenset({"fps", "loop"}),
    "folder": frozenset({"fps", "loop"}),
    "http": frozenset({"fps"}),
    "rtsp": frozenset({"fps"}),
}
COMMON_SETTINGS = frozenset({"width", "height", "rotation", "hflip", "vflip"})
KIND_NAMES: dict[Kind, str] = {
    "picamera2": "a Raspberry Pi's camera",
    "v4l2": "a webcam",
    "video": "a video file",
    "folder": "a folder of pictures",
    "http": "a stream",
    "rtsp": "a stream",
}


@dataclass(frozen=True)
class FoundCamera:
    """A camera of this machine.

    Attributes:
        kind: Kind of camera, by the way it is accessed.
        source: Source to pass to `open_camera`.
        name: Name given by its maker.
    """

    kind: Kind
    source: str
    name: str


def open_camera(source: str, options: CameraOptions) -> Camera:
    """Open the camera that a source stands for.

    Raises:
        CameraUnsupportedError: There is no such camera, or it does not have a requested option.
        CameraError: It does not work now.
    """
    kind, rest = _parse(choose_source(source))
    _refuse_unfit(source, kind, options)
    return OPENERS[kind](rest, options)


def choose_source(source: str) -> str:
    """Choose what `auto` stands for now: a Raspberry Pi's own camera, else the first webcam; others are unchanged.

    Raises:
        CameraError: No camera is connected now; one may be plugged in later.
    """
    if source != "auto":
        return source
    found = find_cameras()
    if not found:
        raise CameraError(
            "auto: no camera found, and no webcam at /dev/video*. Connect a camera, or name a video file, a "
            f"folder of pictures, or a stream's address. {_explain_no_picamera()}".rstrip()
        )
    return found[0].source


def check_source(source: str) -> None:
    """Refuse a source that can never work, without opening anything.

    Raises:
        CameraUnsupportedError: The source cannot work; the message says what was expected.
    """
    if source == "auto":
        return
    kind, rest = _parse(source)
    if kind in {"http", "rtsp"}:
        parse_stream(rest)
    if kind == "rtsp":
        check_rtsp()
    if kind == "picamera2" and importlib.util.find_spec("picamera2") is None:
        # Raises an error that says what to do.
        load_picamera2()


def redact_source(source: str) -> str:
    """Return the source for people and logs: an address without user, password and query.

    Raises:
        CameraUnsupportedError: It is an address that cannot be parsed.
    """
    return parse_stream(source).shown if is_address(source) else source


def find_cameras(root: Path = Path("/")) -> list[FoundCamera]:
    """Find the cameras of this machine, a Raspberry Pi's own first; nothing is opened.

    Args:
        root: Folder taken for `/` when looking for webcams.
    """
    return _find_picameras() + [
        FoundCamera("v4l2", f"v4l2:{device.path}", device.name) for device in list_webcams(root)
    ]


def _find_picameras() -> list[FoundCamera]:
    try:
        names = load_picamera2().camera_names()
    # Most machines have no picamera2, and some no camera that libcamera could list.
    except (CameraUnsupportedError, RuntimeError):
        return []
    return [FoundCamera("picamera2", f"picamera2:{number}", name) for number, name in enumerate(names)]


def _explain_no_picamera() -> str:
    """Explain, on a machine that may be a Raspberry Pi, why its own camera is missing; elsewhere return nothing."""
    if platform.machine() not in {"aarch64", "armv7l"}:
        return ""
    try:
        load_picamera2().camera_names()
    except CameraUnsupportedError as error:
        return f"For a Raspberry Pi's camera, {error}"
    except RuntimeError as error:
        return f"For a Raspberry Pi's camera, libcamera failed ({error})."
    return "libcamera finds no Raspberry Pi camera; check with `rpicam-hello --list-cameras`."


def is_address(source: str) -> bool:
    """Whether the source is a stream on the network."""
    return re.match(r"(http|rtsp)s?:", source, re.IGNORECASE) is not None


def _parse(source: str) -> tuple[Kind, str]:
    """Return the kind of camera, and what to open."""
    if is_address(source):
        return ("rtsp" if source.lower().startswith("rtsp") else "http"), source
    if picamera := re.fullmatch(r"picamera2(?::(\d{1,2}))?", source):
        return "picamera2", picamera[1] or "0"
    if webcam := re.fullmatch(r"(?:v4l2:)?(\d{1,3})|v4l2:(/.+)|(/dev/(?:video\d|v4l/).*)", source):
        return "v4l2", webcam[2] or webcam[3] or f"/dev/video{webcam[1]}"
    if re.match(r"\w+://", source):
        scheme = source.partition(":")[0]
        raise CameraUnsupportedError(f"{scheme}: streams of this kind are not supported. {EXPECTED}")
    return _parse_path(source)


def _parse_path(source: str) -> tuple[Kind, str]:
    path = Path(source)
    try:
        if source and path.is_dir():
            return "folder", source
        if not source or not path.exists():
            raise CameraUnsupportedError(f"{mask_address(source)!r}: no such file or folder. {EXPECTED}")
    # ValueError: a null byte in the name.
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a valid file name"
        raise CameraUnsupportedError(f"{mask_address(source)!r}: cannot be accessed ({reason}). {EXPECTED}") from None
    if path.suffix.lower() in pictures.SUFFIXES:
        raise CameraUnsupportedError(
            f"{source}: a single picture cannot be used as a camera. Read it with `edge-mnist run`, or name its folder."
        )
    return "video", source


def _refuse_unfit(source: str, kind: Kind, options: CameraOptions) -> None:
    standard = CameraOptions()
    for field in fields(options):
        name, value = field.name, getattr(options, field.name)
        if name not in COMMON_SETTINGS | SETTINGS[kind] and value != getattr(standard, name):
            raise CameraUnsupportedError(
                f"{redact_source(source)}: the {name.removesuffix('_us')} of {KIND_NAMES[kind]} cannot be set."
            )
    if options.fps == 0 and "loop" not in SETTINGS[kind]:
        raise CameraUnsupportedError(
            f"{redact_source(source)}: 0 frames per second (as fast as possible) works only for files. Expected "
            "more than 0."
        )


OPENERS: dict[Kind, Callable[[str, CameraOptions], Camera]] = {
    "picamera2": lambda number, options: PicameraCamera(int(number), options),
    "v4l2": lambda path, options: WebcamCamera(Path(path), options),
    "video": lambda path, options: VideoCamera(Path(path), options),
    "folder": lambda path, options: FolderCamera(Path(path), options),
    "http": MjpegCamera,
    "rtsp": RtspCamera,
}
