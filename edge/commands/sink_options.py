"""Options of `live` about sinks, and the sinks that they request. Each sink is imported when it is requested."""

import functools
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click

from ..common.errors import EdgeMnistError
from ..live.sink_thread import Sink
from ..sinks.lines import TextLinesSink, write_json_to_file, write_json_to_stdout
from ..sinks.mqtt import MqttSink
from ..sinks.mqtt_address import TlsFiles, parse_broker
from ..sinks.mqtt_discovery import PREFIX
from ..sinks.preview import PreviewSink
from ..sinks.recording import StillsSink, VideoSink
from .options import FiniteRange, option_group

Command = Callable[..., None]


@dataclass(frozen=True)
class SinkSettings:
    """The values of the options; each attribute is the option of the same name."""

    as_json: bool = False
    every_frame: bool = False
    jsonl: Path | None = None
    rotate_mb: float = 10.0
    record: Path | None = None
    stills: Path | None = None
    stills_every: float | None = None
    stills_keep: int = 1000
    show: bool = False
    mqtt: str | None = None
    mqtt_ca: Path | None = None
    mqtt_cert: Path | None = None
    mqtt_key: Path | None = None
    mqtt_password_file: Path | None = None
    mqtt_discovery: str | None = None


_FILE = click.Path(dir_okay=False, path_type=Path)
_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_OPTIONS = (
    click.option("--json", "as_json", is_flag=True,
                 help="Print a line of JSON for each new announcement and camera change."),
    click.option("--every-frame", is_flag=True, help="With --json and --jsonl: a line for each frame."),
    click.option("--jsonl", type=_FILE, metavar="FILE", help="Append the lines of --json to this file."),
    click.option("--rotate-mb", type=FiniteRange(min=0.001), default=10.0, show_default=True,
                 help="Size in MB at which the --jsonl file is rotated to FILE.1, FILE.2, and so on up to FILE.5."),
    click.option("--record", type=_FILE, metavar="FILE",
                 help="Record an annotated video, .mp4 or .avi, written at the end."),
    click.option("--stills", type=_FOLDER, metavar="FOLDER",
                 help="Save an annotated JPEG of each new announcement in this folder."),
    click.option("--stills-every", type=FiniteRange(min=0.1), metavar="SECONDS",
                 help="Save one JPEG in each such interval instead."),
    click.option("--stills-keep", type=click.IntRange(min=1), default=1000, show_default=True,
                 help="Maximum number of these JPEGs; the oldest are deleted."),
    click.option("--show", is_flag=True, help="Show the live picture in a window; q or Escape stops."),
    click.option("--mqtt", metavar="URL",
                 help="Publish to an MQTT broker: mqtt://[user@]host[:port]/topic, or mqtts:// for TLS; {machine} in "
                 "the topic is this machine's name. The password "
                 "comes from $EDGE_MNIST_MQTT_PASSWORD or --mqtt-password-file."),
    click.option("--mqtt-ca", type=_EXISTING, metavar="FILE",
                 help="CA certificates that verify the broker.  [default: those of this machine]"),
    click.option("--mqtt-cert", type=_EXISTING, metavar="FILE",
                 help="Client certificate, for brokers that require one."),
    click.option("--mqtt-key", type=_EXISTING, metavar="FILE",
                 help="Key of the client certificate.  [default: in the same file]"),
    click.option("--mqtt-password-file", type=_EXISTING, metavar="FILE", help="File whose first line is the password."),
    click.option("--mqtt-discovery", is_flag=False, flag_value=PREFIX, metavar="[PREFIX]",
                 help=f"Also publish discovery messages, so that Home Assistant shows the camera by itself; PREFIX is "
                 f"{PREFIX} unless changed there."),
)  # fmt: skip


def sink_options(command: Command) -> Command:
    """Add the sink options; the command receives them as one argument, `sink_settings`."""

    @functools.wraps(command)
    def gather(**answers: Any) -> None:
        settings = SinkSettings(**{field.name: answers.pop(field.name) for field in fields(SinkSettings)})
        _refuse_misuse(settings)
        command(**answers, sink_settings=settings)

    return option_group("Outputs", *_OPTIONS)(gather)


def _refuse_misuse(settings: SinkSettings) -> None:
    """Refuse an option that has no effect without another one."""
    certificates = (settings.mqtt_ca, settings.mqtt_cert, settings.mqtt_key, settings.mqtt_password_file)
    if settings.every_frame and not settings.as_json and settings.jsonl is None:
        raise click.UsageError("--every-frame needs --json or --jsonl.")
    if settings.stills_every is not None and settings.stills is None:
        raise click.UsageError("--stills-every needs --stills FOLDER.")
    if settings.mqtt is None and any(certificates):
        raise click.UsageError("--mqtt-ca, --mqtt-cert, --mqtt-key and --mqtt-password-file need --mqtt URL.")
    if settings.mqtt_discovery is not None:
        if settings.mqtt is None:
            raise click.UsageError("--mqtt-discovery needs --mqtt URL.")
        if not re.fullmatch(r"[^+#/\0]+(/[^+#/\0]+)*", settings.mqtt_discovery):
            raise click.UsageError(f"--mqtt-discovery {settings.mqtt_discovery}: expected a topic without + and #.")


def make_sinks(settings: SinkSettings, on_close: Callable[[], None]) -> list[Sink]:
    """Make the requested sinks; without --json there is always the terminal.

    Args:
        settings: Values of the options.
        on_close: Function called, from any thread, when the user closes the window or the reader of standard output has
            gone.

    Raises:
        SinkError: A sink cannot be set up; then there are none.
        EdgeMnistError: There is no display.
    """
    sinks: list[Sink] = []
    try:
        for sink in _make_one_by_one(settings, on_close):
            sinks.append(sink)  # noqa: PERF402 - those before one that fails are needed
    except EdgeMnistError:
        for sink in sinks:
            sink.close()
        raise
    return sinks


def _make_one_by_one(settings: SinkSettings, on_close: Callable[[], None]) -> Iterator[Sink]:
    every_frame = settings.every_frame
    yield write_json_to_stdout(on_close, every_frame=every_frame) if settings.as_json else _choose_text(on_close)
    if settings.jsonl is not None:
        yield write_json_to_file(settings.jsonl, round(1e6 * settings.rotate_mb), every_frame=every_frame)
    if settings.record is not None:
        yield VideoSink(settings.record)
    if settings.stills is not None:
        yield StillsSink(settings.stills, settings.stills_every, settings.stills_keep)
    if settings.show:
        yield PreviewSink(on_close)
    if settings.mqtt is not None:
        files = TlsFiles(settings.mqtt_ca, settings.mqtt_cert, settings.mqtt_key)
        yield MqttSink(parse_broker(settings.mqtt, files, settings.mqtt_password_file),
                       discovery_prefix=settings.mqtt_discovery)  # fmt: skip


def _choose_text(on_close: Callable[[], None]) -> Sink:
    """Choose a table for an interactive terminal, lines for a log and for terminals without block characters."""
    can_draw = os.environ.get("TERM", "dumb") != "dumb" and sys.stdout.encoding.lower() == "utf-8"
    if not (sys.stdout.isatty() and can_draw):
        return TextLinesSink(on_close)
    # A service does not need rich, which takes time and memory.
    from ..sinks.terminal import TerminalSink  # noqa: PLC0415

    return TerminalSink()
