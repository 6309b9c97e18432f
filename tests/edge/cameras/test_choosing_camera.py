"""Which camera a source stands for, and which it cannot."""

import importlib.util
import platform
import sys
from pathlib import Path

import pytest
from PIL import Image

from edge_mnist.edge.cameras import factory as choose
from edge_mnist.edge.cameras.camera import CameraError, CameraOptions, CameraUnsupportedError
from edge_mnist.edge.cameras.factory import (
    FoundCamera,
    check_source,
    choose_source,
    find_cameras,
    open_camera,
    redact_source,
)
from tests.conftest import python_process

REFUSED = {
    "rtmp://camera/stream": "rtmp: streams of this kind are not supported. Expected auto",
    "rtsp://host:port/": "expected a host name or IP address",
    "missing.mp4": "'missing.mp4': no such file or folder. Expected auto",
    "x" * 300: "cannot be accessed",
    "picture.png": "a single picture cannot be used as a camera",
    "v4l2:": "no such file or folder",
    "picamera2:x": "no such file or folder",
    "http://": "Expected a stream's address",
    "http://host:port/": "expected a host name or IP address",
    "https://host/a b": "expected a stream's address",
    "": "'': no such file or folder",
}


@pytest.mark.parametrize(("source", "message"), REFUSED.items(), ids=[name[:20] for name in REFUSED])
def test_what_can_never_work_is_refused_by_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("L", (9, 9)).save("picture.png")

    with pytest.raises(CameraUnsupportedError, match=message):
        check_source(source)
    with pytest.raises(CameraUnsupportedError, match=message):
        open_camera(source, CameraOptions())


@pytest.mark.parametrize(
    "source", ["auto", "0", "v4l2:0", "/dev/video3", "v4l2:/dev/video3", "http://user:word@host:8080/x?y=1", "."]
)
def test_what_may_work_is_not_refused_beforehand(source: str) -> None:
    check_source(source)


@pytest.mark.parametrize("source", ["987", "v4l2:987", "/dev/video987", "v4l2:/dev/video987"])
def test_a_webcam_is_named_by_its_number_or_its_device(source: str) -> None:
    with pytest.raises(CameraError, match="/dev/video987: no such device"):
        open_camera(source, CameraOptions())


def test_a_webcam_is_named_by_a_link_that_stays() -> None:
    with pytest.raises(CameraError, match="/dev/v4l/by-id/usb-x: no such device"):
        open_camera("/dev/v4l/by-id/usb-x", CameraOptions())


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("folder", CameraOptions(focus="auto"), "the focus of a folder of pictures cannot be set"),
        ("folder", CameraOptions(exposure_us=9), "the exposure of a folder of pictures cannot be set"),
        ("clip.avi", CameraOptions(gain=2.0), "the gain of a video file cannot be set"),
        ("http://host/", CameraOptions(loop=True), "the loop of a stream cannot be set"),
        ("rtsp://host/", CameraOptions(gain=2.0), "the gain of a stream cannot be set"),
        ("v4l2:0", CameraOptions(fps=0), r"0 frames per second .* works only for files"),
    ],
)
def test_an_option_that_a_camera_has_not_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, options: CameraOptions, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("clip.avi").touch()

    with pytest.raises(CameraUnsupportedError, match=message):
        open_camera(source, options)


@pytest.mark.parametrize(
    ("processor", "end"),
    [("aarch64", r"stream's address\. For .*picamera2 cannot be used.*python3-picamera2"), ("x86_64", r"address\.")],
)
def test_auto_says_what_it_looked_for(processor: str, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "find_cameras", list)
    monkeypatch.setattr(platform, "machine", lambda: processor)
    monkeypatch.setitem(sys.modules, "picamera2", None)

    with pytest.raises(CameraError, match=rf"no camera found.*at /dev/video\*.*{end}$"):
        open_camera("auto", CameraOptions())


def test_auto_takes_the_first_that_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [FoundCamera("v4l2", "v4l2:/dev/video2", "HD Webcam"), FoundCamera("v4l2", "v4l2:/dev/video4", "Other")]
    monkeypatch.setattr(choose, "find_cameras", lambda: found)

    assert choose_source("auto") == "v4l2:/dev/video2"
    assert choose_source("clip.avi") == "clip.avi"


def test_passwords_are_not_shown() -> None:
    assert redact_source("http://user:secret@host:81/a.mjpg?pwd=secret") == "http://host:81/a.mjpg"
    assert redact_source("rtsp://user:secret@host/a?pwd=secret") == "rtsp://host/a"
    assert redact_source("https://[::1]/") == "https://[::1]/"
    assert redact_source("auto") == "auto"


def test_webcams_are_found_below_a_root(tmp_path: Path) -> None:
    folder = tmp_path / "sys/class/video4linux/video3"
    folder.mkdir(parents=True)
    (folder / "name").write_text("HD Webcam\n")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/video3").touch()

    found = [camera for camera in find_cameras(tmp_path) if camera.kind == "v4l2"]

    assert found == [FoundCamera("v4l2", f"v4l2:{tmp_path}/dev/video3", "HD Webcam")]


@pytest.mark.skipif(importlib.util.find_spec("picamera2") is not None, reason="picamera2 is installed here")
def test_choosing_loads_no_camera_library() -> None:
    code = "import sys, edge_mnist.edge.cameras.factory; sys.exit(bool({'picamera2', 'libcamera'} & set(sys.modules)))"

    assert python_process(code).returncode == 0
