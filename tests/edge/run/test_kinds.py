"""Files are what their first bytes say; what is not read is named, with what to do about it."""

import gzip
import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_mnist.benchmarks.scenes.pages import draw_page
from edge_mnist.edge.common.kinds import PATTERNS, PROBE_BYTES, identify_kind
from edge_mnist.edge.media import pictures
from edge_mnist.edge.media.listing import list_folder, list_matches, list_tree
from edge_mnist.edge.media.pictures import PictureError, read_gray
from edge_mnist.edge.media.sources import PictureFile, VideoSource, find_sources
from edge_mnist.edge.media.streams import split_pictures
from edge_mnist.edge.media.videos import Spacing
from tests.conftest import edge_mnist

PAGE = Image.fromarray(draw_page(("31415926",), seed=3))


def _save(kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    PAGE.save(file, kind, **options)
    return file.getvalue()


def _save_array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.asarray(PAGE))
    return file.getvalue()


OTHERS = {
    "PDF": (_save("PDF"), "a PDF document", "pdftoppm"),
    "PostScript": (_save("EPS"), "a PostScript document", "PNG"),
    "icon": (_save("ICO"), "an icon", "PNG"),
    "HTML": (b"\r\n<!DOCTYPE html>\n<html>", "an HTML page", "download the file itself"),
    "SVG": (b"<?xml version='1.0'?>\n<svg xmlns=", "an SVG drawing", "PNG"),
    "JSON": (b'{"error": "not found"}', "a JSON document", "download"),
    "LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:", "a Git LFS pointer", "git lfs pull"),
    "zeros": (bytes(4096), "only zeros, like a file whose writing was interrupted", "again"),
    "gzip": (gzip.compress(b"x"), "an archive or a compressed file", "Unpack"),
    "text": (b"hello", "a text", "download"),
    "array": (_save_array(), "a NumPy array", "fromarray"),
    "MP4": (b"\0\0\0\x18ftypisom" + bytes(600), "an MP4 or QuickTime video", "edge-mnist run FILE"),
    "H.264": (b"\0\0\0\x01\x67" + bytes(range(200)), "a raw H.264 video", "ffmpeg"),
    "stream": (
        b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 9\r\n\r\n" + _save("JPEG"),
        "a multipart stream of pictures",
        "edge-mnist live --camera",
    ),
}


@pytest.mark.parametrize(("content", "name", "advice"), OTHERS.values(), ids=OTHERS)
def test_what_is_no_picture_is_named_with_its_cure(content: bytes, name: str, advice: str) -> None:
    with pytest.raises(PictureError, match="not a supported picture") as caught:
        read_gray(content, "page.jpg")

    assert str(caught.value).startswith(f"page.jpg: {name}")
    assert advice in str(caught.value)


@pytest.mark.parametrize(("content", "name"), [other[:2] for other in OTHERS.values()], ids=OTHERS)
def test_a_stream_is_refused_by_its_first_bytes(content: bytes, name: str) -> None:
    """Whoever sends it goes on sending: nothing but the first bytes may be waited for."""
    reading_end, writing_end = os.pipe()
    refused: list[str] = []

    def read() -> None:
        with open(reading_end, "rb") as stream, pytest.raises(PictureError) as caught:  # noqa: PTH123 - a number
            next(split_pictures(stream))
        refused.append(str(caught.value))

    with open(writing_end, "wb", buffering=0) as writer:  # noqa: PTH123 - a number
        writer.write(content if name == "a text" else content[:PROBE_BYTES])
        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        if name == "a text":
            # It may still become anything.
            writer.write(b"o" * PROBE_BYTES)
        reader.join(timeout=20)

    assert refused
    assert refused[0].startswith(f"standard input: {name}")


@pytest.mark.parametrize("kind", [*pictures.FORMATS, "MPO"])
def test_every_format_that_is_read_is_known(kind: str) -> None:
    assert identify_kind(_save(kind)).holds == "picture"


def test_every_pattern_is_compiled_for_the_bytes_that_are_looked_at() -> None:
    assert len(PATTERNS) > 40
    assert identify_kind(b"").holds == "other"


@pytest.mark.parametrize("kind", ["AVIF", "JPEG2000"])
def test_newer_formats_are_read(kind: str) -> None:
    gray = read_gray(_save(kind))

    assert gray.shape == PAGE.size[::-1]
    assert np.abs(gray.astype(int) - np.asarray(PAGE)).mean() < 3


def test_heic_is_read_with_its_extra() -> None:
    heif = pytest.importorskip("pillow_heif", reason="the extra heif is not installed")
    file = io.BytesIO()
    heif.from_pillow(PAGE).save(file, quality=90)

    gray = read_gray(file.getvalue())

    assert gray.shape == PAGE.size[::-1]
    assert np.abs(gray.astype(int) - np.asarray(PAGE)).mean() < 3


def test_heic_without_its_extra_is_named_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_can_read_heif", lambda: False)

    with pytest.raises(PictureError, match=r"IMG_1\.heic: a HEIC picture\. pip install 'edge-mnist\[heif\]'"):
        read_gray(b"\0\0\0\x18ftypheic" + bytes(100), "IMG_1.heic")


def test_names_that_say_something_else_are_not_believed(tmp_path: Path) -> None:
    (tmp_path / "picture.mp4").write_bytes(_save("PNG"))
    (tmp_path / "video.jpg").write_bytes(OTHERS["MP4"][0])
    (tmp_path / "none").write_bytes(_save("WEBP"))

    sources = find_sources((str(tmp_path),), Spacing())

    assert sources == [
        PictureFile(tmp_path / "none"),
        PictureFile(tmp_path / "picture.mp4"),
        VideoSource(tmp_path / "video.jpg", Spacing(), is_listed=True),
    ]


def test_a_folder_names_what_is_not_read_once(tmp_path: Path) -> None:
    (tmp_path / "page.png").write_bytes(_save("PNG"))
    (tmp_path / "a.pdf").write_bytes(_save("PDF"))
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "deeper").mkdir()

    result = edge_mnist("run", tmp_path, "--json")

    assert result.exit_code == 1
    note, error = result.stderr.splitlines()
    assert note.startswith(f"{tmp_path}: 1 file was not read: notes.txt (a text); 1 subfolder was not searched")
    assert error.startswith(f"Error: {tmp_path}: 1 file was not read: a.pdf (a PDF document). Save its pages")
    reading, left_out = map(json.loads, result.stdout.splitlines())
    assert reading["rows"] == ["31415926"]
    assert left_out == {"left_out": {str(tmp_path / "a.pdf"): "a PDF document"}}


def test_files_that_are_no_pictures_are_no_failure(tmp_path: Path) -> None:
    (tmp_path / "page.png").write_bytes(_save("PNG"))
    (tmp_path / "labels.json").write_text("{}")

    result = edge_mnist("run", tmp_path)

    assert result.exit_code == 0
    assert "labels.json (a JSON document)" in result.stderr


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """Two pictures; links to one of them, to its folder, to the folder above, and to nothing."""
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.png").write_bytes(_save("PNG"))
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "b.png").write_bytes(_save("PNG"))
    (tmp_path / "one" / "link.png").symlink_to("a.png")
    (tmp_path / "one" / "up").symlink_to("..")
    (tmp_path / "two" / "up").symlink_to("..")
    (tmp_path / "two" / "one").symlink_to("../one")
    (tmp_path / "two" / "gone.png").symlink_to("nothing")
    return tmp_path


@pytest.mark.parametrize("pattern", ["**", "**/*.png", "*/**/*.png", "**/**/*.png"])
def test_each_file_is_read_once_whatever_links_there_are(linked: Path, pattern: str) -> None:
    listing = list_matches(f"{linked}/{pattern}")

    assert sorted(path.name for path in listing.paths) == ["a.png", "b.png"]
    assert [kind.name for kind in listing.left_out.values()] == ["a broken link"]


def test_a_tree_and_a_folder_list_each_file_once(linked: Path) -> None:
    assert [path.name for path in list_tree(linked).paths] == ["a.png", "b.png"]
    assert list_folder(linked / "one").paths == (linked / "one" / "a.png",)


def test_a_folder_that_lies_elsewhere_is_reached_by_its_link(
    linked: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "c.png").write_bytes(_save("PNG"))
    (linked / "card").symlink_to(elsewhere)

    assert "c.png" in {path.name for path in list_matches(f"{linked}/**/*.png").paths}


WRITER = """
import logging, os, sys, tempfile
from edge_mnist.edge.common.native_log import separate_python_stderr, native_log_to
handler = logging.StreamHandler()
logging.getLogger().addHandler(handler)
separate_python_stderr()
with tempfile.TemporaryFile() as held:
    with native_log_to(held):
        logging.warning("of another thread")
        os.write(2, b"of a native library\\n")
    held.seek(0)
    sys.stdout.write(held.read().decode())
"""


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_log_lines_are_not_lost_while_native_notes_are_held_back(unbuffered: str) -> None:
    result = subprocess.run(
        [sys.executable, "-c", WRITER],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )

    assert result.stderr == "of another thread\n"
    assert result.stdout == "of a native library\n"
