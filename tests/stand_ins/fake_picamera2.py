"""A stand-in for picamera2 0.3.38 and libcamera: the parts that are used here, with their buffers and pitfalls."""

import mmap
import os
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

CONTROLS = {
    "ExposureTime": (26, 220_000, 20_000),
    "AnalogueGain": (1.0, 16.0, 1.0),
    "AfMode": (0, 2, 0),
    "LensPosition": (0.0, 32.0, 1.0),
    "FrameDurationLimits": (8_333, 1_000_000, 33_333),
}
SENSOR = {
    "Model": "imx708",
    "Location": 2,
    "Rotation": 180,
    "Id": "/base/axi/pcie@120000/rp1/i2c@88000/imx708@1a",
    "Num": 0,
}
WEBCAM = {"Model": "HD Webcam", "Id": "/base/axi/pcie@120000/rp1/usb@200000-1:1.0-046d:0825", "Num": 1}


@dataclass
class Behaviour:
    """What the hardware does, set by tests, and what was done to it.

    Attributes:
        found: As global_camera_info lists them.
        adjust: Changes an agreed configuration, as libcamera does in silence.
        controls: As camera_controls says.
        hangs: Whether no frame comes any more.
        busy: Whether another program has the camera.
        fails: Names of methods that raise RuntimeError.
        drift: Changes the stream configurations of a request, after the camera was started.
        age_s: Of frames when they are handed out.
        log: Names of methods that were called, in order.
    """

    found: list[dict[str, Any]] = field(default_factory=lambda: [SENSOR, WEBCAM])
    adjust: Any = None
    controls: dict[str, tuple[float, float, float]] = field(default_factory=lambda: dict(CONTROLS))
    hangs: bool = False
    busy: bool = False
    fails: frozenset[str] = frozenset()
    drift: Any = None
    age_s: float = 0.005
    set_controls: dict[str, Any] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    cameras: list[Any] = field(default_factory=list)

    def note(self, name: str) -> None:
        self.log.append(name)
        if name in self.fails:
            raise RuntimeError(f"{name} failed")


@dataclass(frozen=True)
class Transform:
    hflip: int = 0
    vflip: int = 0
    transpose: int = 0


class Allocator:
    """As DmaAllocator: it stops at the first mapping that it cannot close, and then keeps its descriptors."""

    def __init__(self) -> None:
        self.mapped_buffers: dict[int, mmap.mmap] = {}
        self.open_fds: list[int] = []

    def allocate(self, name: int, size: int) -> mmap.mmap:
        descriptor = os.memfd_create("frame")
        os.ftruncate(descriptor, size)
        self.open_fds.append(descriptor)
        self.mapped_buffers[name] = mmap.mmap(descriptor, size)
        return self.mapped_buffers[name]

    def close(self) -> None:
        for mapping in self.mapped_buffers.values():
            mapping.close()
        self.mapped_buffers.clear()
        for descriptor in self.open_fds:
            os.close(descriptor)
        self.open_fds = []

    def __del__(self) -> None:
        self.close()


def make_scene(width: int, height: int) -> np.ndarray:
    """What there is to see: lighter to the right, and lighter still below."""
    return np.add.outer(3 * np.arange(height), np.arange(width)).astype(np.uint8)


def paint(stream: dict[str, Any], number: int, transform: Transform) -> np.ndarray:
    """A stream's buffer: brightness is the scene plus the frame's number; padding beside it is 255, colour is red."""
    (width, height), stride = stream["size"], stream["stride"]
    rows = np.full((max(1, stream["framesize"] // stride), stride), 255, np.uint8)
    if len(rows) < height:
        return rows.reshape(-1)[: stream["framesize"]]
    if stream["format"] in {"YUV420", "NV12"}:
        flipped = [axis for axis, flips in ((0, transform.vflip), (1, transform.hflip)) if flips]
        rows[:height, :width] = np.flip(make_scene(width, height), flipped) + number
        rows[height:] = 128
    else:
        # The names are of numbers: the last letter's byte comes first in memory.
        channels = stream["format"].rstrip("0123456789")[::-1]
        colour = [{"R": 200, "G": 100, "B": 50, "X": 0}[letter] for letter in channels]
        rows[:, : width * len(colour)] = np.tile(np.array(colour, np.uint8), width)
    return rows.reshape(-1)


class Request:
    def __init__(self, camera: "Picamera2", number: int) -> None:
        self.camera, self.number = camera, number
        self.config = {name: dict(camera.config[name]) for name in ("main", "lores")}
        if camera.behaviour.drift:
            camera.behaviour.drift(self.config)
        self.released = 0

    def get_metadata(self) -> dict[str, Any]:
        age_ns = round(self.camera.behaviour.age_s * 1e9)
        return {"SensorTimestamp": time.clock_gettime_ns(time.CLOCK_BOOTTIME) - age_ns}

    def make_array(self, name: str) -> np.ndarray:
        assert not self.released
        stream = self.config[name]
        (width, height), stride = stream["size"], stream["stride"]
        content = paint(stream, self.number, self.camera.config["transform"])
        if stream["format"] == "YUV420":
            return content.reshape(height * 3 // 2, stride)
        if stream["format"] == "NV12":
            return np.ascontiguousarray(content.reshape(height * 3 // 2, stride)[:, :width])
        channels = len(stream["format"].rstrip("0123456789"))
        return np.ascontiguousarray(content.reshape(height, stride)[:, : channels * width]).reshape(
            height, width, channels
        )

    def release(self) -> None:
        self.released += 1
        assert self.released == 1, "released twice"
        self.camera.free.append(self.number % len(self.camera.buffers))


class MappedArray:
    def __init__(self, request: Request, stream: str, reshape: bool = True, write: bool = True) -> None:
        assert (stream, reshape, write) == ("lores", False, False)
        self.request = request

    def __enter__(self) -> "MappedArray":
        camera = self.request.camera
        self.array = np.frombuffer(camera.buffers[self.request.number % len(camera.buffers)], np.uint8)
        return self

    def __exit__(self, *_: object) -> None:
        assert not self.request.released, "unmapped after its request was given back"
        del self.array


class Picamera2:
    """Bound to a behaviour by `make_modules`."""

    behaviour: Behaviour

    @classmethod
    def global_camera_info(cls) -> list[dict[str, Any]]:
        cls.behaviour.note("global_camera_info")
        return cls.behaviour.found

    def __init__(self, camera_num: int = 0) -> None:
        notifyme_r, self.notifyme_w = os.pipe2(os.O_NONBLOCK)
        self.notifymeread = os.fdopen(notifyme_r, "rb")
        self.is_open = False
        if self.behaviour.busy:
            try:
                raise RuntimeError("Failed to acquire camera: Device or resource busy")
            except RuntimeError as error:
                raise RuntimeError("Camera __init__ sequence did not complete.") from error
        self.behaviour.cameras.append(self)
        self.behaviour.note("__init__")
        self.is_open = True
        self.camera_properties = {"Model": self.behaviour.found[camera_num]["Model"]}
        self.allocator = Allocator()
        self.buffers: list[mmap.mmap] = []
        self.controls: dict[str, Any] = {}
        self.number = -1
        self.started = False
        self.config: dict[str, Any] = {}

    @property
    def camera_controls(self) -> dict[str, tuple[float, float, float]]:
        return self.behaviour.controls

    def create_preview_configuration(
        self, main: Any, lores: Any, raw: Any, transform: Any, buffer_count: int, display: Any, encode: Any
    ) -> dict[str, Any]:
        assert raw is display is encode is None
        return {"main": dict(main), "lores": dict(lores), "transform": transform, "buffer_count": buffer_count}

    def configure(self, config: dict[str, Any]) -> None:
        self.behaviour.note("configure")
        for stream in (config["main"], config["lores"]):
            width, height = stream["size"] = tuple(side - side % 2 for side in stream["size"])
            planar = stream["format"] in {"YUV420", "NV12"}
            row_bytes = width if planar else width * len(stream["format"].rstrip("0123456789"))
            # The hardware's rows are multiples of 64 bytes.
            stream["stride"] = -(-row_bytes // 64) * 64
            stream["framesize"] = stream["stride"] * (height * 3 // 2 if planar else height)
        if self.behaviour.adjust:
            self.behaviour.adjust(config)
        self.config = config
        lores = config["lores"]
        self.buffers = [self.allocator.allocate(i, lores["framesize"]) for i in range(config["buffer_count"])]
        self.free = list(range(config["buffer_count"]))

    def camera_configuration(self) -> dict[str, Any]:
        return self.config

    def set_controls(self, controls: dict[str, Any]) -> None:
        for name in controls:
            if name not in self.behaviour.controls:
                raise RuntimeError(f"Control {name} is not advertised by libcamera")
        self.behaviour.set_controls.update(controls)

    def start(self) -> None:
        self.behaviour.note("start")
        self.started = True

    def capture_request(self, wait: float) -> Request:
        self.behaviour.note("capture_request")
        if self.behaviour.hangs or not self.free:
            # The real one waits on a future, so that is what times out.
            Future().result(timeout=min(wait, 0.02))
        self.number += 1
        self.free.remove(self.number % len(self.buffers))
        request = Request(self, self.number)
        buffer = np.frombuffer(self.buffers[self.number % len(self.buffers)], np.uint8)
        content = paint(self.config["lores"], self.number, self.config["transform"])
        buffer[: len(content)] = content
        return request

    def cancel_all_and_flush(self) -> None:
        self.behaviour.note("cancel_all_and_flush")

    def close(self) -> None:
        if not self.is_open:
            return
        self.behaviour.note("close")
        self.is_open = self.started = False
        self.notifymeread.close()
        os.close(self.notifyme_w)
        del self.allocator
        del self.buffers


def make_modules(behaviour: Behaviour) -> tuple[Any, Any]:
    """The modules picamera2 and libcamera, for `sys.modules`."""
    bound = type("Picamera2", (Picamera2,), {"behaviour": behaviour})
    return SimpleNamespace(Picamera2=bound, MappedArray=MappedArray), SimpleNamespace(Transform=Transform)
