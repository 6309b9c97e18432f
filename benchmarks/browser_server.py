"""What the measuring page talks to: a server for it alone, which hands out the job and takes the answers."""

import re
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ..edge import web

STATIC = Path(web.__file__).parent / "static"
PAGE = Path(__file__).parent / "browser_page"
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".wasm": "application/wasm",
}
HEADERS = {
    # Nothing from anywhere else; WebAssembly has to be compiled.
    "Content-Security-Policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    "connect-src 'self'; img-src data:",
    # Isolated from other sites, a page has a clock of 5 us instead of 100 us; `edge-mnist serve` sends the same.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
# Of one message: hundreds of thousands of timings.
MOST_BYTES = 64_000_000


@dataclass(frozen=True)
class Site:
    """What the page may have and say.

    Attributes:
        given: By name, what it may fetch.
        runtime: The folder with onnxruntime-web's files.
        on_message: Is told the name and content of each message, on a thread of the server.
    """

    given: Mapping[str, bytes]
    runtime: Path
    on_message: Callable[[str, bytes], None]

    def find(self, folder: str, name: str) -> tuple[bytes, str] | None:
        """Content and media type; None if there is no such thing."""
        if folder == "" and name in self.given:
            return self.given[name], "application/octet-stream"
        place = {"": PAGE, "static": STATIC, "runtime": self.runtime}[folder]
        path = place / name
        if path.suffix not in MEDIA_TYPES or not path.is_file():
            return None
        return path.read_bytes(), MEDIA_TYPES[path.suffix]


@contextmanager
def serving_page(site: Site) -> Iterator[str]:
    """Serve the page until the end of the block; yields its address, which nobody else can guess."""
    secret = secrets.token_urlsafe(16)
    handler = type("Handler", (_Handler,), {"site": site, "secret": secret})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/{secret}/index.html"
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    site: Site
    secret: str

    def do_GET(self) -> None:
        """Send a file, or a part of the job."""
        match = re.fullmatch(rf"/({re.escape(self.secret)}|static|runtime)/([\w.-]+)", self.path)
        folder = match[1].removeprefix(self.secret) if match else ""
        found = self.site.find(folder, match[2]) if match and self._is_meant() else None
        if found is None:
            self._answer(404, b"")
        else:
            self._answer(200, *found)

    def do_POST(self) -> None:
        """Take a message."""
        folder, _, name = self.path.rpartition("/")
        length = self.headers.get("Content-Length", "")
        if folder != f"/{self.secret}" or not self._is_meant() or not length.isdigit() or int(length) > MOST_BYTES:
            self.close_connection = True
            self._answer(404, b"")
            return
        self.site.on_message(name, self.rfile.read(int(length)))
        self._answer(200, b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the library
        """Say nothing."""

    def _is_meant(self) -> bool:
        """Whether it came under the address that was given out: other names may be somebody else's for it."""
        return self.headers.get("Host") == f"127.0.0.1:{self.connection.getsockname()[1]}"

    def _answer(self, status: int, content: bytes, media_type: str = "text/plain") -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": media_type, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
