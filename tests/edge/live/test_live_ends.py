"""How `edge-mnist live` ends: at a signal whatever it is at, and at the end of a file that is damaged or gone."""

import json
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import pytest

from edge_mnist.benchmarks.scenes.sized_pages import draw_sized_page
from edge_mnist.edge.commands import live as cli
from tests.conftest import edge_mnist

FRAMES = 40
EDGE_MNIST = "import sys; from edge_mnist.cli import main; sys.argv[0] = 'edge-mnist'; main()"
# The command whose reader is at a frame for ever, in many small steps.
READING_FOR_EVER = f"""
import time
from edge_mnist.edge.reading.reader import Reader
def read(self, frame):
    print("reading", flush=True)
    while True:
        time.sleep(0.01)
Reader.read = read
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


def start(*arguments: object, code: str = EDGE_MNIST) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("options", [[], ["--loop"]], ids=["once", "in a loop"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_video_that_is_cut_off_is_an_error_after_its_last_frame(
    share: float, options: list[str], video: Path, tmp_path: Path
):
    cut = tmp_path / "cut.avi"
    cut.write_bytes(video.read_bytes()[: round(share * video.stat().st_size)])

    result = edge_mnist("live", "--camera", cut, "--fps", 0, "--json", "--every-frame", *options)

    assert result.exit_code == 1
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert 0.3 * share * FRAMES < len(events) < FRAMES
    assert (events[-1]["event"], events[-1]["state"]) == ("camera", "ended")
    assert re.search(
        rf"Error: .*cut\.avi: \d+ of about {FRAMES} frames could be decoded; the video is trunc", result.stderr
    )


def test_a_video_that_is_gone_when_it_begins_again_is_an_error(video: Path, tmp_path: Path):
    copy = tmp_path / "copy.avi"
    copy.write_bytes(video.read_bytes())
    process = start("live", "--camera", copy, "--loop", "--json")
    assert process.stdout is not None
    process.stdout.readline()
    copy.unlink()

    _, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    assert errors == f"Error: {copy}: cannot be read (No such file or directory).\n"


def test_a_folder_of_which_a_picture_is_gone_is_an_error_after_the_others(page, tmp_path: Path):
    for name in ("a.png", "b.png", "c.png"):
        cv2.imwrite(str(tmp_path / name), page.frame)
    process = start("live", "--camera", tmp_path, "--fps", 1, "--json")
    assert process.stdout is not None
    process.stdout.readline()
    # The next one is decoded while the first is shown.
    (tmp_path / "c.png").unlink()

    _, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "1 of 3 pictures could not be read; the first: " in errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_while_a_frame_is_read(number: signal.Signals, video: Path):
    process = start("live", "--camera", video, "--loop", code=READING_FOR_EVER)
    assert process.stdout is not None
    while "reading" not in process.stdout.readline():
        assert process.poll() is None

    process.send_signal(number)
    _, errors = process.communicate(timeout=30)

    assert (process.returncode, errors) == (0, "")


def test_a_signal_ends_it_while_a_thread_of_the_page_computes(video: Path):
    """Python waits at its end for threads of that kind."""
    code = f"""
import threading, time
from edge_mnist.edge.commands import live as cli
serve = cli.make_sinks
def make_sinks(*arguments, **options):
    threading.Thread(target=time.sleep, args=(300,)).start()
    return serve(*arguments, **options)
cli.make_sinks = make_sinks
{EDGE_MNIST}
"""
    process = start("live", "--camera", video, "--loop", "--json", code=code)
    assert process.stdout is not None
    process.stdout.readline()

    process.send_signal(signal.SIGTERM)

    assert process.wait(timeout=60) == 0
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_recording_is_finished_at_a_signal(number: signal.Signals, video: Path, tmp_path: Path):
    path = tmp_path / "night.mp4"
    process = start("live", "--camera", video, "--loop", "--json", "--every-frame", "--record", path)
    assert process.stdout is not None
    for _ in range(40):
        process.stdout.readline()

    process.send_signal(number)
    _, errors = process.communicate(timeout=30)

    assert (process.returncode, errors) == (0, "")
    assert [left.name for left in tmp_path.iterdir()] == [path.name]
    assert cv2.VideoCapture(str(path)).grab()


@pytest.mark.parametrize("ends_by_itself", [True, False])
def test_the_process_is_ended_only_where_the_command_does_not_end_by_itself(
    ends_by_itself: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(cli, "end_now", ended.append)
    monkeypatch.setattr(cli, "ENDS_WITHIN_S", 0.2)
    stopper = cli.LoopStopper()

    stopper.stop_by_signal(signal.SIGTERM, None)
    timers = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    if ends_by_itself:
        stopper.close()
    for timer in timers:
        timer.join(20)

    assert ended == ([] if ends_by_itself else [0])
