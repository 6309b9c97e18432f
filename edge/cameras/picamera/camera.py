"""A Raspberry Pi's own camera through picamera2: a small stream to read, and one in colour to show."""

import logging
import os
import time
from typing import Any

from ...common.network.time_limits import frame_limit_s
from ..camera import CameraError, CameraFrame, CameraOptions, CameraUnsupportedError, sane_timestamp
from ..orientation import Orientation, choose_orientation
from .buffers import LUMA_FIRST, TO_RGB, BufferLayout, HeldRequest, read_layout, view_luma
from .controls import choose_controls
from .module import PicameraModules, load_picamera2

# One is read, one waits, and two are being filled.
BUFFERS = 4

log = logging.getLogger(__name__)


class PicameraCamera:
    """A camera of libcamera. Brightness is read in the camera's buffer; nothing is copied unless it is rotated."""

    waits = False
    sizes_differ = False

    def __init__(self, number: int, options: CameraOptions) -> None:
        """Open and start the camera.

        Args:
            number: Number among the Raspberry Pi's own cameras, from 0.
            options: Requested settings. The camera flips if it can; quarter turns are copies.

        Raises:
            CameraUnsupportedError: picamera2 is not available here, or the camera does not have a requested option.
            CameraError: There is no such camera now, another program uses it, or it does not accept its configuration.
        """
        self._name = f"picamera2:{number}"
        self._modules = load_picamera2()
        self._limit_s = frame_limit_s(options.fps, options.exposure_us)
        self._held: set[HeldRequest] = set()
        self._camera: Any = _construct(self._modules, number)
        try:
            self._start(choose_orientation(options), options)
            model = self._camera.camera_properties.get("Model", "camera")
        except CameraError as error:
            self.close()
            raise type(error)(f"{self._name}: {error}") from error
        except (RuntimeError, OSError, ValueError) as error:
            self.close()
            raise CameraError(f"{self._name}: cannot be started ({_root_cause(error)}).") from error
        luma = self._luma
        self.description = f"{self._name} ({model}), {self._left.describe(luma.width, luma.height)} {luma.pixels}"

    def grab(self) -> CameraFrame | None:
        """Return the newest frame, or wait for the next one.

        Raises:
            CameraError: No frame arrived in time, see `time_limits.py`, or its format is not the configured one.
        """
        if self._camera is None:
            raise CameraError(f"{self._name}: it is closed.")
        try:
            request = self._camera.capture_request(wait=self._limit_s)
        except TimeoutError as error:
            raise CameraError(
                f"{self._name}: no frame within {self._limit_s:g} s. Check its cable; `dmesg` may show the cause."
            ) from error
        except (RuntimeError, OSError) as error:
            raise CameraError(f"{self._name}: delivers no frame ({_root_cause(error)}).") from error
        held = self._hold(request)
        try:
            return self._make_frame(request, held)
        except BaseException:
            self._release(held)
            raise

    def close(self) -> None:
        """Stop the camera and release all frames; they must no longer be read."""
        camera, self._camera = self._camera, None
        if camera is None:
            return
        for held in tuple(self._held):
            self._release(held)
        _shut(camera)

    def _start(self, orientation: Orientation, options: CameraOptions) -> None:
        camera = self._camera
        size = options.width, options.height
        # The colour space of previews has full range, from 0 to 255, and noise is reduced the quick way.
        camera.configure(
            camera.create_preview_configuration(
                main={"format": "BGR888", "size": size},
                lores={"format": "YUV420", "size": size},
                raw=None,
                transform=self._modules.libcamera.Transform(hflip=orientation.hflip, vflip=orientation.vflip),
                buffer_count=BUFFERS,
                display=None,
                encode=None,
            )
        )
        # libcamera silently changes what it cannot do; its final configuration counts.
        agreed = camera.camera_configuration()
        self._luma, self._colour = read_layout(agreed["lores"]), read_layout(agreed["main"])
        _check_layouts(self._luma, self._colour)
        transform = agreed["transform"]
        if transform.transpose:
            raise CameraError("it rotates frames by 90 degrees, which was not requested.")
        self._left = orientation.after(bool(transform.hflip), bool(transform.vflip))
        camera.set_controls(choose_controls(options, camera.camera_controls))
        camera.start()

    def _hold(self, request: Any) -> HeldRequest:
        mapped_array = self._modules.picamera2.MappedArray
        try:
            held = HeldRequest(request, mapped_array(request, "lores", reshape=False, write=False))
        except (RuntimeError, OSError) as error:
            request.release()
            raise CameraError(f"{self._name}: its buffer cannot be read ({error}).") from error
        self._held.add(held)
        return held

    def _make_frame(self, request: Any, held: HeldRequest) -> CameraFrame:
        layout = read_layout(request.config["lores"])
        if layout != self._luma:
            raise CameraError(f"{self._name}: now delivers {layout}, expected {self._luma}.")
        captured_s = _read_time(request.get_metadata())
        gray = self._left.turn(view_luma(held.array, layout))
        return CameraFrame(
            gray,
            captured_s,
            read_rgb=lambda: self._left.turn(held.read_rgb(self._colour)),
            release=lambda: self._release(held),
        )

    def _release(self, held: HeldRequest) -> None:
        self._held.discard(held)
        held.release()


def _construct(modules: PicameraModules, number: int) -> Any:
    """Open a camera.

    Raises:
        CameraError: There is no camera of this number now, or another program uses it.
    """
    name = f"picamera2:{number}"
    try:
        found = modules.camera_names()
    except RuntimeError as error:
        raise CameraError(f"{name}: libcamera cannot list cameras ({error}).") from error
    if number >= len(found):
        raise CameraError(
            f"{name}: {len(found)} camera{'s' * (len(found) != 1)} found ({', '.join(found) or 'none'}). Check "
            "the cable, then `rpicam-hello --list-cameras`."
        )
    camera = modules.picamera2.Picamera2.__new__(modules.picamera2.Picamera2)
    try:
        camera.__init__(number)
    except (RuntimeError, OSError) as error:
        _close_pipe(camera)
        cause = _root_cause(error)
        hint = " Another program uses it; end that program first." if "busy" in cause.lower() else ""
        raise CameraError(f"{name}: cannot be opened ({cause}).{hint}") from error
    return camera


def _close_pipe(camera: Any) -> None:
    """Close what a failed constructor leaves open: repeated attempts over days would use up all descriptors."""
    if hasattr(camera, "notifymeread"):
        camera.notifymeread.close()
        os.close(camera.notifyme_w)


def _shut(camera: Any) -> None:
    allocator = getattr(camera, "allocator", None)
    try:
        # A request for a frame that never came would keep the camera from stopping.
        camera.cancel_all_and_flush()
        camera.close()
    except (RuntimeError, OSError) as error:
        log.warning("closing the camera failed (%s)", _root_cause(error))
    # Pixels that are still referenced keep their mapping, which is freed with them. If the allocator also held it, it
    # would fail to close it, stop there, and keep every buffer's descriptor for ever.
    getattr(allocator, "mapped_buffers", {}).clear()


def _check_layouts(luma: BufferLayout, colour: BufferLayout) -> None:
    if luma.pixels not in LUMA_FIRST:
        raise CameraUnsupportedError(
            f"its main frames have the format {luma.pixels}, expected one of {', '.join(sorted(LUMA_FIRST))}."
        )
    if colour.pixels not in TO_RGB:
        raise CameraUnsupportedError(
            f"its colour frames have the format {colour.pixels}, expected one of {', '.join(sorted(TO_RGB))}."
        )
    if not (luma.width > 0 and luma.height > 0 and luma.stride >= luma.width):
        raise CameraError(f"it reports rows of {luma.stride} bytes for {luma.width}x{luma.height} pixels.")


def _read_time(metadata: dict[str, Any]) -> float:
    """Return when the sensor began the frame; libcamera reports it in nanoseconds since the machine was started."""
    age_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - metadata.get("SensorTimestamp", 0)
    return sane_timestamp(time.monotonic() - age_ns / 1e9)


def _root_cause(error: BaseException) -> str:
    """Return the original error: picamera2 wraps errors in errors that only say that something failed."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error) or type(error).__name__
