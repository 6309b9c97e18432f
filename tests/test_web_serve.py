"""`edge-mnist serve` from the command line: starting, being refused, stopping."""

import errno
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from edge_mnist.edge.web.refusals import WebError
from edge_mnist.edge.web.server import open_listener

from .conftest import edge_mnist, edge_mnist_process, python_process
from .web_server import PATIENCE_S, PNG, draw_digits, serving, serving_process


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures, for a camera."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "page.png").write_bytes(draw_digits("274", size=(640, 480)))
    return folder


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_shows_a_camera_and_stops_whoever_watches(pages: Path, number: signal.Signals) -> None:
    with (
        serving_process("--camera", str(pages), "--loop", "--fps", "20") as (process, server),
        httpx.stream("GET", f"{server.url}v1/live", timeout=PATIENCE_S) as stream,
        socket.create_connection(("127.0.0.1", server.port)),
    ):
        announced = next(line for line in stream.iter_lines() if '"announced":["274"]' in line)
        picture = httpx.get(f"{server.url}v1/live/frame.jpg", timeout=PATIENCE_S)
        model = httpx.get(f"{server.url}v1/model").json()
        process.send_signal(number)
        # Those who watch would stay for ever.
        status = process.wait(PATIENCE_S)

    assert '"event":"reading"' in announced
    assert picture.content.startswith(b"\xff\xd8")
    assert model["camera"] == str(pages)
    assert status == 0


def test_it_reads_and_ends_without_a_word_but_where_it_served() -> None:
    with serving_process() as (process, server):
        answer = httpx.post(f"{server.url}v1/read", content=draw_digits(), headers=PNG)
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=PATIENCE_S)

    assert answer.json()["rows"] == ["274"]
    assert (server.said, rest, process.returncode) == (f"Serving on {server.url}\n", "", 0)


def test_a_camera_that_can_never_work_ends_it_with_a_sentence(tmp_path: Path) -> None:
    done = edge_mnist_process("serve", "--port", 0, "--camera", tmp_path / "nowhere.mp4")

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: ")
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        result = edge_mnist("serve", "--port", port)

    assert result.exit_code == 1
    assert f"127.0.0.1:{port} is taken by another program. Choose another port, or 0 " in result.output


def test_an_address_of_another_machine_is_named() -> None:
    result = edge_mnist("serve", "--host", "192.0.2.7")

    assert result.exit_code == 1
    assert result.output.startswith("Error: 192.0.2.7:8000 is not an address of this machine.")
    assert len(result.output.splitlines()) == 1


def test_a_host_that_nobody_knows_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def know_nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", know_nobody)

    for host in ("nowhere.invalid", "a" * 300):
        with pytest.raises(WebError, match=f"^{host}: no such host"):
            open_listener(host, 0)


def test_advice_about_an_address_names_no_option_that_only_one_command_has(monkeypatch: pytest.MonkeyPatch) -> None:
    said = [edge_mnist("live", "--camera", "auto", "--web", "192.0.2.7:8000").output]
    for code in (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL):
        monkeypatch.setattr(socket.socket, "bind", _raise(OSError(code, "no")))
        with pytest.raises(WebError) as refused:
            open_listener("127.0.0.1", 80)
        said.append(str(refused.value))
    monkeypatch.setattr(socket, "getaddrinfo", _raise(socket.gaierror(-2, "Name or service not known")))
    with pytest.raises(WebError) as refused:
        open_listener("nowhere.invalid", 80)
    said.append(str(refused.value))

    assert "is not an address of this machine" in said[0]
    assert [sentence for sentence in said if "--" in sentence] == []


def test_a_privileged_port_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)

    with pytest.raises(WebError, match=r"127\.0\.0\.1:80 is only for root\. Choose a port of 1024 or above"):
        open_listener("127.0.0.1", 80)


@pytest.mark.parametrize(
    "arguments",
    [("--port", "65536"), ("--rate", "-1"), ("--report", "nowhere.html"), ("--fps", "5"), ("--runtime", "tpu")],
    ids=" ".join,
)
def test_misuse_is_told_as_such(arguments: tuple[str, ...]) -> None:
    assert edge_mnist("serve", *arguments).exit_code == 2


def test_a_model_that_is_none_is_refused(tmp_path: Path) -> None:
    result = edge_mnist("serve", "--port", 0, "--model", tmp_path)

    assert result.exit_code == 1
    assert "not a bundle" in result.output


def test_a_precision_that_no_file_has_is_refused() -> None:
    result = edge_mnist("serve", "--port", 0, "--precision", "int16x8")

    assert result.exit_code == 1
    assert "has no tflite int16x8 file" in result.output


def test_without_its_packages_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['fastapi'] = None; from edge_mnist.edge.cli import main; main()"

    done = python_process(code, "serve")

    assert done.returncode == 1
    assert done.stderr == "Error: serve needs the package fastapi: pip install 'edge-mnist[web]'\n"


def test_what_live_needs_of_it_loads_without_its_packages() -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['fastapi', 'starlette', 'uvicorn', 'prometheus_client'])); "
        "import edge_mnist.edge.web.board"
    )

    assert python_process(code).stderr == ""


def _raise(error: OSError) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def test_nothing_is_left_open_by_a_server_that_stopped() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with serving() as (_, client):
            client.get("/v1/model")

    assert len(list(Path("/proc/self/fd").iterdir())) <= before
