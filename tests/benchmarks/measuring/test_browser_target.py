"""The browser as a target: its page gives what ONNX Runtime gives, and tells with what; or it is said why not."""

import http.client
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_mnist.benchmarks.errors import BenchmarkError
from edge_mnist.benchmarks.measuring.browser_worker import MOST_BYTES, Site, serving_page
from edge_mnist.benchmarks.targets import browser
from edge_mnist.benchmarks.targets.browser import explain_absence, find_browser
from edge_mnist.benchmarks.targets.job import Job, Measurement
from edge_mnist.benchmarks.targets.launcher import Launcher, run_worker
from edge_mnist.edge.bundle.contract import Precision
from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.data.images import Images
from edge_mnist.edge.runtimes.loading import load_classifier
from edge_mnist.edge.runtimes.registry import choose_runtime
from edge_mnist.edge.web.routes import files
from tests.stand_ins.chromium import browser_runtime

__all__ = ["browser_runtime"]

LAUNCHER = Launcher(module="edge_mnist.benchmarks.measuring.browser_worker", memory_bytes=0)
COUNT = 300
# Integer kernels of other processors may add up in another order before they round.
LOGITS_TOLERANCE = 0.25
# An isolated page's clock has steps of 5 us; without isolation they are of 100 us.
FINEST_US, COARSEST_US = 0.5, 25
# A stand-in for the runtime, whose model never saw a digit.
WRONG_RUNTIME = """
export const env = {wasm: {}, versions: {web: "0.0.0"}};
export class Tensor { constructor(type, data, dims) { this.dims = dims; } }
export const InferenceSession = {create: async () => ({inputNames: ["i"], outputNames: ["o"],
  run: async ({i}) => ({o: {data: new Float32Array(10 * i.dims[0])}})})};
"""


@pytest.fixture
def job(sample: Images, tmp_path: Path) -> Job:
    """A little of everything."""
    timing, evaluation = tmp_path / "timing.npy", tmp_path / "evaluation.npy"
    np.save(timing, sample.pixels[:7])
    np.save(evaluation, sample.pixels[:COUNT])
    return Job(
        bundle=str(SHIPPED),
        precision="int8",
        runtime="onnxruntime-web",
        calls=40,
        seconds=0.5,
        batches=[3],
        paced_calls=3,
        warmup_s=0.5,
        timing_images=str(timing),
        evaluation_images=str(evaluation),
    )


@pytest.fixture
def runtime(browser_runtime: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if find_browser() is None:
        pytest.skip("needs a browser: apt install chromium")
    monkeypatch.setenv(browser.RUNTIME_VARIABLE, str(browser_runtime))
    return browser_runtime


@pytest.fixture
def no_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the runtime's place, with files that are none."""
    if find_browser() is None:
        pytest.skip("needs a browser: apt install chromium")
    folder = tmp_path / "runtime"
    folder.mkdir()
    for name in browser.RUNTIME_FILES:
        (folder / name).write_text("this is no program")
    monkeypatch.setenv(browser.RUNTIME_VARIABLE, str(folder))
    return folder


@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_the_page_gives_what_onnx_runtime_gives(precision: Precision, job: Job, runtime: Path, sample: Images) -> None:
    measured, logits = run_worker(LAUNCHER, msgspec.structs.replace(job, precision=precision), Measurement)

    expected = load_classifier(open_bundle(SHIPPED), choose_runtime("onnxruntime"), precision).logits
    assert logits is not None
    assert logits.shape == (COUNT, 10)
    np.testing.assert_allclose(logits, expected(sample.pixels[:COUNT]), atol=LOGITS_TOLERANCE)
    version = msgspec.json.decode((runtime / "package.json").read_bytes())["version"]
    assert measured.runtime_version.startswith(f"{version} in Chromium ")
    assert 10 <= len(measured.latencies_us) <= job.calls
    assert [len(values) > 0 for values in measured.batches] == [True]
    assert len(measured.paced_us) == job.paced_calls
    assert min([*measured.latencies_us, *measured.batches[0], *measured.paced_us]) > 0
    assert measured.load_ms > 0
    assert measured.first_ms > 0
    assert measured.peak_memory_mb > 20
    assert measured.clock_resolution_us is not None
    assert FINEST_US < measured.clock_resolution_us < COARSEST_US


def test_without_a_browser_the_command_that_gets_one_is_said(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    assert explain_absence() == "needs Chromium: apt install chromium"
    with pytest.raises(BenchmarkError, match=r"^needs Chromium: apt install chromium$"):
        run_worker(LAUNCHER, job, Measurement)


def test_without_its_runtime_the_command_that_gets_it_is_said(job: Job, no_runtime: Path) -> None:
    (no_runtime / browser.RUNTIME_FILES[-1]).unlink()

    with pytest.raises(
        BenchmarkError, match=r"^needs onnxruntime-web: python -m edge_mnist\.edge\.web\.browser_runtime$"
    ):
        run_worker(LAUNCHER, job, Measurement)


def test_the_runtime_is_looked_for_where_the_server_looks() -> None:
    assert browser.RUNTIME_VARIABLE == files.RUNTIME_VARIABLE
    assert set(browser.RUNTIME_FILES) == set(files.RUNTIME_FILES)


@pytest.mark.usefixtures("no_runtime")
def test_a_browser_that_ends_at_once_is_said_to(job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "chromium"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    with pytest.raises(BenchmarkError, match="the browser ended before the page had finished"):
        run_worker(LAUNCHER, job, Measurement)


@pytest.mark.usefixtures("no_runtime")
def test_a_page_that_fails_says_why(job: Job) -> None:
    with pytest.raises(BenchmarkError, match=r"the page failed: .*identifier"):
        run_worker(LAUNCHER, job, Measurement)


def test_a_runtime_that_computes_something_else_is_refused(job: Job, no_runtime: Path) -> None:
    (no_runtime / browser.RUNTIME_FILES[0]).write_text(WRONG_RUNTIME)

    with pytest.raises(BenchmarkError, match="on onnxruntime-web: refused, its logits differ from those in its card"):
        run_worker(LAUNCHER, job, Measurement)


def test_no_browser_is_left_when_the_worker_is_done(job: Job, no_runtime: Path) -> None:
    with pytest.raises(BenchmarkError, match="the page failed"):
        run_worker(LAUNCHER, job, Measurement)

    at_work = [path for path in Path("/proc").glob("[0-9]*/environ") if _holds(path, str(no_runtime))]
    assert [path.parent.name for path in at_work] == [str(os.getpid())] or at_work == []


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, int, list[tuple[str, bytes]]]]:
    """The path that pages know, the port, and what they said."""
    said: list[tuple[str, bytes]] = []
    (tmp_path / "secret.txt").write_text("nobody's business")
    (tmp_path / "runtime").mkdir()
    given = Site({"job": b"{}"}, tmp_path / "runtime", lambda name, content: said.append((name, content)))
    with serving_page(given) as url:
        port, _, folder = url.removeprefix("http://127.0.0.1:").partition("/")
        yield "/" + folder.removesuffix("index.html"), int(port), said


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/job", None),
        ("/static/../browser_server.py", None),
        ("/runtime/..%2fsecret.txt", None),
        ("/runtime/../secret.txt", None),
        ("{secret}none", None),
        ("{secret}job", "rebound.example"),
        ("/static/worker.js", "rebound.example"),
    ],
)
def test_the_server_gives_nothing_else_and_to_nobody_else(
    path: str, host: str | None, site: tuple[str, int, list[tuple[str, bytes]]]
) -> None:
    secret, port, _ = site

    assert _ask(port, "GET", path.format(secret=secret), host)[0] == 404


def test_the_server_gives_the_job_and_takes_messages(site: tuple[str, int, list[tuple[str, bytes]]]) -> None:
    secret, port, said = site

    assert _ask(port, "GET", f"{secret}job") == (200, b"{}")
    assert _ask(port, "GET", "/static/worker.js")[0] == 200
    assert _ask(port, "POST", f"{secret}beat", content=b"hello") == (200, b"")
    assert _ask(port, "POST", "/guess/beat", content=b"hello")[0] == 404
    assert _ask(port, "POST", f"{secret}beat", length=MOST_BYTES + 1)[0] == 404
    assert said == [("beat", b"hello")]


def _ask(
    port: int, method: str, path: str, host: str | None = None, content: bytes = b"", length: int | None = None
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", host or f"127.0.0.1:{port}")
        connection.putheader("Content-Length", str(len(content) if length is None else length))
        connection.endheaders(content)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _holds(path: Path, words: str) -> bool:
    try:
        return words.encode() in path.read_bytes()
    except OSError:
        return False
