"""A Raspberry Pi's camera: read in place, as libcamera settled for, and nothing hangs or leaks."""

import gc
import importlib.util
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_mnist.edge.cameras.camera import CameraError, CameraOptions, CameraUnsupportedError
from edge_mnist.edge.cameras.factory import check_source, find_cameras, open_camera
from edge_mnist.edge.cameras.picamera.camera import PicameraCamera
from tests.stand_ins.fake_picamera2 import WEBCAM, Behaviour, Transform, make_modules, make_scene

SMALL = CameraOptions(width=100, height=60)
SCENE = make_scene(100, 60)


@pytest.fixture
def behaviour(monkeypatch: pytest.MonkeyPatch) -> Behaviour:
    behaviour = Behaviour()
    picamera2, libcamera = make_modules(behaviour)
    monkeypatch.setitem(sys.modules, "picamera2", picamera2)
    monkeypatch.setitem(sys.modules, "libcamera", libcamera)
    return behaviour


def _descriptors() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def test_brightness_is_the_buffer_itself_without_its_padding(behaviour: Behaviour) -> None:
    camera = PicameraCamera(0, SMALL)

    frame = camera.grab()

    assert frame is not None
    assert frame.gray.strides == (128, 1), "rows lie as far apart as in the buffer"
    assert (frame.gray == SCENE).all()
    buffer = np.frombuffer(behaviour.cameras[0].buffers[0], np.uint8)
    assert np.shares_memory(frame.gray, buffer)
    frame.release()
    assert behaviour.cameras[0].free == [1, 2, 3, 0], "the request went back"
    assert camera.description == "picamera2:0 (imx708), 100x60 YUV420"
    del frame, buffer
    camera.close()


@pytest.mark.usefixtures("behaviour")
def test_frames_come_for_longer_than_there_are_buffers() -> None:
    camera = PicameraCamera(0, SMALL)

    for number in range(20):
        frame = camera.grab()
        assert frame is not None
        assert frame.gray[0, 0] == number
        frame.release()

    camera.close()


@pytest.mark.parametrize("pixels", ["BGR888", "RGB888", "XBGR8888", "XRGB8888"])
def test_red_is_red_in_every_order_of_bytes(behaviour: Behaviour, pixels: str) -> None:
    def adjust(config: dict[str, Any]) -> None:
        channels = len(pixels.rstrip("08"))
        config["main"].update(format=pixels, stride=512, framesize=512 * 60)
        assert 100 * channels <= 512

    behaviour.adjust = adjust
    camera = PicameraCamera(0, SMALL)
    frame = camera.grab()
    assert frame is not None

    rgb = frame.read_rgb()

    assert rgb.shape == (60, 100, 3)
    assert (rgb == (200, 100, 50)).all()
    frame.release()
    with pytest.raises(CameraError, match="colours are no longer available"):
        frame.read_rgb()
    camera.close()


@pytest.mark.parametrize("pixels", ["NV12", "YUV420"])
def test_a_camera_that_knows_only_planes_is_read_and_shown(behaviour: Behaviour, pixels: str) -> None:
    def adjust(config: dict[str, Any]) -> None:
        for name in ("main", "lores"):
            config[name].update(format=pixels, stride=128, framesize=128 * 90)

    behaviour.adjust = adjust
    camera = PicameraCamera(0, SMALL)
    frame = camera.grab()
    assert frame is not None

    rgb = frame.read_rgb()

    assert (frame.gray == SCENE).all()
    assert pixels in camera.description
    assert rgb.shape == (60, 100, 3)
    assert (np.ptp(rgb, axis=2) <= 2).all(), "without colour, gray"
    assert np.corrcoef(rgb[..., 0].ravel(), SCENE.ravel())[0, 1] > 0.99
    frame.release()
    camera.close()


@pytest.mark.usefixtures("behaviour")
def test_another_size_is_used_and_said() -> None:
    camera = PicameraCamera(0, CameraOptions(width=101, height=61))
    frame = camera.grab()
    assert frame is not None

    assert frame.gray.shape == (60, 100)
    assert "100x60" in camera.description
    frame.release()
    camera.close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "MJPEG"}, "format MJPEG, expected one of NV12"),
        ({"stride": 64}, "rows of 64 bytes for 100x60 pixels"),
        ({"stride": 4096}, "a buffer of 11520 bytes, expected at least 245760 for 60 rows of 4096"),
    ],
    ids=["format", "stride too short", "stride beyond the buffer"],
)
def test_what_cannot_be_is_an_error(behaviour: Behaviour, change: dict[str, Any], message: str) -> None:
    before = _descriptors()
    behaviour.adjust = lambda config: config["lores"].update(change)

    with pytest.raises(CameraError, match=message):  # noqa: PT012 - it shows at opening, or with a frame
        camera = PicameraCamera(0, SMALL)
        try:
            camera.grab()
        finally:
            camera.close()

    assert behaviour.log[-1] == "close"
    behaviour.cameras.clear()
    assert _descriptors() == before


def test_a_format_that_changes_in_the_run_is_noticed(behaviour: Behaviour) -> None:
    camera = PicameraCamera(0, SMALL)
    behaviour.drift = lambda config: config["lores"].update(size=(64, 48))

    with pytest.raises(CameraError, match=r"now delivers .*, expected"):
        camera.grab()

    assert len(behaviour.cameras[0].free) == 4, "its request went back"
    camera.close()


def test_a_camera_that_hangs_raises_and_can_be_closed(behaviour: Behaviour) -> None:
    camera = PicameraCamera(0, SMALL)
    behaviour.hangs = True

    with pytest.raises(CameraError, match=r"picamera2:0: no frame within 3 s"):
        camera.grab()

    camera.close()
    camera.close()
    assert behaviour.log[-2:] == ["cancel_all_and_flush", "close"]
    with pytest.raises(CameraError, match="closed"):
        camera.grab()


def test_frames_that_are_still_held_cost_nothing_for_ever(behaviour: Behaviour) -> None:
    """A traceback, say, may refer to pixels while the camera closes: they stay readable, and no descriptor stays."""
    before = _descriptors()
    camera = PicameraCamera(0, SMALL)
    kept, released = camera.grab(), camera.grab()
    assert kept is not None
    assert released is not None
    released.release()

    camera.close()

    del camera
    behaviour.cameras.clear()
    assert _descriptors() <= before + 4, "the mappings of the four buffers at most"
    assert kept.gray[0, 5] == 5
    kept.release()
    del kept, released
    assert _descriptors() == before


@pytest.mark.parametrize("step", ["configure", "start", "capture_request"])
def test_whatever_fails_the_camera_is_closed(behaviour: Behaviour, step: str) -> None:
    behaviour.fails = frozenset({step})
    before = _descriptors()

    with pytest.raises(CameraError, match=f"picamera2:0: .*{step} failed"):  # noqa: PT012 - where it shows depends
        camera = PicameraCamera(0, SMALL)
        try:
            camera.grab()
        finally:
            camera.close()

    assert behaviour.log[-1] == "close"
    behaviour.cameras.clear()
    assert _descriptors() == before


def test_a_busy_camera_says_so_and_leaves_no_pipe_open(behaviour: Behaviour) -> None:
    behaviour.busy = True
    before = _descriptors()

    for _ in range(50):
        with pytest.raises(CameraError, match=r"busy.*Another program uses it") as caught:
            PicameraCamera(0, SMALL)
        assert not isinstance(caught.value, CameraUnsupportedError), "it may be free later"

    del caught
    assert _descriptors() == before


def test_opening_and_closing_leaves_no_descriptor(behaviour: Behaviour) -> None:
    before = _descriptors()

    for _ in range(50):
        camera = PicameraCamera(0, SMALL)
        frame = camera.grab()
        assert frame is not None
        frame.release()
        del frame
        camera.close()

    del camera
    behaviour.cameras.clear()
    assert _descriptors() == before


@pytest.mark.usefixtures("behaviour")
@pytest.mark.parametrize("number", [1, 5])
def test_a_number_beyond_the_cameras_is_refused_by_their_names(number: int) -> None:
    """The second one listed is a webcam, of which libcamera gives a single stream."""
    with pytest.raises(CameraError, match=rf"picamera2:{number}: 1 camera found \(imx708\)"):
        open_camera(f"picamera2:{number}", SMALL)


def test_options_become_controls(behaviour: Behaviour) -> None:
    options = CameraOptions(width=100, height=60, fps=25, exposure_us=10_000, gain=2.5, focus=3.0)

    PicameraCamera(0, options).close()

    assert behaviour.set_controls == {
        "ExposureTime": 10_000,
        "AnalogueGain": 2.5,
        "AfMode": 0,
        "LensPosition": 3.0,
        "FrameDurationLimits": (40_000, 40_000),
    }


def test_autofocus_and_a_long_exposure(behaviour: Behaviour) -> None:
    PicameraCamera(0, CameraOptions(focus="auto", exposure_us=200_000)).close()

    assert behaviour.set_controls == {"ExposureTime": 200_000, "AfMode": 2, "FrameDurationLimits": (100, 200_000)}


@pytest.mark.parametrize(
    ("options", "missing", "message"),
    [
        (CameraOptions(exposure_us=10), "", "takes an exposure in microseconds from 26 to 220000, got 10"),
        (CameraOptions(gain=40), "", "takes a gain from 1 to 16, got 40"),
        (CameraOptions(focus=2.0), "AfMode", "has no control AfMode"),
        (CameraOptions(fps=500), "", "supports 1 to 120.005 frames per second at this size, got 500"),
        (CameraOptions(fps=30), "FrameDurationLimits", "frame rate cannot be set"),
        (CameraOptions(fps=30, exposure_us=50_000), "", "is longer than a frame"),
    ],
    ids=["exposure", "gain", "focus", "rate", "no rate", "exposure and rate"],
)
def test_what_the_camera_cannot_do_is_refused(
    behaviour: Behaviour, options: CameraOptions, missing: str, message: str
) -> None:
    behaviour.controls.pop(missing, None)
    before = _descriptors()

    with pytest.raises(CameraUnsupportedError, match=message):
        PicameraCamera(0, options)

    behaviour.cameras.clear()
    assert _descriptors() == before


@pytest.mark.parametrize("can_flip", [True, False], ids=["camera flips", "we flip"])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("hflip", [False, True])
@pytest.mark.parametrize("vflip", [False, True])
def test_frames_are_turned_alike_whoever_does_it(
    behaviour: Behaviour, can_flip: bool, rotation: Any, hflip: bool, vflip: bool
) -> None:
    if not can_flip:
        behaviour.adjust = lambda config: config.update(transform=Transform())
    camera = PicameraCamera(0, CameraOptions(width=100, height=60, rotation=rotation, hflip=hflip, vflip=vflip))

    frame = camera.grab()

    assert frame is not None
    expected = SCENE[:: -1 if vflip else 1, :: -1 if hflip else 1]
    assert (frame.gray == np.rot90(expected, -rotation // 90)).all()
    assert frame.gray.strides[1] == 1
    assert frame.read_rgb().shape[:2] == frame.gray.shape
    assert ("60x100" in camera.description) == (rotation in {90, 270})
    frame.release()
    camera.close()


@pytest.mark.parametrize(("age_s", "expected_s"), [(0.4, 0.4), (-5.0, 0.0), (500.0, 0.0)])
def test_the_time_is_the_sensors_where_it_can_be(behaviour: Behaviour, age_s: float, expected_s: float) -> None:
    behaviour.age_s = age_s
    camera = PicameraCamera(0, SMALL)
    earliest_s = time.monotonic() - expected_s

    frame = camera.grab()

    assert frame is not None
    assert earliest_s <= frame.captured_s <= time.monotonic() - expected_s
    frame.release()
    camera.close()


def test_without_picamera2_a_virtual_environment_is_told_how(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    (tmp_path / "pyvenv.cfg").write_text("include-system-site-packages = false\n")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))

    with pytest.raises(CameraUnsupportedError, match=r"in this virtual environment.*pi-setup --yes`") as without:
        open_camera("picamera2", SMALL)
    (tmp_path / "pyvenv.cfg").write_text("include-system-site-packages = true\n")
    with pytest.raises(
        CameraUnsupportedError, match="Install it: sudo apt install -y python3-picamera2"
    ) as with_system:
        open_camera("picamera2", SMALL)
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    with pytest.raises(CameraUnsupportedError, match="Install it: sudo apt install"):
        open_camera("picamera2", SMALL)

    assert "sudo apt install -y python3-picamera2" in str(without.value)
    assert "pi-setup" not in str(with_system.value)


def test_a_picamera2_of_another_numpy_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> None:
        raise ValueError("numpy.dtype size changed, may indicate binary incompatibility")

    monkeypatch.setattr("edge_mnist.edge.cameras.picamera.module._load", fail)

    with pytest.raises(CameraUnsupportedError, match=r"numpy\.dtype size changed.*edge-mnist doctor"):
        open_camera("picamera2", SMALL)


@pytest.mark.skipif(importlib.util.find_spec("picamera2") is not None, reason="picamera2 is installed here")
def test_a_source_that_needs_picamera2_is_refused_before_it_is_opened() -> None:
    with pytest.raises(CameraUnsupportedError, match="picamera2 cannot be used"):
        check_source("picamera2:1")


def test_auto_takes_the_pis_camera_first_and_no_webcam_twice(behaviour: Behaviour, tmp_path: Path) -> None:
    assert [(camera.source, camera.name) for camera in find_cameras(tmp_path)] == [("picamera2:0", "imx708")]

    camera = open_camera("auto", SMALL)

    assert camera.description.startswith("picamera2:0")
    camera.close()
    behaviour.found = [WEBCAM]
    assert find_cameras(tmp_path) == []
