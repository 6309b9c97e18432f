"""The options of `live`, `serve` and `run` about cameras and models."""

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

import click

from ..bundle.contract import Precision
from ..bundle.shipped import SHIPPED
from ..cameras.camera import CameraOptions, CameraUnsupportedError, Rotation
from ..cameras.factory import is_address
from ..cameras.http_stream import PASSWORD_VARIABLE, parse_stream
from ..common.errors import EdgeMnistError
from ..common.network import time_limits
from ..common.network.credentials import add_password, find_password
from ..common.network.time_limits import GRACE_S
from ..live.settings import LiveSettings
from ..reading.reader import Reader
from ..runtimes.registry import RUNTIMES
from .options import BUNDLE, FiniteRange, option_group

Command = Callable[..., None]
# The whole source, for addresses with a secret in their path or query.
ADDRESS_VARIABLE = "EDGE_MNIST_CAMERA"
COMMAND_LINE = click.core.ParameterSource.COMMANDLINE

_logger = logging.getLogger(__name__)


class SizeType(click.ParamType):
    """A size in pixels such as `640x480`."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Parse the size, or fail as misuse."""
        width, _, height = str(value).partition("x")
        if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
            self.fail(f"{value!r} is not a size in pixels, e.g. 640x480.", param, ctx)
        return int(width), int(height)


class FocusType(click.ParamType):
    """`auto`, or a distance in dioptres."""

    name = "focus"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | Literal["auto"]:
        """Parse the focus, or fail as misuse."""
        if value == "auto":
            return "auto"
        try:
            return FiniteRange(min=0).convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r} is neither auto nor dioptres, e.g. 2.5 for 40 cm.", param, ctx)


_CAMERA_OPTIONS = (
    click.option("--camera", "source", default="auto", show_default=True, envvar=ADDRESS_VARIABLE,
                 metavar="auto|picamera2[:N]|DEVICE|FILE|FOLDER|URL",
                 help="Source of frames: the first camera found (auto), a Raspberry Pi camera, a webcam "
                 "(/dev/video0, or 0), a video, a folder of pictures, or a stream (MJPEG over http://, or rtsp://). "
                 f"Also set by ${ADDRESS_VARIABLE}."),
    click.option("--camera-password-file", "password_file", type=click.Path(dir_okay=False, path_type=Path),
                 metavar="FILE", help="File whose first line is the password for http:// or rtsp://USER@HOST/PATH.  "
                 f"[default: ${PASSWORD_VARIABLE}]"),
    click.option("--size", type=SizeType(), default="640x480", show_default=True, metavar="WxH",
                 help="Frame size to request from the camera, pixels."),
    click.option("--fps", type=FiniteRange(min=0),
                 help="Frames to read per second at most. Videos and folders play at this rate; 0 reads all their "
                 "frames as fast as possible.  [default: all frames]"),
    click.option("--rotate", type=click.Choice([str(degrees) for degrees in get_args(Rotation)]), default="0",
                 show_default=True, help="Clockwise rotation of frames, degrees."),
    click.option("--hflip", is_flag=True, help="Swap left and right, before the rotation."),
    click.option("--vflip", is_flag=True, help="Swap top and bottom, before the rotation."),
    click.option("--exposure-us", type=click.IntRange(min=1),
                 help="Exposure time, microseconds.  [default: the camera's choice]"),
    click.option("--gain", type=FiniteRange(min=1), help="Analogue gain.  [default: the camera's choice]"),
    click.option("--focus", type=FocusType(), metavar="auto|DIOPTRES",
                 help="Keep focusing, or focus at 1 / DIOPTRES metres.  [default: the camera's choice]"),
    click.option("--loop", is_flag=True, help="Restart a video or folder at its end."),
)  # fmt: skip

_MODEL_OPTIONS = (
    click.option("--model", type=BUNDLE, default=SHIPPED, show_default="the shipped one",
                 help="Bundle: the name of a shipped one, or the folder that export wrote (./NAME if a shipped "
                 "bundle has that name)."),
    click.option("--runtime", type=click.Choice(list(RUNTIMES)),
                 help="Inference runtime.  [default: the first one installed, in this order]"),
    click.option("--precision", type=click.Choice(get_args(Precision)), default="int8", show_default=True,
                 help="Precision of the model file."),
    click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads for inference."),
)  # fmt: skip


@dataclass(frozen=True)
class CameraChoice:
    """The values of the camera options.

    Attributes:
        source: Source of the camera; it may hold a password, so `show_source` shows it.
        options: Requested settings of the camera.
    """

    source: str = field(repr=False)
    options: CameraOptions

    def settings(
        self, *, wait_for_camera: bool, frames: int | None = None, seconds: float | None = None
    ) -> LiveSettings:
        """Make the settings of the live loop, with the time limits that fit this camera; see `time_limits.py`."""
        silence_s = time_limits.frame_limit_s(self.options.fps, self.options.exposure_us)
        path = Path(self.source)
        if is_address(self.source):
            # The stream may begin only on request, each time.
            open_again_s = time_limits.OPEN_S
        elif path.is_dir() or path.is_file():
            silence_s = open_again_s = time_limits.FILE_FRAME_S
        else:
            open_again_s = silence_s
        return LiveSettings(
            fps=self.options.fps or None,
            silence_s=silence_s + GRACE_S,
            first_open_s=max(time_limits.OPEN_S, silence_s) + GRACE_S,
            open_again_s=open_again_s + GRACE_S,
            wait_for_camera=wait_for_camera,
            frames=frames,
            seconds=seconds,
        )


@dataclass(frozen=True)
class ModelChoice:
    """The values of the model options."""

    bundle: Path
    runtime: str | None
    precision: Precision
    threads: int

    def load(self, explain: bool = False) -> Reader:
        """Load the reader, which may explain its readings; raises the errors of `Reader`."""
        return Reader(self.bundle, self.runtime, self.precision, self.threads, explain)


def camera_options(command: Command) -> Command:
    """Add the camera options; the command receives them as one argument, `camera`."""

    @functools.wraps(command)
    def gather(**answers: Any) -> None:
        take = answers.pop
        width, height = take("size")
        options = CameraOptions(
            width=width,
            height=height,
            fps=take("fps"),
            rotation=cast("Rotation", int(take("rotate"))),
            hflip=take("hflip"),
            vflip=take("vflip"),
            exposure_us=take("exposure_us"),
            gain=take("gain"),
            focus=take("focus"),
            loop=take("loop"),
        )
        choice = CameraChoice(_add_password(take("source"), take("password_file")), options)
        command(**answers, camera=choice)

    return option_group("Camera", *_CAMERA_OPTIONS)(gather)


def _add_password(source: str, file: Path | None) -> str:
    """Add the password that the user has in a file or the environment to the source.

    Raises:
        CameraUnsupportedError: Source and password do not fit together.
    """
    if source is None or not is_address(source):
        if file is not None:
            raise click.UsageError(
                "--camera-password-file needs --camera http://USER@HOST/PATH or rtsp://USER@HOST/PATH."
            )
        return source
    try:
        password = find_password(file, PASSWORD_VARIABLE)
        if password is not None:
            return add_password(source, password)
    except EdgeMnistError as error:
        raise CameraUnsupportedError(f"the camera's password: {error}") from None
    if parse_stream(source).password and click.get_current_context().get_parameter_source("source") == COMMAND_LINE:
        _logger.warning(
            "Every user of this machine can see the password in the camera's address; use $%s or "
            "--camera-password-file.",
            PASSWORD_VARIABLE,
        )
    return source


def model_options(command: Command) -> Command:
    """Add the model options; the command receives them as one argument, `model`."""

    @functools.wraps(command)
    def gather(**answers: Any) -> None:
        take = answers.pop
        choice = ModelChoice(take("model"), take("runtime"), take("precision"), take("threads"))
        command(**answers, model=choice)

    return option_group("Model", *_MODEL_OPTIONS)(gather)
