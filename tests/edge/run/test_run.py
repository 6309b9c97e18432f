"""`edge-mnist run`: what it prints, draws and shows, and what it does when somebody stops listening."""

import fcntl
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from edge_mnist.benchmarks.scenes.pages import draw_page
from edge_mnist.cli import main
from edge_mnist.edge.commands import run as run_module
from edge_mnist.edge.media.pictures import read_gray, read_rgb
from edge_mnist.edge.sinks.annotate import LEFT_OUT_COLOUR, SURE_COLOUR
from tests.conftest import edge_mnist, edge_mnist_process, python_process
from tests.stand_ins.screen import display

__all__ = ["display"]

ROWS = ("1247", "89")
COMMAND = "from edge_mnist.cli import main; main()"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.png"
    Image.fromarray(draw_page(ROWS, seed=3)).save(path)
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three frames, a second each: 12, nothing, 47."""
    path = tmp_path_factory.mktemp("clip") / "clip.avi"
    frames = [draw_page((row,), seed=3) for row in ("12", "47")]
    frames.insert(1, np.full_like(frames[0], 200))
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), 1, frames[0].shape[::-1])
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
    writer.release()
    return path


def _documents(output: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines()]


def test_json_is_one_document_a_line(page: Path, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        shutil.copy(page, tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a picture, and not asked for")

    result = edge_mnist("run", tmp_path, "--json")

    assert result.exit_code == 0
    documents = _documents(result.stdout)
    assert [Path(str(document["source"])).name for document in documents] == ["a.png", "b.png"]
    for document in documents:
        assert set(document) == {"source", "frame", "time_s", "rows", "digits", "truncated", "timing_ms", "drawing"}
        assert document["rows"] == list(ROWS)
        assert set(document["digits"][0]) == {
            "digit", "confidence", "digit_probability", "class_probability", "score", "box"
        }  # fmt: skip
        assert len(document["digits"][0]["box"]) == 4
        assert list(document["timing_ms"]) == ["load", "find", "frame", "infer"]
        assert min(document["timing_ms"].values()) > 0


def test_text_says_rows_and_where_the_time_went(page: Path) -> None:
    result = edge_mnist("run", page)

    head, *rows = result.stdout.splitlines()
    assert head.startswith(f"{page}: 6 digits in ")
    assert [stage in head for stage in ("load", "find", "frame", "infer")] == [True] * 4
    assert [row.split()[0] for row in rows] == list(ROWS)
    assert all("least certain: " in row for row in rows)


def test_verbose_adds_a_line_for_each_digit(page: Path) -> None:
    lines = edge_mnist("run", page, "--verbose").stdout.splitlines()

    digits = [line for line in lines if "pixels at" in line]
    assert [line.split()[0] for line in digits] == list("".join(ROWS))
    assert len(lines) == 1 + len(ROWS) + len(digits)


def test_each_frame_of_a_video_is_a_reading(clip: Path) -> None:
    documents = _documents(edge_mnist("run", clip, "--json").stdout)

    assert [(d["frame"], d["time_s"], d["rows"]) for d in documents] == [(0, 0, ["12"]), (1, 1, []), (2, 2, ["47"])]


def test_a_video_of_a_folder_is_one_line(clip: Path, page: Path, tmp_path: Path) -> None:
    for path in (clip, page):
        shutil.copy(path, tmp_path)

    lines = edge_mnist("run", tmp_path).stdout.splitlines()
    (line,) = [line for line in lines if line.startswith(str(tmp_path / clip.name))]
    others = [len(edge_mnist("run", tmp_path, *more).stdout.splitlines()) for more in ([], ["-v"], ["--json"])]

    assert re.fullmatch(rf"{tmp_path / clip.name}: 3 frames in \d+\.\d s; 12 in 1, 47 in 1, no digits in 1", line)
    assert any(line.startswith(f"{tmp_path / page.name}: 6 digits") for line in lines)
    assert others[0] == 2 + len(ROWS)
    assert others[1] > others[0]
    assert others[2] == 4


@pytest.mark.parametrize("every", ["2", "1.5s"])
def test_videos_are_thinned_out(clip: Path, every: str) -> None:
    result = edge_mnist("run", clip, "--every", every)

    heads = [line for line in result.stdout.splitlines() if line.startswith(str(clip))]
    assert [head.partition(": ")[0] for head in heads] == [f"{clip}, frame 0 at 0.00 s", f"{clip}, frame 2 at 2.00 s"]


@pytest.mark.parametrize("every", ["0", "-1", "2m", "s", "nans", "infs", "1.5"])
def test_a_spacing_that_is_none_is_misuse(every: str) -> None:
    result = edge_mnist("run", "clip.avi", f"--every={every}")

    assert result.exit_code == 2
    assert "Invalid value for '--every'" in result.stderr


def _run_with_input(content: bytes, *arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["run", *arguments], input=content, catch_exceptions=False)
    return result.exit_code, result.stdout, result.stderr


def test_standard_input_is_read(page: Path) -> None:
    code, output, _ = _run_with_input(page.read_bytes(), "-", "--json")

    (document,) = _documents(output)
    assert code == 0
    assert (document["source"], document["frame"], document["rows"]) == ("-", 0, list(ROWS))


def test_a_damaged_picture_in_a_stream_costs_only_itself(page: Path) -> None:
    whole = page.read_bytes()
    damaged = whole[:3000] + bytes(100) + whole[3100:]

    code, output, errors = _run_with_input(whole + damaged + whole, "-", "--json")

    assert code == 1
    assert [document["frame"] for document in _documents(output)] == [0, 2]
    assert errors.startswith("Error: standard input, picture 1: ")
    assert len(errors.splitlines()) == 1


def test_standard_input_without_anything_is_one_sentence() -> None:
    assert _run_with_input(b"", "-") == (
        1, "", "Error: standard input: expected a picture, got nothing. Pipe one in, e.g. `< page.png`.\n"
    )  # fmt: skip


def test_a_closed_standard_input_is_one_sentence() -> None:
    process = subprocess.run(
        ["sh", "-c", '"$0" -c "$1" run - <&-', sys.executable, COMMAND], check=False, capture_output=True, text=True
    )

    assert process.returncode == 1
    assert process.stderr.startswith("Error: standard input: expected a picture, got nothing.")


def test_every_reading_is_drawn(page: Path, clip: Path, tmp_path: Path) -> None:
    result = edge_mnist("run", page, clip, "--annotate", tmp_path / "new" / "drawn", "--json")

    names = [Path(str(document["drawing"])).name for document in _documents(result.stdout)]
    assert names == ["page.digits.png", *(f"clip.{number:06d}.digits.jpg" for number in range(3))]
    drawn = tmp_path / "new" / "drawn"
    assert sorted(names) == sorted(path.name for path in drawn.iterdir())
    assert read_rgb(drawn / names[0]).shape[:2] == read_gray(page).shape
    assert (read_rgb(drawn / names[0]) == SURE_COLOUR).all(axis=2).any()


def test_an_explanation_names_each_piece_of_ink_in_text_json_and_drawing(tmp_path: Path) -> None:
    pixels = draw_page(ROWS, seed=3)
    pixels[:12] = 30  # a bar along the frame's edge
    page = tmp_path / "page.png"
    Image.fromarray(pixels).save(page)

    text = edge_mnist("run", page, "--explain").stdout
    (explained,) = _documents(edge_mnist("run", page, "--explain", "--json", "--annotate", tmp_path / "drawn").stdout)
    (plain,) = _documents(edge_mnist("run", page, "--json").stdout)

    assert "left out: lies along an edge of the frame (edge)" in text
    assert explained["digits"] == plain["digits"]
    assert "candidates" not in plain
    candidates = explained["candidates"]
    assert [c["box"] for c in candidates if c["fate"] == "digit"] == [d["box"] for d in explained["digits"]]
    assert any(c["fate"] == "edge" and c["score"] is None for c in candidates)
    assert (read_rgb(tmp_path / "drawn" / "page.digits.png") == LEFT_OUT_COLOUR).all(axis=2).any()


def test_drawing_changes_no_reading(tmp_path: Path) -> None:
    photo = tmp_path / "page.jpg"
    Image.fromarray(draw_page(ROWS, seed=3)).convert("RGB").save(photo, quality=50)

    (plain,) = _documents(edge_mnist("run", photo, "--json").stdout)
    (drawn,) = _documents(edge_mnist("run", photo, "--json", "--annotate", tmp_path / "drawn").stdout)

    assert plain["digits"] == drawn["digits"]


def test_a_folder_for_drawings_that_cannot_be_made_is_one_sentence(page: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")

    result = edge_mnist("run", page, "--annotate", tmp_path / "file")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert "cannot be created (File exists). Choose another --annotate." in result.stderr


class _FakeWindow:
    """Somebody looks at each picture and quits at the second."""

    shown: list[tuple[tuple[int, ...], str]]

    def __init__(self) -> None:
        _FakeWindow.shown = []

    def show(self, pixels: np.ndarray, title: str) -> bool:
        self.shown.append((pixels.shape, title))
        return len(self.shown) < 2

    def __enter__(self) -> "_FakeWindow":
        return self

    def __exit__(self, *_: object) -> None:
        self.shown.append(((), "closed"))


def test_showing_goes_on_until_somebody_quits(page: Path, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "Window", _FakeWindow)

    result = edge_mnist("run", page, clip, "--show", "--json")

    assert result.exit_code == 0
    assert len(_documents(result.stdout)) == 2
    height, width = draw_page(ROWS, seed=3).shape
    (first, title), (_, second_title), (_, closed) = _FakeWindow.shown
    assert first == (height, width, 3)
    assert title == f"{page}: {', '.join(ROWS)}"
    assert second_title == f"{clip}, frame 0 at 0.00 s: 12"
    assert closed == "closed"


def test_showing_without_a_display_is_one_sentence(page: Path) -> None:
    process = edge_mnist_process("run", page, "--show", DISPLAY="")

    assert process.returncode == 1
    assert process.stdout == ""
    assert process.stderr.startswith("Error: --show needs ")
    assert len(process.stderr.splitlines()) == 1


def test_showing_without_tkinter_says_what_to_install(page: Path) -> None:
    code = "import sys; sys.modules['tkinter'] = None; from edge_mnist.cli import main; main()"

    process = python_process(code, "run", page, "--show")

    assert process.returncode == 1
    assert "sudo apt install python3-tk, or use --annotate FOLDER." in process.stderr


def test_a_real_window_goes_on_with_any_key_and_quits_with_q(display: str) -> None:
    """Shift alone is on the way to another key; a picture larger than the screen is made smaller."""
    code = """
import numpy as np
from edge_mnist.edge.sinks.window import Window
with Window() as window:
    root = window._root
    for keys in (["Shift_L", "space"], ["Right"], ["q"], ["Escape"]):
        for i, key in enumerate(keys):
            root.after(300 * (i + 1), lambda key=key: (root.focus_force(), root.event_generate(f"<Key-{key}>")))
        print(window.show(np.zeros((2000, 3000, 3), np.uint8), "a title"), end=" ")
    root.update()
    print(root.title(), root.winfo_width() <= 800, root.winfo_height() <= 600)
    root.after(300, lambda: root.tk.call(root.protocol("WM_DELETE_WINDOW")))
    print(window.show(np.zeros((20, 30, 3), np.uint8), "closed"))
"""

    process = python_process(code, DISPLAY=display)

    assert process.stdout.split("\n") == ["True True False False a title True True", "False", ""], process.stderr


def test_a_reader_of_our_output_may_leave(page: Path, tmp_path: Path) -> None:
    for number in range(50):
        shutil.copy(page, tmp_path / f"{number}.png")
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "run", tmp_path, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None

    process.stdout.readline()
    process.stdout.close()

    with process.stderr:
        assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 1


def _run_at_terminal(*arguments: object) -> tuple[str, str]:
    """Run with standard error on a terminal of 80 columns; what came on standard output, and on the terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "run", *map(str, arguments)], stdout=subprocess.PIPE, stderr=theirs, text=True
    )
    os.close(theirs)
    output, _ = process.communicate(timeout=60)
    with os.fdopen(ours, "rb") as terminal:
        seen = b""
        try:
            while chunk := terminal.read1():
                seen += chunk
        except OSError:
            # How Linux says that nobody writes there any more.
            pass
    return output, seen.decode()


def test_a_bar_is_for_people_who_wait_at_a_terminal(page: Path, clip: Path) -> None:
    output, terminal = _run_at_terminal(page, clip, "missing.png", "--json")

    assert len(_documents(output)) == 4
    assert "%|" in terminal
    assert "\rError: missing.png: cannot be read (No such file or directory).\r\n" in terminal
    assert terminal.endswith("\r"), "the bar is taken away in the end"


def test_one_picture_needs_no_bar(page: Path) -> None:
    assert _run_at_terminal(page)[1] == ""


def test_without_a_terminal_there_is_no_bar(page: Path) -> None:
    process = edge_mnist_process("run", page, page)

    assert process.stderr == ""
