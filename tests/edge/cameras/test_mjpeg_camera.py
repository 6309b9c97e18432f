"""Network cameras: their pictures are found whatever surrounds them, the newest is read, no fault hangs or leaks."""

import base64
import gc
import socket
import ssl
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_mnist.edge.cameras import http_stream, mjpeg
from edge_mnist.edge.cameras import jpeg_stream as jpeg
from edge_mnist.edge.cameras.camera import CameraError, CameraOptions, CameraUnsupportedError
from edge_mnist.edge.cameras.factory import open_camera
from edge_mnist.edge.cameras.mjpeg import MjpegCamera
from edge_mnist.edge.common.network import time_limits
from tests.builders.jpegs import make_part, make_picture
from tests.stand_ins.scripted_server import send, serve

OPTIONS = CameraOptions()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n"
JPEG_TOLERANCE = 3


PARTS = b"".join(make_part(make_picture(level)) for level in (50, 100, 150))


def _levels(camera: MjpegCamera, count: int) -> list[int]:
    frames = [camera.grab() for _ in range(count)]
    return [round(frame.gray.mean()) for frame in frames if frame is not None]


@pytest.fixture
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limits, "OPEN_S", 0.4)
    monkeypatch.setattr(time_limits, "FRAME_S", 0.2)


@pytest.fixture
def every_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that is never too slow for the server."""
    monkeypatch.setattr(mjpeg, "LONGEST_DRAINING_S", 0.0)
    monkeypatch.setattr(http_stream, "CHUNK_BYTES", 256)


def _chunked(content: bytes, size: int) -> bytes:
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


STREAMS = {
    "as it should be": HEAD + b"\r\n" + PARTS,
    "without lengths": HEAD
    + b"\r\n"
    + b"".join(b"--frame\r\n\r\n" + make_picture(n) + b"\r\n" for n in (50, 100, 150)),
    "wrong lengths": HEAD + b"\r\n" + PARTS.replace(b"Content-Length: ", b"Content-Length: 9"),
    "dashes in the header": HEAD.replace(b"=frame", b"=--frame") + b"\r\n" + PARTS,
    "quotes in the header": HEAD.replace(b"=frame", b'="frame"') + b"\r\n" + PARTS,
    "boundary without dashes": HEAD + b"\r\n" + PARTS.replace(b"--frame", b"frame"),
    "another boundary": HEAD + b"\r\n" + PARTS.replace(b"--frame", b"--something else"),
    "no boundary": HEAD.replace(b"; boundary=frame", b"") + b"\r\n" + b"".join(make_picture(n) for n in (50, 100, 150)),
    "chunked": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + _chunked(PARTS, 100),
    "chunked by the byte": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + _chunked(PARTS, 1),
    "with a length": HEAD + b"Content-Length: %d\r\n\r\n" % len(PARTS) + PARTS,
    "closing": HEAD + b"Connection: close\r\n\r\n" + PARTS,
    "HTTP 1.0": HEAD.replace(b"1.1", b"1.0") + b"\r\n" + PARTS,
    "garbage between": HEAD + b"\r\n" + PARTS.replace(b"--frame", b"\xff\xd8 \xff\xff\xd8\xff--frame" * 50),
    "other parts between": HEAD + b"\r\n" + b"--frame\r\nContent-Type: text/plain\r\n\r\nhello\r\n" + PARTS,
}


@pytest.mark.usefixtures("every_picture")
@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_pictures_are_found_whatever_is_around_them(stream: bytes) -> None:
    with serve(send(stream)) as address:
        camera = MjpegCamera(f"http://{address}/stream", OPTIONS)

        assert _levels(camera, 3) == pytest.approx([50, 100, 150], abs=JPEG_TOLERANCE)
        with pytest.raises(CameraError, match=f"http://{address}/stream: the stream has ended"):
            camera.grab()

        camera.close()
        camera.close()
        assert camera.description == f"http://{address}/stream, 64x48 MJPEG"


def test_a_slow_reader_gets_the_newest_picture() -> None:
    is_read = threading.Event()

    def script(connection: socket.socket, _: str) -> None:
        connection.sendall(HEAD + b"\r\n" + make_part(make_picture(10)))
        assert is_read.wait(10)
        connection.sendall(b"".join(make_part(make_picture(level)) for level in range(20, 220, 10)))
        connection.recv(1)

    with serve(script) as address:
        camera = MjpegCamera(f"http://{address}/", OPTIONS)
        assert _levels(camera, 1) == pytest.approx([10], abs=JPEG_TOLERANCE)
        is_read.set()
        time.sleep(0.2)

        assert _levels(camera, 1) == pytest.approx([210], abs=JPEG_TOLERANCE)

        camera.close()


def test_pictures_are_taken_at_most_as_often_as_asked() -> None:
    def script(connection: socket.socket, _: str) -> None:
        connection.sendall(HEAD + b"\r\n")
        while True:
            connection.sendall(make_part(make_picture(50)))
            time.sleep(0.002)

    with serve(script) as address:
        camera = MjpegCamera(f"http://{address}/", CameraOptions(fps=25))
        camera.grab()
        started = time.monotonic()

        _levels(camera, 5)

        assert time.monotonic() - started >= 0.19
        camera.close()


def test_colours_are_decoded_on_demand_and_turned() -> None:
    colour = np.zeros((48, 64, 3), np.uint8)
    colour[:] = (0, 0, 255)
    content = HEAD + b"\r\n" + make_part(cv2.imencode(".jpg", colour)[1].tobytes())

    with serve(send(content, then_wait=True)) as address:
        camera = MjpegCamera(f"http://{address}/", CameraOptions(rotation=90))
        frame = camera.grab()
        assert frame is not None

        rgb = frame.read_rgb()

        assert frame.gray.shape == (64, 48)
        assert rgb.shape == (64, 48, 3)
        assert (rgb[0, 0].astype(int) - (255, 0, 0)).max() <= JPEG_TOLERANCE
        assert time.monotonic() - frame.captured_s < 10
        frame.release()
        camera.close()


NO_STREAMS: dict[str, tuple[bytes, type[CameraError], str]] = {
    "unauthorized": (b"HTTP/1.1 401 Unauthorized\r\n\r\n", CameraUnsupportedError, "rejects the user or the password"),
    "forbidden": (b"HTTP/1.1 403 Forbidden\r\n\r\n", CameraUnsupportedError, "rejects the user or the password"),
    "not found": (b"HTTP/1.1 404 Not Found\r\n\r\n", CameraError, "expected a stream, got 404 Not Found"),
    "booting": (b"HTTP/1.1 503 \x1b[2J\r\n\r\n", CameraError, "expected a stream, got 503 Service Unavailable"),
    "a page": (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>", CameraUnsupportedError, "got 'text/html'"),
    "no type": (b"HTTP/1.1 200 OK\r\n\r\n", CameraUnsupportedError, "got 'no Content-Type'"),
    "not HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", CameraError, "the response is not HTTP, or incomplete"),
    "nothing": (b"", CameraError, "closed the connection"),
    "an endless header": (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 100_000, CameraError, "not HTTP, or incomplete"),
    "no picture": (HEAD + b"\r\n--frame--\r\n", CameraError, "the stream has ended"),
    "cut off": (HEAD + b"\r\n" + PARTS[:400], CameraError, "the stream has ended"),
    "cut off in a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nfff\r\nabc", CameraError, "incomplete|ended"),
    "bad chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc", CameraError, "incomplete|ended"),
    "endless redirects": (b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", CameraUnsupportedError, "more than 3 times"),
    "a redirect to nowhere": (
        b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n",
        CameraUnsupportedError,
        "redirects to an address that is not a stream",
    ),
    "a redirect elsewhere": (
        b"HTTP/1.1 301 Moved\r\nLocation: http://elsewhere.test/x?pwd=secret\r\n\r\n",
        CameraUnsupportedError,
        "redirects to http://elsewhere.test/x, and only redirects on the same host are followed",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "kind", "message"), NO_STREAMS.values(), ids=NO_STREAMS)
def test_what_is_no_stream_is_a_sentence_without_the_password(
    content: bytes, kind: type[CameraError], message: str
) -> None:
    with serve(send(content)) as address:
        with pytest.raises(CameraError, match=message) as caught:
            MjpegCamera(f"http://user:secret@{address}/stream?pwd=secret", OPTIONS)

        assert type(caught.value) is kind
        assert "secret" not in str(caught.value)


@pytest.mark.usefixtures("short_timeouts")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "does not answer"),
        (HEAD, "does not answer"),
        (HEAD + b"\r\n" + PARTS[:400], r"no complete JPEG picture arrived within 0\.4 s of opening it"),
    ],
    ids=["at once", "in the header", "in a picture"],
)
def test_a_server_that_stalls_is_noticed(content: bytes, message: str) -> None:
    with serve(send(content, then_wait=True)) as address, pytest.raises(CameraError, match=message):
        MjpegCamera(f"http://{address}/", OPTIONS)


@pytest.mark.usefixtures("short_timeouts")
def test_a_stream_that_stalls_later_is_noticed() -> None:
    with serve(send(HEAD + b"\r\n" + PARTS, then_wait=True)) as address:
        camera = MjpegCamera(f"http://{address}/", OPTIONS)
        camera.grab()

        with pytest.raises(CameraError, match=r"no complete JPEG picture arrived within 0\.2 s\..*--fps"):
            _levels(camera, 3)

        with pytest.raises(CameraError):
            camera.grab()
        camera.close()


@pytest.mark.usefixtures("short_timeouts")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x" * 50, r"no complete JPEG picture arrived within 0\.4 s"),
        (make_part(b"\xff\xd8\xff\xe0\x00\x04xx\xff\xd9"), r"pictures arrived, all damaged, within 0\.4 s"),
    ],
    ids=["no pictures", "damaged pictures"],
)
def test_a_lively_stream_without_pictures_is_noticed(content: bytes, message: str) -> None:
    def script(connection: socket.socket, _: str) -> None:
        connection.sendall(HEAD + b"\r\n")
        while True:
            connection.sendall(content)
            time.sleep(0.02)

    with serve(script) as address, pytest.raises(CameraError, match=message):
        MjpegCamera(f"http://{address}/", OPTIONS)


def test_nobody_there_is_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with pytest.raises(CameraError, match=r"cannot be reached \(connection refused, nothing listens there\)"):
        MjpegCamera(f"http://127.0.0.1:{port}/", OPTIONS)


def test_a_name_that_is_none_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)

    with pytest.raises(CameraError, match=r"http://camera\.invalid/: no host has this name"):
        MjpegCamera("http://camera.invalid/", OPTIONS)


def test_user_and_password_are_sent_when_they_are_demanded_and_never_shown() -> None:
    requests: list[str] = []

    def script(connection: socket.socket, request: str) -> None:
        requests.append(request)
        demand = b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="camera"\r\n\r\n'
        connection.sendall(HEAD + b"\r\n" + PARTS if "Authorization" in request else demand)

    with serve(script) as address:
        camera = MjpegCamera(f"http://us%40er:p%3Aw%20d@{address}/a%20b?x=1", OPTIONS)
        camera.close()

    assert all(request.startswith("GET /a%20b?x=1 HTTP/1.1\r\n") for request in requests)
    assert "Authorization" not in requests[0]
    assert f"Authorization: Basic {base64.b64encode(b'us@er:p:w d').decode()}\r\n" in requests[1]
    assert camera.description == f"http://{address}/a%20b, 64x48 MJPEG"


def test_a_redirect_on_the_same_host_is_followed() -> None:
    def script(connection: socket.socket, request: str) -> None:
        if request.startswith("GET /old"):
            connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: new?x=1\r\nContent-Length: 0\r\n\r\n")
        elif request.startswith("GET /new?x=1"):
            connection.sendall(HEAD + b"\r\n" + PARTS)

    with serve(script) as address:
        MjpegCamera(f"http://{address}/old", OPTIONS).close()


def test_pictures_that_change_their_size_are_an_error() -> None:
    stream = HEAD + b"\r\n" + make_part(make_picture(50))

    def script(connection: socket.socket, _: str) -> None:
        connection.sendall(stream)
        time.sleep(0.1)
        connection.sendall(make_part(make_picture(50, (32, 24))))

    with serve(script) as address:
        camera = MjpegCamera(f"http://{address}/", OPTIONS)
        camera.grab()

        with pytest.raises(CameraError, match="changed from 64x48 to 32x24"):
            camera.grab()

        camera.close()


def test_a_picture_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jpeg, "MOST_PICTURE_BYTES", 1_000_000)
    picture = make_picture(50)

    def script(connection: socket.socket, _: str) -> None:
        connection.sendall(HEAD + b"\r\n" + picture[:-2])
        while True:
            connection.sendall(bytes(100_000))

    with serve(script) as address, pytest.raises(CameraError, match="sends a picture of more than 1 MB"):
        MjpegCamera(f"http://{address}/", OPTIONS)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", path, "-out", f"{path}.crt"]
    if subprocess.run(command, capture_output=True, check=False, timeout=60).returncode:
        pytest.skip("openssl cannot make a certificate here")
    return path


def test_https_checks_the_certificate(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{certificate}.crt", certificate)
    with serve(send(HEAD + b"\r\n" + PARTS), context) as address:
        with pytest.raises(CameraError, match=r"certificate is self-signed.*SSL_CERT_FILE=FILE"):
            MjpegCamera(f"https://{address}/", OPTIONS)

        monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
        camera = MjpegCamera(f"https://{address}/", OPTIONS)
        assert len(_levels(camera, 1)) == 1
        camera.close()


def test_connections_leave_no_descriptors() -> None:
    def count() -> int:
        gc.collect()
        return len([entry for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()])

    scripts = [HEAD + b"\r\n" + PARTS, HEAD + b"\r\n", b"HTTP/1.1 404 Not Found\r\n\r\n", b""]
    numbers = iter(range(1000))

    def script(connection: socket.socket, _: str) -> None:
        connection.sendall(scripts[next(numbers) % len(scripts)])

    with serve(script) as address:
        source = f"http://{address}/"
        before = count()
        for _ in range(52):
            with suppress(CameraError):
                camera = open_camera(source, OPTIONS)
                camera.grab()
                camera.close()
        deadline = time.monotonic() + 60
        while count() > before and time.monotonic() < deadline:
            time.sleep(0.01)

        assert count() <= before
