"""A file is read whole only after it was asked what it is and how large."""

import os
import socket
from pathlib import Path

import pytest

from edge_mnist.edge.common.errors import EdgeMnistError
from edge_mnist.edge.common.files import read_file


def test_a_file_of_just_the_size_allowed_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")

    assert read_file(path, 5) == b"12345"


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")

    assert read_file(tmp_path / "link", 5) == b"12345"


def test_a_larger_file_is_refused_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(10 << 40)  # a hole: no memory could hold it

    with pytest.raises(EdgeMnistError, match="expected at most 100 bytes, got 10,995,116,277,760"):
        read_file(path, 100)


def test_a_file_whose_size_is_not_known_before_is_read_up_to_the_limit() -> None:
    assert read_file(Path("/proc/self/status"), 100_000).startswith(b"Name:")
    with pytest.raises(EdgeMnistError, match="expected at most"):
        read_file(Path("/proc/self/status"), 10)


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(EdgeMnistError, match="pipe: expected a regular file, got a pipe"):
        read_file(tmp_path / "pipe", 5)


@pytest.mark.parametrize(("path", "kind"), [("/dev/zero", "a device"), ("/", "a folder")])
def test_what_is_no_file_is_refused_by_its_kind(path: str, kind: str) -> None:
    with pytest.raises(EdgeMnistError, match=f"expected a regular file, got {kind}"):
        read_file(Path(path), 5)


def test_a_socket_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))

        with pytest.raises(EdgeMnistError, match=r"s: cannot be read \(No such device or address\)"):
            read_file(tmp_path / "s", 5)


@pytest.mark.parametrize("name", ["missing", "a\0b", "a" * 300])
def test_a_file_that_cannot_be_opened_is_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    with pytest.raises(EdgeMnistError, match=r"cannot be read \("):
        read_file(tmp_path / name, 5)
