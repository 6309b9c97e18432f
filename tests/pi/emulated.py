"""What the wheel computes on the processors of Raspberry Pis, held against what it computes on this machine.

Its name keeps it from the ordinary tests: it is run by `make test-pi`.
"""

import json
import platform
import re
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edge_mnist.benchmarks.scenes.pages import write_page
from edge_mnist.edge.bundle.export_record import ModelFile
from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.runtimes.checking import NOT_RUN, PASSED
from edge_mnist.edge.runtimes.isolated import IsolatedJob, run_isolated
from edge_mnist.edge.runtimes.registry import RUNTIMES
from tests.conftest import edge_mnist_process

from .ledger import Ledger, Subject
from .userland import BOOKWORM, EXCHANGE, OURS, STAND_INS, TRIXIE, UserLand

# Those of a Raspberry Pi 3 or Zero 2 W, a 4, and a 5: the numbers by which they name themselves.
PARTS = {"cortex-a53": "0xd03", "cortex-a72": "0xd08", "cortex-a76": "0xd0b"}
# What their cameras are shown.
SHOWN = {
    "cortex-a53": ("0123", "4567", "89"),
    "cortex-a72": ("31415", "92653", "58979"),
    "cortex-a76": ("4711", "2026", "58"),
}
CAMERA_SIZE = (640, 480)
LIVE_FRAMES = 6
EXAMPLE = ("0123456789", "31415926", "2718")
EXAMPLE_OPTIONS = [option for row in EXAMPLE for option in ("--row", row)]
TODAYS_RUNTIMES = ("litert", "onnxruntime")
EQUAL = f"equal to {platform.machine()}"
ALIKE = f"digits and boxes as on {platform.machine()}"
# OpenCV scales pictures with other kernels on aarch64: pixels differ by a gray level or two before the model sees them.
CONFIDENCE_TOLERANCE = 0.01
# With more time for each thing that it tries than any Raspberry Pi takes.
PATIENT_DOCTOR = """
from edge_mnist.cli import main
from edge_mnist.edge.doctor import probes
probes.PROBE_TIMEOUT_S = 100.0
main(["doctor", "--json"])
"""
on_every_cpu = pytest.mark.parametrize("cpu", PARTS)
with_todays_runtimes = pytest.mark.parametrize("runtime", TODAYS_RUNTIMES)


def _int8_file(runtime: str) -> ModelFile:
    return open_bundle(SHIPPED).file(RUNTIMES[runtime].format, "int8")


def _logits_here(runtime: str, images: NDArray[np.uint8], folder: Path) -> NDArray[np.float32]:
    np.save(folder / "images.npy", images)
    file = _int8_file(runtime)
    return run_isolated(SHIPPED / file.record.name, file, runtime, folder / "images.npy")


def _logits_there(userland: UserLand, cpu: str, runtime: str, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    file = _int8_file(runtime)
    job = IsolatedJob(
        path=f"/{OURS}/edge_mnist/edge/models/standard/{file.record.name}",
        file=file,
        runtime=runtime,
        images=f"/{EXCHANGE}/images.npy",
        logits=f"/{EXCHANGE}/logits.npy",
    )
    np.save(userland.exchange / "images.npy", images)
    (userland.exchange / "logits.npy").unlink(missing_ok=True)

    ran = userland.python(cpu, "-P", "-m", "edge_mnist.edge.runtimes.isolated", stdin=msgspec.json.encode(job).decode())

    assert ran.returncode == 0, ran.stderr
    return np.load(userland.exchange / "logits.npy")


def _bits(logits: NDArray[np.float32]) -> list[list[int]]:
    """Floats as the integers that have the same bits.

    Where a file gives int8, different ones become different floats: equal logits come of equal integers.
    """
    return logits.view(np.uint32).tolist()


@on_every_cpu
def test_the_processor_is_the_one_that_was_asked_for(trixie: UserLand, cpu: str) -> None:
    ran = trixie.python(cpu, "-c", "print(open('/proc/cpuinfo').read())")

    assert set(re.findall(r"CPU part\s*: (\w+)", ran.stdout)) == {PARTS[cpu]}


@on_every_cpu
@with_todays_runtimes
def test_int8_outputs_are_equal_bit_for_bit(
    trixie: UserLand, ledger: Ledger, images: NDArray[np.uint8], tmp_path: Path, cpu: str, runtime: str
) -> None:
    file = _int8_file(runtime)
    here = _logits_here(runtime, images, tmp_path)

    with ledger.check(Subject(cpu, TRIXIE.suite, runtime, file.record.name, f"{len(images)} images"), EQUAL):
        there = _logits_there(trixie, cpu, runtime, images)

        assert _bits(there) == _bits(here)


@on_every_cpu
def test_int8_outputs_of_the_last_tflite_runtime_are_equal_bit_for_bit(
    bookworm: UserLand, bookworm_here: UserLand, ledger: Ledger, images: NDArray[np.uint8], cpu: str
) -> None:
    here = _logits_there(bookworm_here, cpu, "tflite-runtime", images)
    file = _int8_file("tflite-runtime").record.name

    with ledger.check(Subject(cpu, BOOKWORM.suite, "tflite-runtime", file, f"{len(images)} images"), EQUAL):
        there = _logits_there(bookworm, cpu, "tflite-runtime", images)

        assert _bits(there) == _bits(here)


@on_every_cpu
def test_golden_vectors_hold(trixie: UserLand, ledger: Ledger, cpu: str) -> None:
    _verify(trixie, ledger, cpu, TODAYS_RUNTIMES)


@on_every_cpu
def test_golden_vectors_hold_in_the_last_tflite_runtime(bookworm: UserLand, ledger: Ledger, cpu: str) -> None:
    _verify(bookworm, ledger, cpu, ("tflite-runtime",))


def _verify(userland: UserLand, ledger: Ledger, cpu: str, runtimes: tuple[str, ...]) -> None:
    suite = userland.release.suite
    with ledger.check(Subject(cpu, suite, ", ".join(runtimes), "all", "golden vectors"), "verified"):
        ran = userland.command(cpu, "verify", "--json")

        assert ran.returncode == 0, ran.stderr
        outcomes = {(result["file"], result["runtime"]): result["outcome"] for result in json.loads(ran.stdout)}
        assert outcomes == {
            (file.record.name, runtime.name): PASSED if runtime.name in runtimes else NOT_RUN
            for file in open_bundle(SHIPPED).files
            for runtime in RUNTIMES.values()
            if runtime.format == file.format
        }


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page as it is drawn here."""
    page = tmp_path_factory.mktemp("example") / "page.png"
    drawn = edge_mnist_process("example", page, *EXAMPLE_OPTIONS)
    assert drawn.returncode == 0, drawn.stderr
    return page


@pytest.fixture(scope="module")
def read_here(example: Path) -> dict[str, Any]:
    """What is read on it here, by runtime."""
    ran = {runtime: edge_mnist_process("run", example, "--json", "--runtime", runtime) for runtime in TODAYS_RUNTIMES}
    assert [process.stderr for process in ran.values() if process.returncode] == []
    return {runtime: json.loads(process.stdout) for runtime, process in ran.items()}


@on_every_cpu
def test_the_example_is_drawn_alike(trixie: UserLand, ledger: Ledger, example: Path, cpu: str) -> None:
    with ledger.check(Subject(cpu, TRIXIE.suite, "", "", "example"), EQUAL):
        ran = trixie.command(cpu, "example", f"/{EXCHANGE}/page.png", *EXAMPLE_OPTIONS)

        assert ran.returncode == 0, ran.stderr
        with Image.open(example) as here, Image.open(trixie.exchange / "page.png") as there:
            assert (there.mode, there.size, there.tobytes()) == (here.mode, here.size, here.tobytes())


@on_every_cpu
@with_todays_runtimes
def test_the_example_is_read_alike(
    trixie: UserLand, ledger: Ledger, example: Path, read_here: dict[str, Any], cpu: str, runtime: str
) -> None:
    shutil.copy(example, trixie.exchange / "example.png")

    with ledger.check(Subject(cpu, TRIXIE.suite, runtime, _int8_file(runtime).record.name, "example page"), ALIKE):
        ran = trixie.command(cpu, "run", f"/{EXCHANGE}/example.png", "--json", "--runtime", runtime)

        assert ran.returncode == 0, ran.stderr
        here, there = read_here[runtime], json.loads(ran.stdout)
        assert there["rows"] == here["rows"] == list(EXAMPLE)
        assert [digit["box"] for digit in there["digits"]] == [digit["box"] for digit in here["digits"]]
        sure_there, sure_here = ([digit["confidence"] for digit in run["digits"]] for run in (there, here))
        assert sure_there == pytest.approx(sure_here, abs=CONFIDENCE_TOLERANCE)


@on_every_cpu
def test_live_reads_what_the_camera_is_shown(trixie: UserLand, ledger: Ledger, tmp_path: Path, cpu: str) -> None:
    trixie.show(_photograph(tmp_path, SHOWN[cpu]))
    live = ("live", "--camera", "picamera2", "--frames", LIVE_FRAMES, "--json", "--every-frame")

    with ledger.check(Subject(cpu, TRIXIE.suite, "litert", _int8_file("litert").record.name, "live camera"), "read"):
        ran = trixie.python(cpu, f"/{STAND_INS}/virtual_camera.py", *live)

        assert ran.returncode == 0, ran.stderr
        events = [json.loads(line) for line in ran.stdout.splitlines()]
        readings = [event for event in events if event["event"] == "reading"]
        assert len(readings) == LIVE_FRAMES
        assert tuple(readings[-1]["announced"]) == SHOWN[cpu]


def test_the_doctor_finds_processor_runtimes_and_camera(trixie: UserLand, ledger: Ledger, tmp_path: Path) -> None:
    cpu = "cortex-a72"
    trixie.show(_photograph(tmp_path, SHOWN[cpu]))

    with ledger.check(Subject(cpu, TRIXIE.suite, "litert, onnxruntime", "", "doctor"), "nothing missing"):
        ran = trixie.python(cpu, "-c", PATIENT_DOCTOR)

        assert ran.returncode == 0, ran.stdout + ran.stderr
        findings = {finding["name"]: finding for finding in json.loads(ran.stdout)["findings"]}
        needed = ("word size", "litert", "onnxruntime", "model", "libcamera", "picamera2", "cameras")
        assert [findings[name] for name in needed if findings[name]["level"] != "ok"] == []
        assert "aarch64" in findings["word size"]["message"]
        assert "picamera2:0" in findings["cameras"]["message"]


def _photograph(folder: Path, rows: tuple[str, ...]) -> Path:
    """A page with these digits as the camera gets it: a JPEG of its size."""
    write_page(folder / "page.png", rows, seed=1)
    with Image.open(folder / "page.png") as page:
        page.convert("RGB").resize(CAMERA_SIZE).save(folder / "page.jpg", quality=95)
    return folder / "page.jpg"
