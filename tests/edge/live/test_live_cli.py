"""`edge-mnist live` as users run it: a real video, the real model, real signals."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import click
import cv2
import pytest
from click.testing import CliRunner

from edge_mnist.benchmarks.scenes.sized_pages import draw_sized_page
from edge_mnist.edge.cameras.camera import CameraOptions
from edge_mnist.edge.commands.live import AddressType
from edge_mnist.edge.commands.live_options import CameraChoice, ModelChoice, camera_options, model_options
from tests.conftest import edge_mnist

FRAMES = 40
EDGE_MNIST = "import sys; from edge_mnist.cli import main; sys.argv[0] = 'edge-mnist'; main()"
# The same with a camera in place of every other, whose driver hangs after its first frames.
HANGING = f"""
import time, numpy as np
from edge_mnist.edge.cameras import factory as choose
from edge_mnist.edge.cameras.camera import CameraFrame
class Camera:
    description, waits, sizes_differ, count = "hangs", False, False, 0
    def grab(self):
        self.count += 1
        time.sleep(0.01 if self.count < 20 else 60)
        return CameraFrame(np.full((48, 64), 200, np.uint8), time.monotonic(), None, lambda: None)
    def close(self): pass
choose.open_camera = lambda source, options: Camera()
choose.check_source = lambda source: None
{EDGE_MNIST}
"""
# The same that takes its time between serving the page and reading the first frame.
SLOW_TO_BEGIN = f"""
import time
from edge_mnist.edge.commands import live as cli
make_sinks = cli.make_sinks
def make_sinks_slowly(*arguments, **options):
    time.sleep(1)
    return make_sinks(*arguments, **options)
cli.make_sinks = make_sinks_slowly
{EDGE_MNIST}
"""


@pytest.fixture(scope="module")
def page():
    return draw_sized_page((640, 480), 10, 1)


@pytest.fixture(scope="module")
def video(page, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten digits for a bit more than a second."""
    path = tmp_path_factory.mktemp("live") / "ten.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, (640, 480))
    for _ in range(FRAMES):
        writer.write(cv2.cvtColor(page.frame, cv2.COLOR_GRAY2BGR))
    writer.release()
    return path


def live(*arguments: object) -> list[dict[str, Any]]:
    result = edge_mnist("live", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_the_digits_of_a_video_are_announced_once(page, video: Path):
    events = live("--camera", video, "--fps", 0)

    assert [event["event"] for event in events] == ["camera", "reading", "camera"]
    assert [event["state"] for event in events if event["event"] == "camera"] == ["open", "ended"]
    assert events[1]["announced"] == list(page.rows)
    assert events[1]["frame"] == 1, "the second frame"
    assert events[1]["source"] == str(video)


def test_every_frame_of_a_video_is_read(video: Path):
    events = live("--camera", video, "--fps", 0, "--every-frame")

    readings = [event for event in events if event["event"] == "reading"]
    assert [reading["frame"] for reading in readings] == list(range(FRAMES))


def test_a_video_is_played_again_and_again_until_enough(video: Path):
    events = live("--camera", video, "--fps", 0, "--loop", "--frames", FRAMES + 5, "--every-frame")

    assert events[-1]["frame"] == FRAMES + 4


def test_a_video_is_played_as_fast_as_it_says(video: Path):
    began = time.monotonic()

    live("--camera", video)

    assert time.monotonic() - began > 0.9 * FRAMES / 30


def test_several_sinks_take_what_happens(page, video: Path, tmp_path: Path):
    result = edge_mnist(
        "live", "--camera", video, "--fps", 0, "--jsonl", tmp_path / "log", "--stills", tmp_path / "new"
    )

    assert result.exit_code == 0
    assert " / ".join(page.rows) in result.stdout
    assert len((tmp_path / "log").read_text().splitlines()) == 3
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_verbose_tells_how_fast_it_was(video: Path):
    process = start("live", "--camera", video, "--fps", 0, "--verbose")
    _, errors = process.communicate(timeout=30)

    assert process.returncode == 0
    assert re.search(rf"{FRAMES} frames read, \d+\.\d per second; 0 skipped\.", errors)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["--camera", "no-such-file.mp4"], 1, "no-such-file.mp4"),
        (["--camera", "rtmp://host/stream"], 1, "rtmp"),
        (["--size", "640"], 2, "not a size in pixels"),
        (["--size", "0x480"], 2, "not a size in pixels"),
        (["--rotate", "45"], 2, "45"),
        (["--fps", "-1"], 2, "-1"),
        (["--focus", "near"], 2, "neither auto nor dioptres"),
        (["--web", "0.0.0.0:"], 2, "neither a port"),
        (["--web", "99999"], 2, "neither a port"),
        (["--frames", "0"], 2, "0"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_cannot_be_is_refused_with_a_sentence(arguments: list[str], exit_code: int, message: str):
    result = edge_mnist("live", *arguments)

    assert result.exit_code == exit_code
    assert message in result.output
    assert "Traceback" not in result.output


def test_the_answers_about_camera_and_model_are_taken_over():
    taken: dict[str, Any] = {}

    @click.command()
    @camera_options
    @model_options
    def command(**answers: Any) -> None:
        taken.update(answers)

    line = (
        "--camera v4l2:/dev/video2 --size 1280x720 --fps 15 --rotate 270 --hflip --vflip --exposure-us 9000 --gain 2.5 "
        "--focus 2.5 --loop --model there --runtime litert --precision float32 --threads 2"
    )
    result = CliRunner().invoke(command, line.split())

    assert result.exit_code == 0, result.output
    options = CameraOptions(1280, 720, 15.0, 270, True, True, 9000, 2.5, 2.5, True)
    assert taken["camera"] == CameraChoice("v4l2:/dev/video2", options)
    assert taken["model"] == ModelChoice(Path("there"), "litert", "float32", 2)


def test_without_answers_the_camera_has_its_way():
    taken: dict[str, Any] = {}

    @click.command()
    @camera_options
    def command(**answers: Any) -> None:
        taken.update(answers)

    CliRunner().invoke(command, ["--focus", "auto"])

    assert taken["camera"] == CameraChoice("auto", CameraOptions(focus="auto"))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("8000", ("127.0.0.1", 8000)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),  # noqa: S104 - it is the user's wish
        ("[::1]:8000", ("::1", 8000)),
        ("pi.local:0", ("pi.local", 0)),
    ],
)
def test_an_address_is_a_port_or_a_host_and_a_port(text: str, address: tuple[str, int]):
    assert AddressType().convert(text, None, None) == address


def start(*arguments: object, code: str = EDGE_MNIST, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("camera", ["works", "hangs"])
def test_a_signal_stops_it_cleanly_whatever_the_camera_does(
    number: signal.Signals, camera: str, video: Path, tmp_path: Path
):
    log = tmp_path / "log.jsonl"
    process = start(
        "live",
        "--camera",
        video,
        "--loop",
        "--jsonl",
        log,
        "--every-frame",
        code=HANGING if camera == "hangs" else EDGE_MNIST,
    )
    assert process.stdout is not None
    # It runs.
    process.stdout.readline()
    time.sleep(0.5)

    process.send_signal(number)
    # The camera that hangs would answer after a minute.
    _, errors = process.communicate(timeout=30)

    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert all(json.loads(line) for line in log.read_text().splitlines())


@pytest.mark.parametrize("code", [EDGE_MNIST, SLOW_TO_BEGIN], ids=["works", "has not begun"])
def test_the_page_is_served_beside_it_until_it_is_stopped(video: Path, code: str):
    pytest.importorskip("uvicorn")
    process = start("live", "--camera", video, "--loop", "--web", 0, code=code)
    try:
        assert process.stderr is not None
        url = re.search(r"http://127\.0\.0\.1:\d+/", process.stderr.readline())
        assert url is not None
        with urllib.request.urlopen(url[0], timeout=10) as answer:  # noqa: S310 - it is ours
            assert b"<html" in answer.read()
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)

    assert process.returncode == 0, errors
