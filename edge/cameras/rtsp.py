"""A network camera that sends compressed video over RTSP, as most security cameras do: decoded by FFmpeg through PyAV.

PyAV is an extra. OpenCV's own FFmpeg also opens such streams, but reports neither why one fails nor which frames are
damaged; see decision 0023. FFmpeg's messages quote the address with its password, so they are never shown.
"""

import importlib.util
import socket
import ssl
import time
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, cast
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from ..common.network import time_limits
from ..common.network.credentials import Address
from ..common.network.errors import describe_failure
from ..media.pictures import MOST_MEGAPIXELS
from .camera import CameraError, CameraFrame, CameraOptions, CameraUnsupportedError, Pace, make_owned_frame
from .damage import DamageCounter
from .http_stream import explain_login, parse_stream
from .orientation import choose_orientation

if TYPE_CHECKING:
    from av import VideoFrame

PORTS = {"rtsp": 554, "rtsps": 322}
TRUST = "SSL_CERT_FILE=FILE"
# A packet that arrives sooner than this was waiting, so that newer ones may wait behind it, seconds.
WAITING_S = 0.002
# Longest time in seconds spent on decoding what has already arrived, to find the newest picture.
LONGEST_DRAINING_S = 0.5
OPTIONS = {
    # TCP loses no packets; UDP only for cameras that have nothing else.
    "rtsp_flags": "prefer_tcp",
    "allowed_media_types": "video",
    "fflags": "nobuffer",
    "protocol_whitelist": "rtsp,rtp,srtp,tcp,udp,tls",
}


def check_rtsp() -> None:
    """Check that PyAV is installed, without loading it.

    Raises:
        CameraUnsupportedError: It is not; the message says how to install it.
    """
    if importlib.util.find_spec("av") is None:
        raise CameraUnsupportedError("rtsp streams need the package av: pip install 'edge-mnist[rtsp]'")


class RtspCamera:
    """A camera that returns the newest picture of a stream; older ones are decoded, for newer ones depend on them."""

    waits = False
    sizes_differ = False

    def __init__(self, url: str, options: CameraOptions) -> None:
        """Connect, and wait for the first picture.

        Args:
            url: Address, with user and password if the camera needs them.
            options: Requested settings; `fps` is the most pictures per second to take, the stream's size is fixed.

        Raises:
            CameraUnsupportedError: PyAV is missing, the camera needs another password, or it sends no video.
            CameraError: It does not respond, or sends no pictures.
        """
        check_rtsp()
        address = parse_stream(url)
        self._address, self._shown = address, address.shown
        self._limit_s = time_limits.frame_limit_s(options.fps)
        self._damage = DamageCounter(self._shown)
        self._orientation = choose_orientation(options)
        self._pace = Pace(options.fps or 0)
        self._shape: tuple[int, int] | None = None
        deadline_s = time.monotonic() + time_limits.OPEN_S
        self._container = self._open(deadline_s)
        try:
            self._frames = self._decode()
            self._first: tuple[VideoFrame, float] | None = self._read_newest(deadline_s)
        except BaseException:
            self.close()
            raise
        frame, _ = self._first
        self._shape = frame.height, frame.width
        codec = self._container.streams.video[0].codec_context.name
        self.description = f"{self._shown}, {self._orientation.describe(frame.width, frame.height)} {codec}"

    def grab(self) -> CameraFrame | None:
        """Return the newest picture, or wait for the next one.

        Raises:
            CameraError: No picture came in time, the stream ended, or its pictures have another size now.
        """
        deadline_s = time.monotonic() + self._limit_s
        self._pace.wait()
        (frame, captured_s), self._first = self._first or self._read_newest(deadline_s), None
        if self._shape is not None and self._shape != (frame.height, frame.width):
            before, now = (f"{width}x{height}" for height, width in (self._shape, (frame.height, frame.width)))
            raise CameraError(f"{self._shown}: the picture size changed from {before} to {now}.")
        return make_owned_frame(self._convert(frame, "gray"), captured_s, partial(self._convert, frame, "rgb24"))

    @property
    def damaged(self) -> int:
        """Number of damaged pictures that were left out, see `Camera`."""
        return self._damage.count

    def close(self) -> None:
        """Close the connection."""
        self._container.close()

    def _open(self, deadline_s: float) -> Any:
        """Open the stream: a PyAV container."""
        import av  # noqa: PLC0415 - an extra, and 100 MB
        from av import error as errors  # noqa: PLC0415

        address = self._address
        _connect_once(address)
        files = ssl.get_default_verify_paths()
        trusted = {"tls_verify": "1"} | ({"ca_file": files.cafile} if files.cafile else {})
        try:
            container = av.open(
                _write_address(address),
                options=OPTIONS | (trusted if address.scheme == "rtsps" else {}),
                timeout=(max(deadline_s - time.monotonic(), 0.001), self._limit_s),
            )
        except errors.FFmpegError as error:
            # Where FFmpeg was interrupted at the end of the time, it reports any error.
            self._fail(errors.ExitError(0, "") if time.monotonic() >= deadline_s else error)
        try:
            self._check(container)
        except BaseException:
            container.close()
            raise
        return container

    def _check(self, container: Any) -> None:
        if not container.streams.video:
            raise CameraUnsupportedError(f"{self._shown}: expected a stream with video; it has none.")
        codec = container.streams.video[0].codec_context
        if codec.width * codec.height > MOST_MEGAPIXELS * 1_000_000:
            raise CameraUnsupportedError(
                f"{self._shown}: sends {codec.width}x{codec.height} pixels. Expected at most {MOST_MEGAPIXELS} "
                "megapixels; set the camera to smaller pictures."
            )

    def _decode(self) -> Iterator[tuple["VideoFrame | None", float, bool]]:
        """Decode pictures as they arrive: each with its arrival, monotonic, and whether it was waiting.

        None stands for a damaged picture.
        """
        from av import error as errors  # noqa: PLC0415

        packets = self._container.demux(video=0)
        while True:
            asked_s = time.monotonic()
            try:
                packet = next(packets)
            except StopIteration:
                return
            except errors.FFmpegError as error:
                self._fail(error)
            captured_s = time.monotonic()
            waited = captured_s - asked_s < WAITING_S
            try:
                frames = packet.decode()
            except errors.FFmpegError:
                yield None, captured_s, waited
                continue
            for frame in frames:
                yield (None if frame.is_corrupt else frame), captured_s, waited

    def _read_newest(self, deadline_s: float) -> tuple["VideoFrame", float]:
        """Return the last picture that has arrived, or the next one, and its arrival."""
        drained_s = time.monotonic() + LONGEST_DRAINING_S
        damaged = 0
        for frame, captured_s, waited in self._frames:
            if frame is None:
                damaged += 1
                self._damage.add()
            elif not waited or captured_s >= drained_s:
                return frame, captured_s
            if captured_s >= deadline_s:
                what = f"{damaged} pictures arrived, all damaged," if damaged else "no picture arrived"
                raise CameraError(f"{self._shown}: {what} in time.")
        raise CameraError(f"{self._shown}: the stream has ended.")

    def _convert(self, frame: "VideoFrame", layout: str) -> NDArray[np.uint8]:
        return self._orientation.turn(cast("NDArray[np.uint8]", frame.to_ndarray(format=layout)))

    def _fail(self, error: Any) -> NoReturn:
        """Raise the error that FFmpeg's error stands for; its own words hold the password."""
        from av import error as errors  # noqa: PLC0415

        match error:
            case errors.HTTPUnauthorizedError() | errors.HTTPForbiddenError():
                status = "401 Unauthorized" if isinstance(error, errors.HTTPUnauthorizedError) else "403 Forbidden"
                raise CameraUnsupportedError(explain_login(self._address, status)) from None
            case errors.HTTPNotFoundError():
                message = "expected a stream, got 404 Not Found"
            case errors.HTTPError():
                message = "expected a stream, but the camera reports an error"
            case errors.ExitError():
                limit_s = time_limits.OPEN_S if self._shape is None else self._limit_s
                message = f"no picture arrived within {limit_s:g} s"
            case errors.EOFError():
                message = "the stream has ended"
            case OSError():
                message = describe_failure(error, TRUST)
            case _:
                message = f"the answer is not a video stream over RTSP ({type(error).__name__})"
        raise CameraError(f"{self._shown}: {message}.") from None


def _connect_once(address: Address) -> None:
    """Connect and hang up: FFmpeg reports neither a name that no host has nor why a certificate is not trusted.

    Raises:
        CameraError: The camera cannot be reached.
    """
    port = address.port or PORTS[address.scheme]
    try:
        with socket.create_connection((address.host, port), time_limits.CONNECT_S) as connection:
            if address.scheme == "rtsps":
                ssl.create_default_context().wrap_socket(connection, server_hostname=address.host).close()
    except OSError as error:
        raise CameraError(f"{address.shown}: {describe_failure(error, TRUST)}.") from error


def _write_address(address: Address) -> str:
    """Write the address with its user and password, as FFmpeg expects it."""
    scheme, _, place = address.origin.partition("://")
    login = ":".join(quote(part or "", safe="") for part in (address.user, address.password))
    return f"{scheme}://{f'{login}@' if address.user is not None else ''}{place}{address.target}"
