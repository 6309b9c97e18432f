"""`edge-mnist serve` from the command line: starting, being refused, stopping."""

import errno
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from edge_mnist.edge.commands.open_page import open_page
from edge_mnist.edge.common.errors import EdgeMnistError
from edge_mnist.edge.web.server import open_listener
from tests.conftest import edge_mnist, edge_mnist_process, python_process
from tests.stand_ins.web_server import PATIENCE_S, PNG, draw_digits, serving, serving_process


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures, for a camera."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "page.png").write_bytes(draw_digits("274", size=(640, 480)))
    return folder


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_it_shows_a_camera_and_stops_in_a_second_whoever_watches(pages: Path, number: signal.Signals) -> None:
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_reading_that_takes_long_does_not_keep_it_from_stopping(number: signal.Signals) -> None:
    picture = make_large_picture()
    with serving_process("--rate", "0") as (process, server):
        began_s = time.monotonic()
        assert httpx.post(f"{server.url}v1/read", content=picture, headers=PNG, timeout=120).status_code == 200
        alone_s = time.monotonic() - began_s
        answers: list[int] = []
        threads = [threading.Thread(target=_read_into, args=(answers, server.url, picture)) for _ in range(3)]
        for thread in threads:
            thread.start()
        wait_until(lambda: "edge_mnist_waiting_pictures 3.0" in httpx.get(f"{server.url}metrics").text)

        asked_s = time.monotonic()
        process.send_signal(number)
        status = process.wait(PATIENCE_S)
        took_s = time.monotonic() - asked_s
        for thread in threads:
            thread.join(PATIENCE_S)

    assert status == 0
    # As a share of what the readings would take, which grows with the load of the machine as this does.
    assert took_s < alone_s
    assert answers == [503, 503, 503]


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
        with pytest.raises(EdgeMnistError, match=f"^{host}: no such host"):
            open_listener(host, 0)


def test_advice_about_an_address_names_no_option_that_only_one_command_has(monkeypatch: pytest.MonkeyPatch) -> None:
    said = [edge_mnist("live", "--camera", "auto", "--web", "192.0.2.7:8000").output]
    for code in (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL):
        monkeypatch.setattr(socket.socket, "bind", _raise(OSError(code, "no")))
        with pytest.raises(EdgeMnistError) as refused:
            open_listener("127.0.0.1", 80)
        said.append(str(refused.value))
    monkeypatch.setattr(socket, "getaddrinfo", _raise(socket.gaierror(-2, "Name or service not known")))
    with pytest.raises(EdgeMnistError) as refused:
        open_listener("nowhere.invalid", 80)
    said.append(str(refused.value))

    assert "is not an address of this machine" in said[0]
    assert [sentence for sentence in said if "--" in sentence] == []


def test_a_privileged_port_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)

    with pytest.raises(EdgeMnistError, match=r"127\.0\.0\.1:80 needs root\. Choose a port of 1024 or above"):
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


def test_a_token_is_not_on_the_command_line_of_the_browser(tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    # It notes what it was called with, what that file holds, and who may read it.
    browser.write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/called\nfile="${{1#file://}}"\n'
        f'cat "$file" > {tmp_path}/page\nstat -c %a "$file" "$(dirname "$file")" > {tmp_path}/modes\n'
    )
    browser.chmod(0o700)

    with serving_process("--host", "0.0.0.0", "--open", BROWSER=str(browser)) as (process, server):  # noqa: S104
        wait_until((tmp_path / "modes").exists)
        wait_until(lambda: len((tmp_path / "modes").read_text().split()) == 2)
        called = (tmp_path / "called").read_text().strip()
        assert server.token
        assert server.token not in called
        assert f"url={server.url}" in (tmp_path / "page").read_text()
        assert (tmp_path / "modes").read_text().split() == ["600", "700"]
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)

    assert not Path(called.removeprefix("file://")).exists()


def test_an_address_without_a_token_is_opened_as_it_is_and_a_missing_browser_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: bool(opened.append(url)))

    with open_page("http://127.0.0.1:8000/"):
        pass

    assert opened == ["http://127.0.0.1:8000/"]
    assert capsys.readouterr().err == "No browser could be opened: open the address above in a browser.\n"


def test_what_is_ignored_from_the_start_stays_ignored() -> None:
    code = (
        "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from edge_mnist.edge.commands.serve import _stopping_on_signals\n"
        "with _stopping_on_signals() as is_stopped:\n"
        "    signal.raise_signal(signal.SIGHUP); print(is_stopped())\n"
        "    signal.raise_signal(signal.SIGTERM); print(is_stopped())"
    )

    assert python_process(code).stdout.split() == ["False", "True"]


def test_without_its_packages_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['fastapi'] = None; from edge_mnist.cli import main; main()"

    done = python_process(code, "serve")

    assert done.returncode == 1
    assert done.stderr == "Error: serve needs the package fastapi: pip install 'edge-mnist[web]'\n"


def test_what_live_needs_of_it_loads_without_its_packages() -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['fastapi', 'starlette', 'uvicorn', 'prometheus_client'])); "
        "import edge_mnist.edge.web.live_feed"
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


def make_large_picture() -> bytes:
    """A picture that takes a second to decode and read, though it has few bytes."""
    spots = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    picture = cv2.resize(spots, (4000, 3000))
    return cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, 10])[1].tobytes()


def _read_into(answers: list[int], url: str, picture: bytes) -> None:
    answers.append(httpx.post(f"{url}v1/read", content=picture, headers=PNG, timeout=120).status_code)


def wait_until(holds: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s, "it did not happen"
        time.sleep(0.02)
