"""Tables give way to narrow terminals, and to nothing else."""

import sys

import pytest

from edge_mnist.edge.common.terminal.tables import format_table_to_width

HEAD = ["file", "size", "note", "more"]
ROWS = [["standard", "1,000", "a" * 20, "b" * 30], ["nano", "10", "c", "d"]]
ALIGN = ["left", "right", "left", "left"]


def _format(monkeypatch: pytest.MonkeyPatch, columns: int, is_terminal: bool = True) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal, raising=False)
    return format_table_to_width(HEAD, ROWS, ALIGN, secondary=["note", "more"]).splitlines()


@pytest.mark.parametrize(
    ("columns", "shown", "below"),
    [(200, HEAD, None), (60, HEAD[:3], "A wider terminal also shows: more."),
     (30, HEAD[:2], "A wider terminal also shows: note, more."),
     (5, HEAD[:2], "A wider terminal also shows: note, more.")],
    ids=["wide", "narrower", "narrow", "too narrow for anything"],
)  # fmt: skip
def test_what_matters_least_goes_first(
    monkeypatch: pytest.MonkeyPatch, columns: int, shown: list[str], below: str | None
) -> None:
    lines = _format(monkeypatch, columns)

    assert lines[0].split() == shown
    assert lines[4:] == ([below] if below else [])


def test_a_table_that_fills_its_terminal_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    width = max(map(len, _format(monkeypatch, 200)))

    assert _format(monkeypatch, width)[0].split() == HEAD
    assert _format(monkeypatch, width - 1)[0].split() == HEAD[:3]


def test_a_pipe_gets_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _format(monkeypatch, 5, is_terminal=False) == _format(monkeypatch, 200)


def test_figures_are_shown_as_they_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = _format(monkeypatch, 200)

    assert [line[:17].rstrip() for line in lines[2:]] == ["standard   1,000", "nano          10"]
