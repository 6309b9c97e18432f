"""The way from the loop to a sink: what is lost when a sink is slow, and that the loop never waits for one."""

import errno
import logging
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from edge_mnist.edge.live.sink_thread import Backlog, SinkError, SinkThread, close_sinks
from tests.builders.sightings import FakeSink, make_change, make_sighting

# Nothing here takes as long; a test that would hang fails instead.
PATIENCE_S = 10.0
PICTURE = np.zeros((240, 320, 3), np.uint8)


class _Busy:
    """A sink that is busy with its first event until the test lets it go on."""

    def __init__(self, backlog: Backlog, capacity: int = 1000) -> None:
        self.go_on = threading.Event()
        started = threading.Event()
        self.sink = FakeSink(backlog, lambda _: (started.set(), self.go_on.wait(PATIENCE_S)))
        self.outlet = SinkThread(self.sink, capacity)
        self.outlet.put(make_change("open"))
        assert started.wait(PATIENCE_S)

    def finish(self) -> list:
        """What it took after the first event."""
        self.go_on.set()
        assert self.outlet.close(PATIENCE_S)
        return self.sink.taken[1:]


def _indices(events: list) -> list[int]:
    return [event.index for event in events]


def _wait_for(condition: Callable[[], object]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.005)


def test_a_sink_gets_every_event_in_order_and_is_closed_once() -> None:
    sink = FakeSink("all")
    outlet = SinkThread(sink)
    events = [make_sighting(i) for i in range(500)]

    for event in events:
        outlet.put(event)

    assert outlet.close(PATIENCE_S)
    assert sink.taken == events
    assert (sink.closed, outlet.dropped, outlet.broken) == (1, 0, None)


def test_only_the_newest_sighting_waits() -> None:
    busy = _Busy("newest")

    for i in range(100):
        busy.outlet.put(make_sighting(i))

    assert _indices(busy.finish()) == [99]
    assert busy.outlet.dropped == 0


def test_a_change_of_the_camera_is_not_lost_to_sightings() -> None:
    busy = _Busy("newest")
    lost, opened = make_change("lost"), make_change("open")
    before, after = make_sighting(1), make_sighting(2)

    for event in (lost, before, opened, after):
        busy.outlet.put(event)

    assert busy.finish() == [opened, after]


def test_the_newest_sighting_says_that_something_new_was_missed() -> None:
    busy = _Busy("newest")

    for i in range(10):
        busy.outlet.put(make_sighting(i, is_new=i == 4))

    assert [(event.index, event.is_new) for event in busy.finish()] == [(9, True)]


def test_a_picture_waits_for_its_sink_but_not_against_news() -> None:
    busy = _Busy("newest")
    assert busy.outlet.wants_picture()

    busy.outlet.put(make_sighting(1, picture=PICTURE))
    busy.outlet.put(make_sighting(2))
    wants_another = busy.outlet.wants_picture()
    taken = busy.finish()

    assert not wants_another
    assert _indices(taken) == [1]
    assert taken[0].picture is PICTURE
    busy = _Busy("newest")
    busy.outlet.put(make_sighting(1, picture=PICTURE))
    busy.outlet.put(make_sighting(2, is_new=True))
    assert _indices(busy.finish()) == [2]


def test_what_announces_nothing_is_lost_first_and_then_the_oldest() -> None:
    busy = _Busy("all", capacity=4)

    for i in range(12):
        busy.outlet.put(make_sighting(i, is_new=i % 2 == 0))

    assert _indices(busy.finish()) == [4, 6, 8, 10]
    assert busy.outlet.dropped == 8


def test_news_and_others_keep_their_order() -> None:
    busy = _Busy("all", capacity=6)

    for i in range(8):
        busy.outlet.put(make_sighting(i, is_new=i in {1, 2, 6}))

    assert _indices(busy.finish()) == [1, 2, 4, 5, 6, 7]


def test_pictures_do_not_pile_up() -> None:
    busy = _Busy("all")

    busy.outlet.put(make_sighting(1, picture=PICTURE))

    assert [event.picture for event in busy.finish()] == [None]


@pytest.mark.parametrize("backlog", ["newest", "all"])
def test_the_loop_does_not_wait_for_a_sink_that_hangs(backlog: Backlog) -> None:
    busy = _Busy(backlog)
    event = make_sighting(picture=PICTURE)
    spent_s = []

    for _ in range(5000):
        begin_s = time.thread_time()
        busy.outlet.put(event)
        spent_s.append(time.thread_time() - begin_s)

    # A few microseconds. Had one call waited, the test would not have come this far.
    assert np.median(spent_s) < 0.0005
    assert not busy.outlet.close(0.1)
    busy.go_on.set()


def test_a_slow_sink_is_closed_in_time_and_the_rest_counted() -> None:
    sink = FakeSink("all", lambda _: time.sleep(0.05))
    outlet = SinkThread(sink)
    for i in range(100):
        outlet.put(make_sighting(i))

    assert outlet.close(1.0)

    assert sink.closed == 1
    assert outlet.dropped == 100 - len(sink.taken)
    assert outlet.dropped > 0


def test_all_outlets_are_closed_at_the_same_time() -> None:
    hanging = [_Busy("all") for _ in range(3)]
    well = SinkThread(FakeSink("all"))

    begin_s = time.monotonic()
    late = close_sinks([*(busy.outlet for busy in hanging), well], 3.0)

    assert time.monotonic() - begin_s < 8, "one after the other they would take nine seconds"
    assert late == [busy.outlet for busy in hanging]
    for busy in hanging:
        busy.go_on.set()


def test_a_full_disk_is_reported_once_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    def fail_at_first(event: object) -> None:
        if event.index < 3:  # pyright: ignore[reportAttributeAccessIssue]
            raise OSError(errno.ENOSPC, "No space left on device")

    sink = FakeSink("all", fail_at_first)
    outlet = SinkThread(sink)

    outlet.put(make_sighting(0))
    outlet.put(make_sighting(1))
    outlet.put(make_sighting(2))
    _wait_for(lambda: len(sink.taken) == 3)
    _wait_for(lambda: outlet.broken)
    assert outlet.broken == "fake: No space left on device. It tries again at the next event."
    outlet.put(make_sighting(3))

    assert outlet.close(PATIENCE_S)
    assert outlet.broken is None
    assert [record.message for record in caplog.records] == [
        "fake: No space left on device. It tries again at the next event.",
        "fake: works again.",
    ]


@pytest.mark.parametrize(
    ("error", "broken"),
    [
        (SinkError("file.mp4: the disk is full."), "file.mp4: the disk is full."),
        (ZeroDivisionError("oops"), "fake: ZeroDivisionError: oops"),
    ],
    ids=["expected", "bug"],
)
def test_any_other_failure_ends_the_sink_and_is_reported_once(
    error: Exception, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object) -> None:
        raise error

    sink = FakeSink("all", fail)
    outlet = SinkThread(sink)

    outlet.put(make_sighting(0))
    _wait_for(lambda: sink.closed)
    outlet.put(make_sighting(1))

    assert outlet.close(PATIENCE_S)
    assert len(sink.taken) == 1
    assert outlet.broken == broken
    assert not outlet.wants_picture()
    (record,) = caplog.records
    assert broken in record.message
    assert bool(record.exc_info) == isinstance(error, ZeroDivisionError)


def test_a_backlog_has_room_for_one_event_at_least() -> None:
    with pytest.raises(ValueError, match="expected a capacity of 1 or more, got 0"):
        SinkThread(FakeSink("all"), capacity=0)
