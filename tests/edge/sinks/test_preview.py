"""The preview window: what it shows, what closes it, and what is said where there is none."""

import threading

import pytest

from edge_mnist.edge.common.errors import EdgeMnistError
from edge_mnist.edge.sinks import preview
from edge_mnist.edge.sinks.preview import PreviewSink
from tests.conftest import python_process
from tests.stand_ins.screen import display

__all__ = ["display"]

PATIENCE_S = 20.0


# A window in a process of its own, as Tk wants: what it shows is looked at, and keys pressed, from its own thread.
PREVIEW = """
import gc, sys, threading, time
import numpy as np
from edge_mnist.edge.sinks import preview
from edge_mnist.edge.live.sink_thread import SinkThread
from tests.builders.sightings import make_change, make_sighting

seen = []
class Window(preview.Window):
    key = None
    def display(self, pixels, title):
        super().display(pixels, title)
        seen.append((title, pixels.shape, int(pixels.max())))
    def is_wanted(self):
        if Window.key and seen:
            self._root.focus_force()
            self._root.event_generate(f"<Key-{Window.key}>")
        return super().is_wanted()
preview.Window = Window

def wait_for(condition):
    end = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < end, seen
        time.sleep(0.02)

closed = []
sink = preview.PreviewSink(lambda: closed.append(threading.current_thread().name))
outlet = SinkThread(sink)
wait_for(outlet.wants_picture)
outlet.put(make_change())
outlet.put(make_sighting(rows=("12", "3"), picture=np.full((480, 640, 3), 255, np.uint8)))
wait_for(lambda: len(seen) == 1)
outlet.put(make_change("lost", "unplugged"))
wait_for(lambda: len(seen) == 2)
if sys.argv[1] != "none":
    Window.key = "space"
    time.sleep(0.2)
    print(closed, end=" ")
    Window.key = sys.argv[1]
    wait_for(lambda: closed)
    print(outlet.wants_picture(), end=" ")
print(outlet.close(5), closed, seen)
gc.collect()
"""
SEEN = "[('auto: 12, 3', (480, 640, 3), 255), ('auto lost: unplugged', (480, 640, 3), 85)]\n"


@pytest.mark.parametrize("key", ["q", "Escape"])
def test_a_key_closes_the_window_and_stops_the_loop(key: str, display: str) -> None:
    process = python_process(PREVIEW, key, DISPLAY=display)

    assert process.stdout == f"[] False True ['preview window'] {SEEN}", process.stderr
    assert process.returncode == 0


def test_a_loop_that_ends_closes_the_window(display: str) -> None:
    process = python_process(PREVIEW, "none", DISPLAY=display)

    assert process.stdout == f"True [] {SEEN}", process.stderr
    assert process.returncode == 0


def test_a_preview_without_a_display_is_one_sentence() -> None:
    pytest.importorskip("tkinter", reason="needs tkinter: apt install python3-tk")
    code = """
from edge_mnist.edge.commands.sink_options import SinkSettings, make_sinks
from edge_mnist.edge.common.errors import EdgeMnistError
try:
    make_sinks(SinkSettings(as_json=True, show=True), print)
except EdgeMnistError as error:
    print(error)
"""

    process = python_process(code, DISPLAY="")

    assert process.stdout.startswith("--show needs a display (")
    assert "Use --stills FOLDER instead." in process.stdout


def test_a_display_that_does_not_answer_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, closed = threading.Event(), threading.Event()

    class SlowWindow:
        def __init__(self, _: str) -> None:
            answers.wait(PATIENCE_S)

        def is_wanted(self) -> bool:
            return True

        def close(self) -> None:
            closed.set()

    monkeypatch.setattr(preview, "Window", SlowWindow)
    monkeypatch.setattr(preview, "OPEN_TIMEOUT_S", 0.05)

    with pytest.raises(EdgeMnistError, match=r"did not answer within 0\.05 s\. Use --stills FOLDER instead\."):
        PreviewSink(pytest.fail)

    answers.set()
    assert closed.wait(PATIENCE_S), "one that opens after all closes at once"
