"""The table that a terminal shows: it fits, says everything, and leaves the terminal as it was."""

import io
import re

import pytest
from rich.console import Console

from edge_mnist.edge.sinks import terminal
from edge_mnist.edge.sinks.terminal import TerminalSink, draw_big
from tests.builders.sightings import make_change, make_sighting


def test_big_digits_are_as_large_as_fits() -> None:
    assert draw_big(("17",), 80, 24) == [
        "  ██    ██████",
        "████        ██",
        "  ██        ██",
        "  ██        ██",
        "██████      ██",
    ]
    assert draw_big(("17",), 13, 24) == ["▄█  ▀▀█", " █    █", "▀▀▀   ▀"]
    assert draw_big(("17", "2"), 80, 6) == ["17", "2"]
    assert draw_big(("17",), 6, 24) == ["17"]


def _screen(width: int, height: int) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, height=height, color_system=None)


def _draw(console: Console, *events: object) -> list[str]:
    """What a terminal of this size shows at last."""
    sink = TerminalSink(console)
    for event in events:
        sink.take(event)  # pyright: ignore[reportArgumentType]
    sink.close()
    assert isinstance(console.file, io.StringIO)
    # Each drawing begins where the one before did, which ends with the last "erase line".
    text = console.file.getvalue().split("\x1b[2K")[-1]
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).splitlines()


@pytest.mark.parametrize(("width", "height"), [(120, 40), (80, 24), (40, 24), (30, 10), (20, 6)])
def test_the_table_fits_into_any_terminal(width: int, height: int) -> None:
    lines = _draw(_screen(width, height), make_change(), make_sighting(0, ("1234567", "89"), is_new=True))

    assert max(map(len, lines)) <= width
    assert len(lines) <= height
    assert any(re.search(r"[0-9█▀▄]", line) for line in lines)


def test_the_table_shows_announcement_rates_stages_and_camera() -> None:
    text = "\n".join(_draw(_screen(100, 30), make_change(), make_sighting(0, ("17",), is_new=True)))

    assert "camera open /dev/video0, 320x240" in text
    assert "  ██    ██████" in text
    assert "reads 15.5 of 16.0 fps | latency 5.2 ms | 2 digits tracked | 3 frames skipped" in text
    for stage in ("capture", "find", "frame", "infer", "track", "draw", "publish"):
        assert re.search(rf"{stage} +1\.50 +█", text)
    assert re.search(r"all +9\.00 ms of the 62\.5 ms between frames", text)


def test_a_lost_camera_says_why_and_that_the_announcement_is_old() -> None:
    text = "\n".join(_draw(_screen(60, 30), make_sighting(is_new=True), make_change("lost", "It was unplugged. " * 5)))

    assert text.count("unplugged") == 5
    assert "announced before" in text


def test_the_cursor_comes_back() -> None:
    console = _screen(80, 24)

    _draw(console, make_sighting())

    assert isinstance(console.file, io.StringIO)
    output = console.file.getvalue()
    assert output.rindex("\x1b[?25h") > output.rindex("\x1b[?25l")


def test_the_table_is_drawn_no_faster_than_people_read(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(terminal.time, "sleep", slept.append)

    _draw(_screen(80, 24), *(make_sighting(i) for i in range(3)))

    assert slept[0] == 0
    assert all(0.05 < seconds <= 1 / terminal.DRAW_FPS for seconds in slept[1:])
