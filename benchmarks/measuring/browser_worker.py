"""The worker process of one measurement in a browser: it starts a fresh browser and saves what the page measured.

Run as `python -m edge_mnist.benchmarks.measuring.browser_worker FOLDER`, like `worker.py`. The page runs models with
the code of `edge-mnist serve`, so the measurement is what users get; times are by the page's own clock.
"""

import re
import secrets
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...edge import web
from ...edge.bundle.contract import NUM_CLASSES
from ...edge.bundle.export_record import ModelFile
from ...edge.bundle.folder import Bundle, open_bundle
from ...edge.common.errors import EdgeMnistError, RuntimeUnavailableError
from ...edge.common.processes.child_start import EXIT_UNAVAILABLE
from ...edge.runtimes.classifiers import dequantize
from ...edge.runtimes.golden import check_golden, unpack_pixels
from ..targets.browser import RUNTIME, explain_absence, find_runtime_folder, peak_page_memory_mb, running_browser
from ..targets.job import Job, JobFolder, Measurement
from .machine_state import read_frequencies

STATIC = Path(web.__file__).parent / "static"
PAGE = Path(__file__).parent / "browser_page"
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".wasm": "application/wasm",
}
HEADERS = {
    # No external resources; `wasm-unsafe-eval`, because WebAssembly has to be compiled.
    "Content-Security-Policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    "connect-src 'self'; img-src data:",
    # A page that is isolated from other sites has a clock of 5 us instead of 100 us; `edge-mnist serve` sends the same.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
# Most bytes of one message: hundreds of thousands of timings.
MOST_BYTES = 64_000_000


@dataclass(frozen=True)
class Site:
    """The contents that the page may request, and the receiver of its messages.

    Attributes:
        job_files: The contents that the page may fetch, by name.
        runtime: The folder with onnxruntime-web's files.
        on_message: Called with the name and content of each message, on a thread of the server.
    """

    job_files: Mapping[str, bytes]
    runtime: Path
    on_message: Callable[[str, bytes], None]

    def find(self, folder: str, name: str) -> tuple[bytes, str] | None:
        """Return content and media type; None if there is no such file."""
        if folder == "" and name in self.job_files:
            return self.job_files[name], "application/octet-stream"
        place = {"": PAGE, "static": STATIC, "runtime": self.runtime}[folder]
        path = place / name
        if path.suffix not in MEDIA_TYPES or not path.is_file():
            return None
        return path.read_bytes(), MEDIA_TYPES[path.suffix]


@contextmanager
def serving_page(site: Site) -> Iterator[str]:
    """Serve the page until the end of the block; yields its address, which cannot be guessed."""
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
        """Send a file or a part of the job."""
        match = re.fullmatch(rf"/({re.escape(self.secret)}|static|runtime)/([\w.-]+)", self.path)
        folder = match[1].removeprefix(self.secret) if match else ""
        found = self.site.find(folder, match[2]) if match and self._is_meant() else None
        if found is None:
            self._answer(404, b"")
        else:
            self._answer(200, *found)

    def do_POST(self) -> None:
        """Receive a message from the page."""
        folder, _, name = self.path.rpartition("/")
        length = self.headers.get("Content-Length", "")
        if folder != f"/{self.secret}" or not self._is_meant() or not length.isdigit() or int(length) > MOST_BYTES:
            self.close_connection = True
            self._answer(404, b"")
            return
        self.site.on_message(name, self.rfile.read(int(length)))
        self._answer(200, b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the library
        """Log nothing."""

    def _is_meant(self) -> bool:
        """Whether the request names the address that was given out: another name may point here from a foreign site."""
        return self.headers.get("Host") == f"127.0.0.1:{self.connection.getsockname()[1]}"

    def _answer(self, status: int, content: bytes, media_type: str = "text/plain") -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": media_type, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


# Seconds between checks that the browser still runs.
POLL_S = 1.0


class PageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the page measured, in milliseconds of its own clock.

    Attributes:
        clock_resolution_ms: The smallest step of that clock.
        load_ms: Duration of importing the runtime and loading the file, without the first inference.
        golden: The file's outputs for the golden images, flattened.
    """

    runtime_version: str
    browser: str
    threads: int
    clock_resolution_ms: float
    load_ms: float
    first_ms: float
    warmup_ms: float
    steady: bool
    latencies_ms: list[float]
    batches_ms: list[list[float]]
    paced_ms: list[float]
    golden: list[float]


class PageConnection:
    """The connection to a page at work. Messages arrive on the server's threads."""

    def __init__(self, job_folder: JobFolder) -> None:
        self._job_folder = job_folder
        self._messages: Queue[tuple[str, bytes]] = Queue()
        self.scores: list[bytes] = []
        self.memory_mb: float | None = None
        self.frequency_mhz: list[float] | None = None
        self.pid = 0

    def take(self, name: str, content: bytes) -> None:
        """Receive a message from the page."""
        self._job_folder.signal_alive()
        if name == "scores":
            self.scores.append(content)
        elif name == "timed":
            self.memory_mb, self.frequency_mhz = peak_page_memory_mb(self.pid), read_frequencies()
        elif name in {"answer", "failure"}:
            self._messages.put((name, content))

    def wait(self, is_alive: Callable[[], bool]) -> PageAnswer:
        """Wait until the page is done.

        Raises:
            RuntimeUnavailableError: The page failed, or the browser ended.
        """
        while True:
            try:
                name, content = self._messages.get(timeout=POLL_S)
            except Empty:
                if not is_alive():
                    raise RuntimeUnavailableError(
                        "the browser ended before the page had finished; to see why, run: chromium "
                        "--headless=new --dump-dom about:blank"
                    ) from None
                continue
            if name == "failure":
                raise RuntimeUnavailableError(f"the page failed: {content.decode(errors='replace')[:300]}")
            return msgspec.json.decode(content, type=PageAnswer)


def measure_in_browser(job: Job, job_folder: JobFolder, folder: Path) -> Measurement:
    """Do the job; write the evaluation's logits to the job folder.

    Args:
        job: A job on onnxruntime-web.
        job_folder: The job folder, for signs of life and the logits.
        folder: The folder for the browser's profile.

    Raises:
        RuntimeUnavailableError: There is no browser or no onnxruntime-web, or the page failed.
        ModelCardError: The bundle is damaged, or the file's outputs in the page are not those on its card.
    """
    absence, runtime = explain_absence(), find_runtime_folder()
    if absence or runtime is None:
        raise RuntimeUnavailableError(str(absence))
    if job.bundle is None or job.precision is None:
        raise RuntimeUnavailableError("only files of a bundle can be measured in the browser")
    bundle = open_bundle(Path(job.bundle))
    file = bundle.file("onnx", job.precision)
    page = PageConnection(job_folder)
    with (
        serving_page(Site(_job_contents(job, bundle, file), runtime, page.take)) as url,
        running_browser(url, folder) as browser,
    ):
        page.pid = browser.pid
        answer = page.wait(lambda: browser.poll() is None)
    golden = _to_logits(np.array(answer.golden, np.float32), file)
    check_golden(lambda _: golden, file, unpack_pixels(bundle.export.golden_pixels), RUNTIME)
    if job.evaluation_images is not None:
        np.save(job_folder.logits, _to_logits(np.frombuffer(b"".join(page.scores), np.float32), file))
    return _describe(answer, page, file.record.sha256)


def _job_contents(job: Job, bundle: Bundle, file: ModelFile) -> dict[str, bytes]:
    """Collect what the page fetches: the job, the file and the pixels."""
    names = ("calls", "seconds", "batches", "paced_calls", "warmup_s")
    order = {name: getattr(job, name) for name in names} | {"is_evaluated": job.evaluation_images is not None}
    return {
        "job": msgspec.json.encode(order),
        "model": bundle.read(file.record),
        "golden": unpack_pixels(bundle.export.golden_pixels).tobytes(),
        "timing": np.load(job.timing_images, allow_pickle=False).tobytes(),
        "evaluation": np.load(job.evaluation_images, allow_pickle=False).tobytes() if job.evaluation_images else b"",
    }


def _to_logits(values: NDArray[np.float32], file: ModelFile) -> NDArray[np.float32]:
    """Convert the flat values of the file's output to real values, [N, 10]."""
    return dequantize(values.reshape(-1, NUM_CLASSES), file.output)


def _describe(answer: PageAnswer, page: PageConnection, file_sha256: str) -> Measurement:
    if page.memory_mb is None:
        raise RuntimeUnavailableError("the page's process was not found, so its memory is unknown")
    return Measurement(
        runtime_version=f"{answer.runtime_version} in {answer.browser}",
        file_sha256=file_sha256,
        load_ms=answer.load_ms,
        first_ms=answer.first_ms,
        peak_memory_mb=page.memory_mb,
        warmup_s=round(answer.warmup_ms / 1000, 3),
        steady=answer.steady,
        latencies_us=_to_us(answer.latencies_ms),
        batches=[_to_us(values) for values in answer.batches_ms],
        paced_us=_to_us(answer.paced_ms),
        frequency_mhz=page.frequency_mhz,
        clock_resolution_us=round(1000 * answer.clock_resolution_ms, 3),
    )


def _to_us(values_ms: list[float]) -> list[float]:
    return [round(1000 * value, 2) for value in values_ms]


def main() -> None:
    """Read the job, measure, write the answer."""
    folder = Path(sys.argv[1])
    job_folder = JobFolder(folder)
    try:
        measurement = measure_in_browser(msgspec.json.decode(job_folder.job.read_bytes(), type=Job), job_folder, folder)
    except EdgeMnistError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(EXIT_UNAVAILABLE) from error
    job_folder.answer.write_bytes(msgspec.json.encode(measurement))


if __name__ == "__main__":
    main()
