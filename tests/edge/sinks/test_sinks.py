"""Where live readings go: JSON Lines, text, and the options that choose among all sinks."""

import errno
import json
import os
import pty
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from edge_mnist.edge.commands.sink_options import SinkSettings, make_sinks, sink_options
from edge_mnist.edge.live.documents import describe_event, format_time
from edge_mnist.edge.live.sink_thread import Sink, SinkError
from edge_mnist.edge.sinks.lines import RotatedFile, TextLinesSink, write_json_to_file, write_json_to_stdout
from tests.builders.sightings import make_change, make_sighting
from tests.conftest import edge_mnist, python_process

PATIENCE_S = 30.0


def test_a_reading_has_the_documented_fields_and_is_json() -> None:
    document = json.loads(json.dumps(describe_event(make_sighting(4, ("1", "2"), is_new=True))))

    digit = {"digit": 1, "confidence": 0.99, "score": 7.5, "box": [20, 30, 20, 40]}
    other = {"digit": 2, "confidence": 0.99, "score": 7.5, "box": [20, 90, 20, 40]}
    factors = {"digit_probability": None, "class_probability": None}
    assert document == {
        "event": "reading",
        "source": "auto",
        "frame": 4,
        "captured_at": "2025-03-01T12:00:00.250Z",
        "announced": ["1", "2"],
        "is_new": True,
        "rows": ["1", "2"],
        "digits": [digit | factors, other | factors],
        "truncated": False,
        "tracks": [{"track": 100, **digit, "stable": True}, {"track": 101, **other, "stable": True}],
        "frame_size": [320, 240],
        "latency_ms": 5.25,
        "timing_ms": dict.fromkeys(("capture", "find", "frame", "infer", "track", "draw", "publish"), 1.5),
        "rates": {"camera_fps": 16.0, "read_fps": 15.5, "skipped": 3, "damaged": 0},
    }


def test_a_change_of_the_camera_has_the_documented_fields() -> None:
    assert describe_event(make_change("lost", "unplugged")) == {
        "event": "camera",
        "source": "auto",
        "state": "lost",
        "message": "unplugged",
        "at": "2025-03-01T12:00:00.000Z",
    }


def test_fields_that_pictures_have_too_are_named_alike(tmp_path: Path) -> None:
    page = tmp_path / "page.png"
    assert edge_mnist("example", page).exit_code == 0

    of_picture = json.loads(edge_mnist("run", page, "--json").stdout)

    live = describe_event(make_sighting())
    assert set(of_picture) - set(live) == {"time_s", "drawing"}
    assert of_picture["digits"][0].keys() == live["digits"][0].keys()


def _lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(("every_frame", "frames"), [(False, [0, 3]), (True, [0, 1, 2, 3, 4])])
def test_json_lines_are_of_what_is_new_or_of_every_frame(every_frame: bool, frames: list[int], tmp_path: Path) -> None:
    path = tmp_path / "readings.jsonl"
    sink = write_json_to_file(path, 10**6, every_frame=every_frame)

    sink.take(make_change())
    for i in range(5):
        sink.take(make_sighting(i, is_new=i in {0, 3}))
    sink.close()

    camera, *readings = _lines(path)
    assert camera["state"] == "open"
    assert [reading["frame"] for reading in readings] == frames


def test_a_full_file_becomes_numbered_ones_and_the_oldest_go(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = RotatedFile(path, most_bytes=20, kept_files=2)

    for i in range(10):
        file.write_line(f"line {i:03d}")
    file.close()

    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {
        "log": "line 008\nline 009\n",
        "log.1": "line 006\nline 007\n",
        "log.2": "line 004\nline 005\n",
    }


def test_a_torn_last_line_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text('{"frame": 1}\n{"fra')

    file = RotatedFile(path, 1000)
    file.write_line('{"frame": 2}')
    file.close()

    assert path.read_text() == '{"frame": 1}\n{"fra\n{"frame": 2}\n'


@pytest.mark.parametrize("what", ["renamed", "removed", "replaced"])
def test_a_file_that_somebody_moved_is_made_again(what: str, tmp_path: Path) -> None:
    """As logrotate does; a process that goes on in the old file writes where nobody looks."""
    path = tmp_path / "log.jsonl"
    file = RotatedFile(path, 1000)
    file.write_line("before")

    if what == "removed":
        path.unlink()
    else:
        path.rename(tmp_path / "log.old")
    if what == "replaced":
        path.write_text("theirs\n")
    file.write_line("after")
    file.close()

    assert path.read_text() == ("theirs\nafter\n" if what == "replaced" else "after\n")
    if what != "removed":
        assert (tmp_path / "log.old").read_text() == "before\n"


def test_a_file_whose_folder_is_gone_is_an_error_until_it_is_back(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "log.jsonl"
    path.parent.mkdir()
    file = RotatedFile(path, 1000)
    shutil.rmtree(path.parent)

    with pytest.raises(FileNotFoundError):
        file.write_line("lost")
    path.parent.mkdir()
    file.write_line("back")
    file.close()

    assert path.read_text() == "back\n"


def test_a_time_beyond_all_calendars_is_the_last_one() -> None:
    assert format_time(1e12) == "9999-12-31T23:59:59.000Z"


def test_a_disk_that_fills_up_within_a_line_leaves_no_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    file = RotatedFile(path, 1000)
    file.write_line("whole")
    write, room = os.write, [3, 0]

    def write_what_fits(descriptor: int, data: bytes) -> int:
        fits = room.pop(0)
        if not fits:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[:fits])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write_what_fits)
        with pytest.raises(OSError, match="No space left"):
            file.write_line("torn apart")
    file.write_line("next")
    file.close()

    assert path.read_text() == "whole\nnext\n"


def test_a_file_that_cannot_be_begun_anew_loses_no_older_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    file = RotatedFile(path, most_bytes=10, kept_files=2)
    for i in range(3):
        file.write_line(f"line {i:04d}")

    with monkeypatch.context() as patch:
        patch.setattr(file, "_open", lambda: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
        for _ in range(4):
            with pytest.raises(OSError, match="No space left"):
                file.write_line("line 0003")
    file.write_line("line 0004")
    file.close()

    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {
        "log": "line 0004\n",
        "log.1": "line 0002\n",
        "log.2": "line 0001\n",
    }


def test_all_lines_before_the_last_are_whole_when_the_process_is_killed(tmp_path: Path) -> None:
    """It does nothing but write, so that it is killed while it does; Linux may stop within the last line."""
    path = tmp_path / "log"
    code = """
import sys
from pathlib import Path
from edge_mnist.edge.sinks.lines import RotatedFile
file = RotatedFile(Path(sys.argv[1]), 10**9)
print("ready", flush=True)
while True:
    file.write_line("x" * 999)
"""
    process = subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    end_s = time.monotonic() + PATIENCE_S
    while path.stat().st_size < 100_000:
        assert time.monotonic() < end_s
    process.kill()
    process.wait()
    process.stdout.close()

    file = RotatedFile(path, 10**9)
    file.write_line("the next run")
    file.close()

    *whole, last, next_run = path.read_text().splitlines()
    assert set(whole) == {"x" * 999}
    assert set(last) == {"x"}
    assert next_run == "the next run"


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"cannot be written \(No such file or directory\)\. Choose another --jsonl"):
        write_json_to_file(tmp_path / "missing" / "log", 1000, every_frame=False)


@pytest.mark.parametrize(
    "make",
    [lambda stop: write_json_to_stdout(stop, every_frame=True), TextLinesSink],
    ids=["json", "text"],
)
def test_whoever_reads_our_output_may_leave(
    make: Callable[[Callable[[], None]], Sink], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading_end, writing_end = os.pipe()
    left: list[bool] = []
    with os.fdopen(writing_end, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        sink = make(lambda: left.append(True))
        sink.take(make_sighting(0, is_new=True))
        os.close(reading_end)

        for i in range(3):
            sink.take(make_sighting(i, is_new=True))
        sink.close()

    assert left == [True]


def test_text_is_a_line_for_each_announcement_and_change(capsys: pytest.CaptureFixture[str]) -> None:
    sink = TextLinesSink(lambda: None)

    sink.take(make_change("open", "a camera"))
    sink.take(make_sighting(0, ("12", "3"), is_new=True))
    sink.take(make_sighting(1, ("12", "3")))
    sink.take(make_sighting(2, (), is_new=True))
    sink.close()

    assert capsys.readouterr().out.splitlines() == [
        "2025-03-01T12:00:00.000Z  camera open: a camera",
        "2025-03-01T12:00:00.000Z  12 / 3",
        "2025-03-01T12:00:00.125Z  no digits",
    ]


@click.command()
@click.option("--frames", type=int)
@sink_options
def _command(frames: int, sink_settings: SinkSettings) -> None:
    """Say which sinks were asked for."""
    sinks = make_sinks(sink_settings, lambda: None)
    click.echo(f"{frames} {[type(sink).__name__ for sink in sinks]}")
    for sink in sinks:
        sink.close()


def test_options_choose_any_number_of_sinks(tmp_path: Path) -> None:
    arguments = ["--frames", "3", "--json", "--every-frame", "--jsonl", tmp_path / "log",
                 "--record", tmp_path / "video.mp4", "--stills", tmp_path, "--stills-every", "2"]  # fmt: skip

    result = CliRunner().invoke(_command, list(map(str, arguments)))

    assert result.output == "3 ['JsonLinesSink', 'JsonLinesSink', 'VideoSink', 'StillsSink']\n"


def test_without_options_a_pipe_gets_text() -> None:
    assert CliRunner().invoke(_command, []).output == "None ['TextLinesSink']\n"


@pytest.mark.parametrize(
    ("term", "encoding", "expected"),
    [("xterm", "utf-8", "TerminalSink"), ("dumb", "utf-8", "TextLinesSink"), ("xterm", "ascii", "TextLinesSink")],
)
def test_a_terminal_gets_the_table_if_it_can_draw_it(term: str, encoding: str, expected: str) -> None:
    code = """
from edge_mnist.edge.commands.sink_options import SinkSettings, make_sinks
(sink,) = make_sinks(SinkSettings(), lambda: None)
print(type(sink).__name__)
"""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": term, "PYTHONIOENCODING": encoding}
    subprocess.run([sys.executable, "-c", code], stdout=theirs, env=environment, check=True, timeout=PATIENCE_S)

    answer = os.read(ours, 1000).decode().strip()
    os.close(ours)
    os.close(theirs)

    assert answer == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--every-frame"], "--every-frame needs --json or --jsonl"),
        (["--stills-every", "2"], "--stills-every needs --stills FOLDER"),
        (["--mqtt-password-file", __file__], "need --mqtt URL"),
    ],
)
def test_an_option_without_the_one_that_it_is_about_is_misuse(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(_command, arguments)

    assert result.exit_code == 2
    assert message in result.stderr


def test_a_sink_that_cannot_be_set_up_leaves_none_open(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"ends in \.mp4 or \.avi"):
        make_sinks(SinkSettings(as_json=True, jsonl=tmp_path / "log", record=tmp_path / "video.mov"), lambda: None)

    assert (tmp_path / "log").exists()
    assert not [link for link in Path("/proc/self/fd").iterdir() if _points_to(link, tmp_path / "log")]


def _points_to(link: Path, path: Path) -> bool:
    """Descriptors come and go while they are listed."""
    try:
        return link.readlink() == path
    except FileNotFoundError:
        return False


def test_sinks_load_nothing_that_was_not_asked_for() -> None:
    code = """
import sys
from edge_mnist.edge.commands.sink_options import SinkSettings, make_sinks
make_sinks(SinkSettings(as_json=True), lambda: None)
print(sorted({"rich", "paho", "tkinter", "PIL.ImageTk"} & set(sys.modules)))
"""

    assert python_process(code).stdout == "[]\n"
