"""Convert exposure, gain, focus and frame rate to libcamera's controls, within the ranges that the camera reports."""

from collections.abc import Iterator, Mapping

from ..camera import CameraOptions, CameraUnsupportedError

# Source: libcamera's controls AfMode and FrameDurationLimits.
AF_MANUAL, AF_CONTINUOUS = 0, 2
FRAME_DURATION = "FrameDurationLimits"
# picamera2's own limits for previews: 12 frames a second in the dark, else as many as possible.
FREE_DURATION_US = (100, 83_333)

Range = tuple[float, float, float]


def choose_controls(options: CameraOptions, available: Mapping[str, Range]) -> dict[str, object]:
    """Choose the controls to set before the camera starts.

    Args:
        options: Requested settings.
        available: Least, greatest and usual value of each control, as the configured camera reports them.

    Raises:
        CameraUnsupportedError: The camera does not have such a control, or not in this range.
    """
    controls: dict[str, object] = {}
    for name, what, value in _list_requested(options):
        _check(name, what, value, available)
        controls[name] = value
    duration_us = _choose_duration_us(options)
    if duration_us:
        _check_rate(options, available)
        controls[FRAME_DURATION] = duration_us
    return controls


def longest_frame_s(options: CameraOptions) -> float:
    """Return how long a frame may take with these options, in seconds."""
    return (_choose_duration_us(options) or FREE_DURATION_US)[1] / 1e6


def _list_requested(options: CameraOptions) -> Iterator[tuple[str, str, float]]:
    """Yield each control to set, its name for people, and its value."""
    if options.exposure_us is not None:
        yield "ExposureTime", "an exposure in microseconds", options.exposure_us
    if options.gain is not None:
        yield "AnalogueGain", "a gain", options.gain
    if options.focus is not None:
        yield "AfMode", "focus", AF_CONTINUOUS if options.focus == "auto" else AF_MANUAL
    if options.focus is not None and options.focus != "auto":
        yield "LensPosition", "a focus in dioptres", options.focus


def _check(name: str, what: str, value: float, available: Mapping[str, Range]) -> None:
    if name not in available:
        raise CameraUnsupportedError(f"this camera cannot be set to {what}: it has no control {name}.")
    least, greatest = available[name][:2]
    # Some sensors report a limit of 0 for unlimited values.
    if value < least or (greatest > least and value > greatest):
        raise CameraUnsupportedError(f"this camera takes {what} from {least:g} to {greatest:g}, got {value:g}.")


def _choose_duration_us(options: CameraOptions) -> tuple[int, int] | None:
    """Choose the limits of a frame's duration in microseconds; None leaves them unchanged."""
    exposure_us = options.exposure_us or 0
    if options.fps is None:
        # libcamera would silently shorten a longer exposure.
        return (FREE_DURATION_US[0], exposure_us) if exposure_us > FREE_DURATION_US[1] else None
    duration_us = round(1e6 / options.fps)
    if exposure_us > duration_us:
        raise CameraUnsupportedError(
            f"an exposure of {exposure_us} us is longer than a frame: at {options.fps:g} frames per second, a "
            f"frame takes {duration_us} us. Lower one of them."
        )
    return duration_us, duration_us


def _check_rate(options: CameraOptions, available: Mapping[str, Range]) -> None:
    if FRAME_DURATION not in available:
        raise CameraUnsupportedError("this camera's frame rate cannot be set. Omit it (--fps).")
    shortest_us, longest_us = available[FRAME_DURATION][:2]
    wanted_us = 1e6 * longest_frame_s(options)
    # Rates are reported in whole microseconds, rounded.
    if options.fps and not shortest_us - 1 <= wanted_us <= longest_us + 1:
        raise CameraUnsupportedError(
            f"this camera supports {1e6 / longest_us:g} to {1e6 / shortest_us:g} frames per second at this size, "
            f"got {options.fps:g}."
        )
