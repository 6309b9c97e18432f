"""A server that answers with whatever bytes a test gives it, when the test says."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Script = Callable[[socket.socket, str], object]


@contextmanager
def serve(script: Script, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server that does this with each connection, given its request; gives its address without a scheme."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.01)
    stopping = threading.Event()
    threads: list[threading.Thread] = []

    def answer(connection: socket.socket) -> None:
        with suppress(OSError):
            connection.settimeout(10)
            secured = context.wrap_socket(connection, server_side=True) if context else connection
            with secured:
                request = b""
                while b"\r\n\r\n" not in request and (chunk := secured.recv(4096)):
                    request += chunk
                script(secured, request.decode())
        connection.close()

    def accept() -> None:
        while not stopping.is_set():
            with suppress(TimeoutError):
                threads.append(threading.Thread(target=answer, args=(listener.accept()[0],)))
                threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stopping.set()
        for thread in (acceptor, *threads):
            thread.join(timeout=15)
            assert not thread.is_alive()
        listener.close()


def send(content: bytes, *, then_wait: bool = False) -> Script:
    """Send this; then close, or wait until the other side does."""

    def script(connection: socket.socket, _: str) -> None:
        connection.sendall(content)
        while then_wait and connection.recv(4096):
            pass

    return script
