"""The live loop: newest frames, read while the next one is captured, and given back, whatever happens."""

import errno
import time
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_mnist.edge.cameras.camera import CameraError, CameraFileError, CameraOptions, CameraUnsupportedError
from edge_mnist.edge.cameras.folder import FolderCamera
from edge_mnist.edge.commands.live import ENDS_WITHIN_S
from edge_mnist.edge.live.events import STAGES
from edge_mnist.edge.live.loop import CAMERA_CLOSES_S, SINKS_CLOSE_S, TICK_S, LiveLoop
from edge_mnist.edge.live.settings import LiveSettings
from edge_mnist.edge.live.sink_thread import SinkError
from edge_mnist.edge.reading.reader import Reading
from tests.stand_ins.faulty_camera import FakeReader, FaultyCamera, Notes, Running, running, wait


def make_loop(camera, reader=None, sinks=(), **settings) -> LiveLoop:
    return LiveLoop(camera.open, "test camera", reader or FakeReader(), sinks, LiveSettings(**settings))


def all_came_back_once(camera: FaultyCamera) -> bool:
    return sorted(camera.released) == list(range(camera.given))


def test_every_frame_of_a_file_is_read_in_order():
    camera, reader = FaultyCamera(fps=10_000, waits=True, length=300), FakeReader()
    notes = Notes()

    make_loop(camera, reader, [notes]).run()

    assert reader.numbers == [i % 256 for i in range(300)]
    assert [sighting.index for sighting in notes.sightings] == list(range(300))
    assert notes.sightings[-1].rates.skipped == 0
    assert notes.states == ["open", "ended"]
    assert notes.is_closed
    assert all_came_back_once(camera)


def test_a_folder_of_pictures_of_all_sizes_is_read_to_its_end(tmp_path: Path):
    sizes = [(48, 64), (96, 64), (30, 200)]
    for number, shape in enumerate(sizes):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full(shape, 255, np.uint8))
    notes = Notes()

    LiveLoop(lambda: FolderCamera(tmp_path, CameraOptions(fps=0)), str(tmp_path), FakeReader(), [notes]).run()

    assert [sighting.frame_size[::-1] for sighting in notes.sightings] == sizes
    assert notes.states == ["open", "ended"]


def test_a_slow_reader_gets_the_newest_frame_of_a_camera():
    camera, reader, notes = FaultyCamera(fps=1000), FakeReader(takes_s=0.03), Notes()

    make_loop(camera, reader, [notes], frames=20).run()

    assert camera.given > 40
    skipped = notes.sightings[-1].rates.skipped
    assert 0 < camera.given - skipped - 20 <= 2, "the others are the last ones, which nobody took"
    assert all_came_back_once(camera)
    # One that waited in a queue would be older with every frame: by 300 ms after ten others.
    ages_ms = [sighting.latency_ms for sighting in notes.sightings]
    assert np.median(ages_ms[10:]) - np.median(ages_ms[:10]) < 150


def test_the_next_frame_is_captured_while_one_is_read():
    camera, given = FaultyCamera(fps=1000, waits=True, length=25), []

    class Waiting(FakeReader):
        def read(self, frame: np.ndarray) -> Reading:
            """Only ends when there is another frame."""
            wait(lambda: camera.given > min(len(given) + 1, 24))
            given.append(camera.given)
            return super().read(frame)

    make_loop(camera, Waiting()).run()

    assert len(given) == 25


def test_a_cap_is_kept():
    camera, notes = FaultyCamera(fps=200), Notes()

    make_loop(camera, sinks=[notes], fps=20, seconds=1.5).run()

    assert 5 <= len(notes.sightings) <= 1.5 * 20 / 0.95 + 1
    assert notes.sightings[-1].rates.read_fps < 22
    assert all_came_back_once(camera)


def test_a_sighting_tells_all_stages_and_the_frame():
    camera, notes = FaultyCamera(waits=True, length=5), Notes()

    make_loop(camera, sinks=[notes]).run()

    last = notes.sightings[-1]
    assert tuple(last.timing_ms) == STAGES
    assert last.timing_ms["capture"] >= 5
    assert last.timing_ms["find"] == 1.0
    assert last.frame_size == (64, 48)
    assert last.source == "test camera"
    assert abs(last.captured_at - time.time()) < 5
    assert last.rates.camera_fps > 0
    assert last.rates.read_fps > 0
    assert last.picture is None


def test_what_is_steadily_seen_is_announced_with_its_second_frame():
    camera, notes = FaultyCamera(waits=True, length=4), Notes()

    make_loop(camera, sinks=[notes]).run()

    assert [sighting.rows for sighting in notes.sightings] == [(), ("12", "3"), ("12", "3"), ("12", "3")]
    assert [sighting.is_new for sighting in notes.sightings] == [False, True, False, False]


def test_only_a_sink_that_wants_a_picture_has_one_made():
    camera = FaultyCamera(fps=100)
    notes = Notes(wants=True, backlog="newest")

    with running(make_loop(camera, sinks=[notes])):
        wait(lambda: len(notes.sightings) > 3)
        notes.wants = False
        wait(lambda: notes.sightings[-1].picture is None)

    assert notes.sightings[0].picture.shape == (96, 128, 3)


def test_a_slow_sink_does_not_slow_reading():
    camera, slow = FaultyCamera(fps=500, waits=True, length=300), Notes(takes_s=0.1)

    loop = make_loop(camera, sinks=[slow])
    with running(loop):
        wait(lambda: loop.frames_read == 300)
        taken = len(slow.events)

    assert taken < 150, "300 events take the sink half a minute"


def test_a_number_of_frames_or_a_time_ends_it():
    assert _count(frames=7) == 7
    assert _count(seconds=0.3) > 0


def _count(**settings) -> int:
    camera = FaultyCamera()
    loop = make_loop(camera, **settings)
    loop.run()
    assert all_came_back_once(camera)
    assert camera.closed == 1
    return loop.frames_read


def test_a_camera_with_padded_rows_is_read():
    camera, reader = FaultyCamera(waits=True, length=3), FakeReader()
    camera.faults.stride = 128

    make_loop(camera, reader).run()

    assert reader.numbers == [0, 1, 2]


def test_what_a_reader_raises_ends_it_cleanly():
    camera, notes = FaultyCamera(), Notes()

    with pytest.raises(ZeroDivisionError):
        make_loop(camera, FakeReader(broken=ZeroDivisionError()), [notes]).run()

    assert notes.is_closed
    assert camera.closed == 1
    assert all_came_back_once(camera)


def test_a_camera_that_is_refused_ends_it_at_once():
    def refuse():
        raise CameraUnsupportedError("picamera2 is not installed.")

    notes = Notes()

    with pytest.raises(CameraUnsupportedError, match="not installed"):
        LiveLoop(refuse, "picamera2", FakeReader(), [notes], LiveSettings(wait_for_camera=True)).run()

    assert notes.is_closed
    assert notes.states == []


def test_a_camera_that_never_worked_ends_it_with_a_sentence():
    camera = FaultyCamera()
    camera.faults.unplugged = True

    with pytest.raises(CameraError, match="No such device"):
        make_loop(camera).run()


def test_a_camera_that_gives_nothing_at_all_is_no_empty_file():
    camera = FaultyCamera(length=0)

    with pytest.raises(CameraError, match="it delivered no frame"):
        make_loop(camera).run()

    assert camera.closed == 1


def test_a_camera_that_hangs_while_it_is_opened_first_ends_it_with_a_sentence():
    camera = FaultyCamera()

    with camera.hanging_at_opening(), pytest.raises(CameraError, match=r"did not open within 0\.5 s"):
        make_loop(camera, first_open_s=0.5, silence_s=0.2).run()

    wait(lambda: camera.closed == 1)


def test_a_camera_is_waited_for_when_asked_to():
    camera, notes = FaultyCamera(), Notes()
    camera.faults.unplugged = True

    with running(make_loop(camera, sinks=[notes], wait_for_camera=True)):
        wait(lambda: camera.tries >= 3)
        camera.faults.unplugged = False
        wait(lambda: notes.sightings)

    assert notes.states == ["lost", "open"]


@pytest.mark.parametrize("hangs", ["nowhere", "at opening", "at a frame"])
def test_stopping_waits_for_no_camera_and_no_sink(hangs: str):
    """Both would take a minute; how long they are waited for is in the next test."""
    camera, slow = FaultyCamera(), Notes(takes_s=60)
    loop = make_loop(camera, sinks=[slow])
    with ExitStack() as stack:
        if hangs == "at opening":
            stack.enter_context(camera.hanging_at_opening())
        run = Running(loop)
        wait(lambda: camera.tries if hangs == "at opening" else loop.frames_read > 3)
        if hangs == "at a frame":
            stack.enter_context(camera.hanging())

        loop.stop()
        run.finish()

    wait(lambda: camera.closed == camera.opened)
    assert all_came_back_once(camera)


def test_stopping_is_planned_to_take_less_than_a_second():
    """Not measured: how long it takes depends on what else the machine does."""
    assert TICK_S + CAMERA_CLOSES_S + SINKS_CLOSE_S < ENDS_WITHIN_S <= 1.0


def test_a_loop_whose_sinks_all_failed_for_good_ends_with_a_sentence():
    class Broken(Notes):
        def take(self, event: object) -> None:
            raise SinkError("the disk is gone.")

    loop = make_loop(FaultyCamera(), sinks=[Broken(name="log"), Broken(name="video")])

    with pytest.raises(SinkError, match=r"^log, video: some output could not be written"):
        loop.run()


def test_a_loop_goes_on_for_a_sink_that_is_left_and_ends_with_a_sentence():
    class Broken(Notes):
        def take(self, event: object) -> None:
            raise SinkError("the disk is gone.")

    notes = Notes()
    loop = make_loop(FaultyCamera(waits=True, length=30), sinks=[Broken(name="log"), notes])

    with pytest.raises(SinkError, match=r"^log: some output could not be written"):
        loop.run()

    assert len(notes.sightings) == 30


def test_an_event_that_a_full_disk_did_not_take_is_told_at_the_end_too():
    class FullAtFirst(Notes):
        def take(self, event: object) -> None:
            super().take(event)
            if len(self.events) == 1:
                raise OSError(errno.ENOSPC, "No space left on device")

    notes = FullAtFirst(name="log")

    with pytest.raises(SinkError, match=r"^log: some output could not be written"):
        make_loop(FaultyCamera(waits=True, length=5), sinks=[notes]).run()

    assert len(notes.sightings) == 5


def test_a_file_that_cannot_be_played_to_its_end_is_not_opened_again():
    camera, notes = FaultyCamera(), Notes()

    with running(make_loop(camera, sinks=[notes])) as run:
        wait(lambda: notes.sightings)
        camera.faults.raising = CameraFileError("it is cut off.")
        with pytest.raises(CameraFileError, match=r"^test camera: it is cut off\.$"):
            run.finish()
        run.error = None

    assert notes.states == ["open", "ended"]
    assert camera.opened == 1
