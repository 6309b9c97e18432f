"""Webcams: what was agreed is what is read, brightness without colours; every trouble is a sentence."""

import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge_mnist.edge.cameras.camera import CameraError, CameraOptions, CameraUnsupportedError
from edge_mnist.edge.cameras.v4l2 import CAPABILITY, list_webcams, query_name
from edge_mnist.edge.cameras.webcam import MOST_DAMAGED, WebcamCamera

DEVICE = Path("/dev/video7")
WIDTH, HEIGHT = 64, 48
SCENE = np.add.outer(2 * np.arange(HEIGHT), np.arange(WIDTH)).astype(np.uint8) + 20
JPEG_TOLERANCE = 4


def _packed(first: int, padding: int = 0) -> np.ndarray:
    content = np.full((HEIGHT, 2 * WIDTH + padding), 128, np.uint8)
    content[:, first : 2 * WIDTH : 2] = SCENE
    return content


def _planar() -> np.ndarray:
    content = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    content[:HEIGHT] = SCENE
    return content


def _jpeg() -> np.ndarray:
    return cv2.imencode(".jpg", SCENE, [cv2.IMWRITE_JPEG_QUALITY, 95])[1]


FRAMES: dict[str, Callable[[], np.ndarray]] = {
    "YUYV": lambda: _packed(0),
    "UYVY": lambda: _packed(1),
    "NV12": _planar,
    "YU12": _planar,
    "YV12": _planar,
    "GREY": lambda: SCENE,
    "MJPG": _jpeg,
}


class Device:
    """In place of cv2.VideoCapture: a webcam that knows some formats and one size."""

    def __init__(self, formats: tuple[str, ...] = ("YUYV", "MJPG"), size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
        self.formats, self.size = formats, size
        self.format = formats[0]
        self.controls: dict[int, float] = {}
        self.content: np.ndarray | None = None
        self.frames = 1_000_000
        self.is_open, self.released, self.stamp_ms = True, 0, 0.0
        self.opened_as: tuple[str, int] | None = None
        self.settings: dict[int, float] = {}

    def __call__(self, path: str, backend: int) -> "Device":
        self.opened_as = path, backend
        return self

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self.is_open

    def set(self, key: int, value: float) -> bool:
        self.settings[key] = value
        if key == cv2.CAP_PROP_FOURCC:
            name = int(value).to_bytes(4, "little").decode()
            if name not in self.formats:
                return False
            self.format = name
        if key in self.controls:
            self.controls[key] = value
        return (
            key not in {cv2.CAP_PROP_AUTO_EXPOSURE, cv2.CAP_PROP_EXPOSURE, cv2.CAP_PROP_AUTOFOCUS}
            or key in self.controls
        )

    def get(self, key: int) -> float:
        known = {
            cv2.CAP_PROP_FRAME_WIDTH: self.size[0],
            cv2.CAP_PROP_FRAME_HEIGHT: self.size[1],
            cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*self.format),
            cv2.CAP_PROP_FPS: 30.0,
            cv2.CAP_PROP_POS_MSEC: self.stamp_ms,
        }
        return {**known, **self.controls}.get(key, -1.0)

    def grab(self) -> bool:
        self.frames -= 1
        return self.frames >= 0

    def retrieve(self) -> tuple[bool, np.ndarray]:
        assert self.settings[cv2.CAP_PROP_CONVERT_RGB] == 0
        content = FRAMES[self.format]() if self.content is None else self.content
        return True, content.reshape(1, -1)

    def release(self) -> None:
        self.released += 1


def _open(device: Device, **options: Any) -> WebcamCamera:
    return WebcamCamera(DEVICE, CameraOptions(width=WIDTH, height=HEIGHT, **options), device, lambda _: "HD Webcam")


@pytest.mark.parametrize("name", FRAMES)
def test_brightness_and_colours_of_each_format(name: str) -> None:
    camera = _open(Device(formats=(name,)))

    frame = camera.grab()

    assert frame is not None
    tolerance = JPEG_TOLERANCE if name == "MJPG" else 0
    assert np.abs(frame.gray.astype(int) - SCENE).max() <= tolerance
    rgb = frame.read_rgb()
    assert rgb.shape == (HEIGHT, WIDTH, 3)
    assert (np.ptp(rgb.astype(int), axis=2) <= 2).all(), "gray is gray"
    frame.release()
    camera.close()
    assert camera.description == f"/dev/video7 (HD Webcam), 64x48 {name}, 30 fps"


def test_rows_may_be_padded() -> None:
    device = Device()
    device.content = _packed(0, padding=32)

    frame = _open(device).grab()

    assert frame is not None
    assert (frame.gray == SCENE).all()


def test_it_may_be_as_slow_as_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", raising=False)

    _open(Device(), fps=0.3)

    assert os.environ["OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"] == "10"


def test_it_is_set_up_for_few_buffers_and_a_short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", raising=False)
    device = Device()

    _open(device, fps=15)

    assert device.opened_as == ("/dev/video7", cv2.CAP_V4L2)
    assert device.settings[cv2.CAP_PROP_BUFFERSIZE] == 2
    assert device.settings[cv2.CAP_PROP_FPS] == 15
    assert (device.settings[cv2.CAP_PROP_FRAME_WIDTH], device.settings[cv2.CAP_PROP_FRAME_HEIGHT]) == (WIDTH, HEIGHT)
    assert os.environ["OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"] == "3"


@pytest.mark.parametrize(("size", "expected"), [((640, 480), "YUYV"), ((1280, 720), "MJPG")])
def test_large_frames_come_compressed(size: tuple[int, int], expected: str) -> None:
    device = Device(size=size)
    device.content = np.zeros(0, np.uint8)

    with pytest.raises(CameraError):
        WebcamCamera(DEVICE, CameraOptions(*size), device, lambda _: "x")

    assert device.format == expected


def test_another_size_is_used_and_said() -> None:
    camera = WebcamCamera(DEVICE, CameraOptions(width=640, height=480), Device(), lambda _: "x")

    frame = camera.grab()

    assert frame is not None
    assert frame.gray.shape == (HEIGHT, WIDTH)
    assert "64x48" in camera.description


def test_a_webcam_that_stops_is_an_error() -> None:
    device = Device()
    camera = _open(device)
    device.frames = 1
    camera.grab()
    camera.grab()

    with pytest.raises(CameraError, match="/dev/video7: no frame within 3 s"):
        camera.grab()

    camera.close()
    assert device.released == 1


def test_a_size_that_changes_is_an_error() -> None:
    device = Device()
    camera = _open(device)
    camera.grab()
    device.size = (32, 24)

    with pytest.raises(CameraError, match="changed from 64x48 to 32x24"):
        camera.grab()


def test_a_frame_that_does_not_come_is_no_other_size() -> None:
    device = Device()
    camera = _open(device)
    camera.grab()
    device.retrieve = lambda: (False, np.zeros(0, np.uint8))

    with pytest.raises(CameraError, match="a frame was announced but did not arrive"):
        camera.grab()


def test_a_torn_frame_is_an_error() -> None:
    device = Device()
    camera = _open(device)
    camera.grab()
    device.content = np.zeros(1000, np.uint8)

    with pytest.raises(CameraError, match="a frame of 1000 bytes, expected 48 rows of at least 128"):
        camera.grab()


def test_damaged_pictures_are_left_out_until_there_are_too_many() -> None:
    device = Device(formats=("MJPG",))
    camera = _open(device)
    camera.grab()
    device.content = np.zeros(1000, np.uint8)
    device.frames = 100

    with pytest.raises(CameraError, match="10 frames in a row were damaged"):
        camera.grab()

    assert device.frames == 100 - MOST_DAMAGED


def test_an_unknown_format_is_refused() -> None:
    device = Device(formats=("BA81",))

    with pytest.raises(CameraUnsupportedError, match="format 'BA81', expected one of MJPG"):
        _open(device)

    assert device.released == 1


def test_no_frames_at_opening_closes_the_device() -> None:
    device = Device()
    device.frames = 0

    with pytest.raises(CameraError, match="no frame within 3 s"):
        _open(device)

    assert device.released == 1


def test_a_device_that_another_program_has() -> None:
    device = Device()
    device.is_open = False

    with pytest.raises(CameraError, match="another program uses it: `fuser -v /dev/video7`"):
        _open(device)


def test_what_opencv_cannot_open_is_said_once_and_by_us(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CameraError, match="cannot start capturing"):
        WebcamCamera(Path("/dev/null"), CameraOptions(), query=lambda _: "x")

    assert capfd.readouterr() == ("", "")


def test_exposure_and_autofocus_are_set() -> None:
    device = Device()
    device.controls = dict.fromkeys((cv2.CAP_PROP_AUTO_EXPOSURE, cv2.CAP_PROP_EXPOSURE, cv2.CAP_PROP_AUTOFOCUS), 3.0)

    _open(device, exposure_us=5000, focus="auto")

    assert list(device.controls.values()) == [1, 50, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"exposure_us": 5000}, "has no manual exposure"),
        ({"focus": "auto"}, "has no continuous autofocus"),
        ({"focus": 2.0}, "focus has no standard unit"),
        ({"gain": 2.0}, "gain has no standard unit"),
    ],
    ids=["exposure", "autofocus", "distance", "gain"],
)
def test_what_a_webcam_has_not_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(CameraUnsupportedError, match=message):
        _open(Device(), **options)


def test_frames_are_turned() -> None:
    frame = _open(Device(), rotation=90, hflip=True).grab()

    assert frame is not None
    assert (frame.gray == np.rot90(SCENE[:, ::-1], -1)).all()
    assert frame.read_rgb().shape == (WIDTH, HEIGHT, 3)


NOT_CAMERAS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda _: None, "no such device"),
    "a file": (lambda path: path.write_text("x"), "not a video device"),
    "a folder": (lambda path: path.mkdir(), "not a video device"),
    "another device": (lambda path: path.symlink_to("/dev/null"), "not a video device"),
}


@pytest.mark.parametrize(("make", "message"), NOT_CAMERAS.values(), ids=NOT_CAMERAS)
def test_what_is_no_camera_is_said_before_opencv_tries(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / "video0"
    make(path)
    gc.collect()
    before = len(list(Path("/proc/self/fd").iterdir()))

    for _ in range(50):
        with pytest.raises(CameraError, match=message):
            query_name(path)

    gc.collect()
    # Fewer where another test's threads end meanwhile.
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (13, "sudo usermod -aG video"),
        (16, "another program uses it"),
        (19, "no such device"),
        (5, "cannot be opened"),
    ],
    ids=["permission", "busy", "unplugged", "broken"],
)
def test_each_trouble_with_a_device_has_its_sentence(
    monkeypatch: pytest.MonkeyPatch, number: int, message: str
) -> None:
    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("edge_mnist.edge.cameras.v4l2.os.open", fail)

    with pytest.raises(CameraError, match=message) as caught:
        query_name(DEVICE)

    assert not isinstance(caught.value, CameraUnsupportedError), "it may be mended while we wait"


@pytest.mark.parametrize(("device_caps", "is_camera"), [(0x0420_0001, True), (0x04A0_0000, False)])
def test_a_device_says_whether_it_captures(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, device_caps: int, is_camera: bool
) -> None:
    def answer(_: int, request: int, buffer: bytearray) -> int:
        assert request == 0x80685600
        buffer[:] = CAPABILITY.pack(b"uvcvideo", b"HD\nWebcam\x1b", b"usb-1", 0x60600, 0x84A0_0001, device_caps)
        return 0

    (tmp_path / "video0").touch()
    monkeypatch.setattr("edge_mnist.edge.cameras.v4l2.fcntl.ioctl", answer)

    if is_camera:
        assert query_name(tmp_path / "video0") == "HD Webcam"
    else:
        with pytest.raises(CameraUnsupportedError, match=r"HD Webcam\): this device delivers no frames"):
            query_name(tmp_path / "video0")


def test_webcams_are_found_by_number_without_what_else_a_pi_has(tmp_path: Path) -> None:
    devices = [
        ("video0", "unicam", "0"),
        ("video1", "HD Webcam", "1"),
        ("video10", "bcm2835-codec-decode", "0"),
        ("video11", "\x1b]0;Other\aWebcam\u202e", "0"),
        ("video2", "HD Webcam", "0"),
        ("video3", "unplugged", "0"),
    ]
    (tmp_path / "dev").mkdir()
    for device, name, index in devices:
        folder = tmp_path / "sys/class/video4linux" / device
        folder.mkdir(parents=True)
        (folder / "name").write_text(f"{name}\n")
        (folder / "index").write_text(f"{index}\n")
        if name != "unplugged":
            (tmp_path / "dev" / device).touch()

    found = list_webcams(tmp_path)

    assert [(device.path.name, device.name) for device in found] == [
        ("video2", "HD Webcam"),
        ("video11", "]0;Other Webcam"),
    ]
