"""The browser as a target: which one is here, with which onnxruntime-web, and how to start it for one measurement.

Chromium without a window is all that it takes: the page fetches its job from a server on this machine and reports
there, so no driver and no debugging protocol come in between.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...edge.common.errors import RuntimeUnavailableError
from ...edge.common.processes.child import bounded
from ...edge.web.browser_runtime import FILES, runtime_dir

RUNTIME = "onnxruntime-web"
# As `edge-mnist serve` has it, whose own module needs packages that a benchmark does not.
RUNTIME_VARIABLE = "EDGE_MNIST_WEB_RUNTIME"
RUNTIME_FILES = tuple(Path(name).name for name in FILES)
BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
SWITCHES = (
    "--headless=new", "--disable-gpu", "--no-first-run", "--no-default-browser-check", "--disable-sync",
    "--disable-extensions", "--disable-breakpad", "--disable-background-networking", "--disable-component-update",
    # The page is in front, whatever the browser thinks of a window that nobody sees.
    "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
    # Whatever the browser itself may want from the network, it shall not get.
    "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
ENDS_WITHIN_S = 10


def find_browser() -> str | None:
    """The first browser on the PATH that this can start."""
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


def find_runtime_folder() -> Path | None:
    """Where onnxruntime-web's files are; None if not all of them are there."""
    folder = Path(os.environ.get(RUNTIME_VARIABLE) or runtime_dir())
    return folder if all((folder / name).is_file() for name in RUNTIME_FILES) else None


def explain_absence() -> str | None:
    """What is missing, and the command that gets it; None where all is here."""
    if find_browser() is None:
        return "needs Chromium: apt install chromium"
    if find_runtime_folder() is None:
        return f"needs {RUNTIME}: python -m edge_mnist.edge.web.browser_runtime"
    return None


@contextmanager
def running_browser(url: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A fresh browser at a page, until the end of the block.

    Args:
        url: Of the page.
        folder: For the browser's profile, which is removed.

    Raises:
        RuntimeUnavailableError: There is none.
    """
    program = find_browser()
    if program is None:
        raise RuntimeUnavailableError(str(explain_absence()))
    profile = folder / "profile"
    # Chromium's sandbox refuses to work for root.
    switches = (*SWITCHES, "--no-sandbox") if os.geteuid() == 0 else SWITCHES
    command = [program, *switches, f"--user-data-dir={profile}", url]
    # What it says is about buses and drivers that no page needs.
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(bounded(command), stdin=quiet, stdout=quiet, stderr=quiet)  # noqa: S603 - found on the PATH
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        # Its last children may still write as they end.
        shutil.rmtree(profile, ignore_errors=True)


def peak_page_memory_mb(pid: int) -> float | None:
    """The largest resident size that any page's process of this browser has had, MB (10**6 bytes); None if none shows.

    The page's process holds the model; the browser's others would be there for any page.
    """
    peaks = [_read_peak_kb(process) for process in _descendants(pid) if _is_renderer(process)]
    return max(peaks, default=0) * 1024 / 1e6 or None


def _descendants(pid: int) -> Iterator[Path]:
    parents: dict[int, list[Path]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        parents.setdefault(_read_number(process / "status", "PPid:"), []).append(process)
    waiting = [pid]
    while waiting:
        for child in parents.get(waiting.pop(), []):
            yield child
            waiting.append(int(child.name))


def _is_renderer(process: Path) -> bool:
    try:
        return b"--type=renderer" in (process / "cmdline").read_bytes()
    except OSError:
        # It ended meanwhile.
        return False


def _read_peak_kb(process: Path) -> int:
    return _read_number(process / "status", "VmHWM:")


def _read_number(status: Path, field: str) -> int:
    """0 where there is none, or where the process ended meanwhile."""
    try:
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(field)), 0)
