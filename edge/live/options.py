"""What `live` asks about the camera, and about the model as `run` does, so that both ask it alike."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import click

from ..bundle import SHIPPED
from ..cameras.camera import CameraOptions, Rotation
from ..card import Precision
from ..classifiers import RUNTIMES
from ..options import BUNDLE, FiniteRange
from ..reader import Reader

Command = Callable[..., None]


class SizeType(click.ParamType):
    """`640x480`."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Parse it, or fail as misuse."""
        width, _, height = str(value).partition("x")
        if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
            self.fail(f"{value!r} is no size in pixels, e.g. 640x480.", param, ctx)
        return int(width), int(height)


class FocusType(click.ParamType):
    """`auto`, or a distance in dioptres."""

    name = "focus"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | Literal["auto"]:
        """Parse it, or fail as misuse."""
        if value == "auto":
            return "auto"
        try:
            return FiniteRange(min=0).convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r} is neither auto nor dioptres, e.g. 2.5 for 40 cm.", param, ctx)


_CAMERA_OPTIONS = (
    click.option("--camera", "source", default="auto", show_default=True,
                 metavar="auto|picamera2[:N]|DEVICE|FILE|FOLDER|URL",
                 help="Where frames come from: the first camera that is found, one of a Raspberry Pi, a webcam "
                 "(/dev/video0, or 0), a video, a folder of pictures, or an MJPEG stream."),
    click.option("--size", type=SizeType(), default="640x480", show_default=True, metavar="WxH",
                 help="Of the frames to ask a camera for, pixels."),
    click.option("--fps", type=FiniteRange(min=0),
                 help="Frames to read per second at most. Videos and folders play as fast; 0 reads every frame of "
                 "them as fast as it goes.  [default: as many as there are]"),
    click.option("--rotate", type=click.Choice([str(degrees) for degrees in get_args(Rotation)]), default="0",
                 show_default=True, help="Degrees by which to turn frames clockwise."),
    click.option("--hflip", is_flag=True, help="Swap left and right, before that."),
    click.option("--vflip", is_flag=True, help="Swap top and bottom, before that."),
    click.option("--exposure-us", type=click.IntRange(min=1),
                 help="Exposure time, microseconds.  [default: the camera's choice]"),
    click.option("--gain", type=FiniteRange(min=1), help="Analogue gain.  [default: the camera's choice]"),
    click.option("--focus", type=FocusType(), metavar="auto|DIOPTRES",
                 help="Keep focusing, or focus at 1 / DIOPTRES metres.  [default: the camera's choice]"),
    click.option("--loop", is_flag=True, help="Begin a video or a folder anew at its end."),
)  # fmt: skip

_MODEL_OPTIONS = (
    click.option("--model", type=BUNDLE, default=SHIPPED, show_default="the shipped one",
                 help="Bundle: a shipped one's name, or the folder that export wrote (./NAME if a shipped one has "
                 "its name)."),
    click.option("--runtime", type=click.Choice(list(RUNTIMES)),
                 help="What computes.  [default: the first one installed, in this order]"),
    click.option("--precision", type=click.Choice(get_args(Precision)), default="int8", show_default=True,
                 help="Of the model file."),
    click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="For the inference."),
)  # fmt: skip


@dataclass(frozen=True)
class CameraChoice:
    """The answers about the camera.

    Attributes:
        source: Which one.
        options: What to ask it for.
    """

    source: str
    options: CameraOptions


@dataclass(frozen=True)
class ModelChoice:
    """The answers about the model."""

    bundle: Path
    runtime: str | None
    precision: Precision
    threads: int

    def load(self) -> Reader:
        """Raises what `Reader` raises."""
        return Reader(self.bundle, self.runtime, self.precision, self.threads)


def camera_options(command: Command) -> Command:
    """Add the options; the command receives them as one argument, `camera`."""

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
        choice = CameraChoice(take("source"), options)
        command(**answers, camera=choice)

    return _add(gather, _CAMERA_OPTIONS)


def model_options(command: Command) -> Command:
    """Add the options; the command receives them as one argument, `model`."""

    @functools.wraps(command)
    def gather(**answers: Any) -> None:
        take = answers.pop
        choice = ModelChoice(take("model"), take("runtime"), take("precision"), take("threads"))
        command(**answers, model=choice)

    return _add(gather, _MODEL_OPTIONS)


def _add(command: Command, options: tuple[Callable[[Command], Command], ...]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
