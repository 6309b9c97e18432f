"""Why a connection failed is said in our words: none of OpenSSL's file names, error codes and shouting."""

import errno
import http.client
import socket
import ssl
import threading
from contextlib import suppress

import pytest

from edge_mnist.edge.cameras.camera import CameraError, CameraOptions
from edge_mnist.edge.cameras.mjpeg import MjpegCamera
from edge_mnist.edge.common.network.errors import describe_failure


def _untrusted(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:1006)")
    error.verify_code, error.verify_message = code, "OpenSSL's words"
    return error


def _tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] (_ssl.c:1006)")
    error.reason = reason
    return error


FAILURES = {
    "does not answer": TimeoutError("timed out"),
    "its certificate has expired; check this machine's clock. Set trusted certificates with X": _untrusted(10),
    "its certificate is for another host name. Set trusted certificates with X": _untrusted(62),
    "its certificate cannot be trusted. Set trusted certificates with X": _untrusted(99),
    "does not use TLS on this port": _tls("WRONG_VERSION_NUMBER"),
    "requires a client certificate": _tls("TLSV13_ALERT_CERTIFICATE_REQUIRED"),
    "rejects the client certificate": _tls("TLSV1_ALERT_UNKNOWN_CA"),
    "cannot agree with this machine on TLS (no shared cipher)": _tls("NO_SHARED_CIPHER"),
    "no host has this name": socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
    "its name cannot be resolved": socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
    "cannot be reached (no such machine in the network": OSError(errno.EHOSTUNREACH, "No route to host"),
    "closed the connection": http.client.RemoteDisconnected("Remote end closed connection without response"),
    "the response is not HTTP, or incomplete (BadStatusLine)": http.client.BadStatusLine("Geheim"),
}


@pytest.mark.parametrize(("sentence", "error"), FAILURES.items(), ids=range(len(FAILURES)))
def test_each_failure_has_a_sentence(sentence: str, error: Exception) -> None:
    said = describe_failure(error, "X")

    assert said.startswith(sentence)
    assert not {"_ssl.c", "SSL:", "OpenSSL", "Geheim"} & set(said.split())


def test_a_camera_without_tls_is_told_from_one_that_is_away() -> None:
    def answer() -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(CameraError, match="does not use TLS on this port"):
            MjpegCamera(f"https://127.0.0.1:{listener.getsockname()[1]}/", CameraOptions())
        thread.join(10)
