"""Whatever goes wrong with a camera: it is noticed, reported once, and the camera is back soon after it can be."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from edge_mnist.edge.cameras.camera import CameraError
from edge_mnist.edge.live.loop import TICK_S, LiveLoop
from edge_mnist.edge.live.settings import LiveSettings
from edge_mnist.edge.live.watchdog import LONGEST_PAUSE_S, MOST_STUCK
from tests.stand_ins.faulty_camera import FakeReader, FaultyCamera, Notes, running, wait

# Far more than the contract, see the next test: how long it takes depends on what else the machine does.
NOTICED_S = BACK_S = 60.0
# Set here so that tests are quick.
SILENCE_S = 0.4


def test_a_camera_is_planned_to_be_lost_and_back_within_five_seconds():
    assert LiveSettings().longest_silence_s + TICK_S < 5.0
    assert LONGEST_PAUSE_S + TICK_S < 5.0


@contextmanager
def live(camera: FaultyCamera, **settings) -> Iterator[tuple[LiveLoop, Notes]]:
    """A loop that has read its first frames, and runs until the block ends; then every buffer must have come back."""
    notes = Notes()
    loop = LiveLoop(
        camera.open, "/dev/video7", FakeReader(), [notes], LiveSettings(**{"silence_s": SILENCE_S, **settings})
    )
    with running(loop):
        wait(lambda: len(notes.sightings) > 5)
        yield loop, notes
    wait(lambda: camera.closed == camera.opened)
    assert sorted(camera.released) == list(range(camera.given)), "each frame comes back, and once"
    assert not camera.used_late, "a camera was used after it was closed"


def is_lost(notes: Notes) -> Callable[[], bool]:
    return lambda: notes.states[-1] == "lost"


def is_back(notes: Notes) -> Callable[[], bool]:
    return lambda: notes.states[-1] == "open"


FAULTS = {
    "unplugged": ({"unplugged": True}, "No such device"),
    "camera error": ({"raising": CameraError("the sensor is hot")}, "the sensor is hot"),
    "any other error": ({"raising": RuntimeError("V4L2: -5")}, "RuntimeError: V4L2: -5"),
    "not a frame": ({"odd": "nothing"}, "delivered str, expected a gray frame"),
    "colours": ({"odd": np.zeros((48, 64, 3), np.uint8)}, r"delivered uint8 \(48, 64, 3\), expected"),
    "ten bits": ({"odd": np.zeros((48, 64), np.uint16)}, "delivered uint16 .*, expected"),
    "empty": ({"odd": np.zeros((0, 64), np.uint8)}, "delivered uint8 .*, expected"),
}


@pytest.mark.parametrize(("fault", "message"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_noticed_reported_once_and_overcome(fault: dict[str, object], message: str):
    camera = FaultyCamera()
    with live(camera) as (loop, notes):
        healthy = camera.faults

        camera.faults = replace(healthy, **fault)
        wait(is_lost(notes), NOTICED_S)
        # Tried again in the meantime, and nothing new to report.
        wait(lambda: camera.tries >= 3)
        camera.faults = healthy
        wait(is_back(notes), BACK_S)
        read = loop.frames_read
        wait(lambda: loop.frames_read > read + 5)

    assert notes.states == ["open", "lost", "open"]
    assert re.match(f"/dev/video7: .*{message}", notes.why_lost)


def test_a_camera_that_hangs_is_given_up_and_another_thread_opens_it():
    camera = FaultyCamera()
    with live(camera) as (loop, notes):
        with camera.hanging():
            wait(is_lost(notes), NOTICED_S)
            wait(lambda: camera.opened == 2)
        wait(is_back(notes), BACK_S)
        read = loop.frames_read
        wait(lambda: loop.frames_read > read + 5)

        # The thread that hung found itself given up, and let go of its camera.
        wait(lambda: camera.closed >= 1)

    assert notes.states == ["open", "lost", "open"]


def test_a_camera_that_hangs_while_it_is_opened_again_is_overcome():
    camera = FaultyCamera()
    with live(camera) as (_, notes):
        with camera.hanging_at_opening():
            camera.faults.unplugged = True
            wait(is_lost(notes), NOTICED_S)
            wait(lambda: camera.tries >= 3)
        camera.faults.unplugged = False
        wait(is_back(notes), BACK_S)

    assert notes.states == ["open", "lost", "open"]


def test_only_so_many_threads_hang_at_once():
    camera = FaultyCamera()
    with live(camera, silence_s=0.1) as (loop, notes):
        with camera.hanging():
            wait(lambda: not loop._watchdog.is_healthy)
            opened = camera.opened
            time.sleep(1.0)
            assert camera.opened == opened == MOST_STUCK
        wait(is_back(notes), BACK_S)
        assert loop._watchdog.is_healthy

    assert notes.states == ["open", "lost", "open"]


def test_another_size_is_another_camera():
    """It is opened anew, and frames of the new size are read; what was seen before is not followed into them."""
    camera = FaultyCamera()
    with live(camera) as (_, notes):
        before = {track.number for track in notes.sightings[-1].tracks}

        camera.faults.size = (128, 96)
        wait(lambda: notes.sightings[-1].frame_size == (128, 96), NOTICED_S)
        wait(lambda: notes.sightings[-1].rows == ("12", "3"))

        assert before.isdisjoint(track.number for track in notes.sightings[-1].tracks)

    assert notes.states == ["open", "lost", "open"]
    assert "changed from 64 x 48 to 128 x 96 pixels" in notes.why_lost


def test_a_torn_frame_is_a_frame():
    camera = FaultyCamera()
    with live(camera) as (loop, notes):
        camera.faults.torn = True
        read = loop.frames_read
        wait(lambda: loop.frames_read > read + 5)

    assert notes.states == ["open"]


def test_colours_that_cannot_be_had_lose_the_camera():
    camera = FaultyCamera()
    with live(camera) as (_, notes):
        notes.wants = True
        camera.faults.rgb_fails = True
        wait(is_lost(notes), NOTICED_S)
        camera.faults.rgb_fails = False
        wait(is_back(notes), BACK_S)

    assert "main stream is gone" in notes.why_lost


def test_buffers_that_cannot_be_given_back_lose_the_camera():
    camera = FaultyCamera()
    with live(camera) as (_, notes):
        camera.faults.release_fails = True
        wait(is_lost(notes), NOTICED_S)
        camera.faults.release_fails = False
        wait(is_back(notes), BACK_S)

    assert "the buffer is not ours" in notes.why_lost


def test_a_camera_that_cannot_be_closed_is_opened_all_the_same():
    camera = FaultyCamera()
    with live(camera) as (_, notes):
        camera.faults.close_fails = True
        camera.faults.unplugged = True
        wait(is_lost(notes), NOTICED_S)
        camera.faults.unplugged = False
        wait(is_back(notes), BACK_S)

    assert notes.states == ["open", "lost", "open"]


def test_a_short_loss_changes_nothing_that_is_announced():
    camera = FaultyCamera()
    with live(camera) as (loop, notes):
        camera.faults.unplugged = True
        wait(is_lost(notes), NOTICED_S)
        camera.faults.unplugged = False
        wait(is_back(notes), BACK_S)
        read = loop.frames_read
        wait(lambda: loop.frames_read > read + 5)

    assert sum(sighting.is_new for sighting in notes.sightings) == 1


def test_a_camera_that_gives_a_frame_in_five_seconds_is_not_lost_when_no_more_are_asked_for():
    camera, notes = FaultyCamera(fps=0.2), Notes()

    LiveLoop(camera.open, "slow", FakeReader(), [notes], LiveSettings(fps=0.2, frames=1)).run()

    assert notes.states == ["open"]


def test_pauses_grow_while_a_camera_is_gone():
    camera = FaultyCamera()
    tries: list[float] = []
    with live(camera) as (_, notes):
        camera.faults.unplugged = True
        wait(is_lost(notes), NOTICED_S)
        for n in (2, 3, 4):
            wait(lambda n=n: camera.tries >= n)
            tries.append(time.monotonic())
        camera.faults.unplugged = False

    assert tries[1] - tries[0] >= 0.45
    assert tries[2] - tries[1] >= 0.9
