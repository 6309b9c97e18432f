"""The browser as a target: which one is available, with which onnxruntime-web, and how to start it for a measurement.

Headless Chromium is enough: the page fetches its job from a server on this machine and posts its results there, so no
driver and no debugging protocol add overhead.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...edge.common.errors import RuntimeUnavailableError
from ...edge.common.processes.child import limit_command
from ...edge.web.browser_runtime import FILES, runtime_dir

RUNTIME = "onnxruntime-web"
# The variable of `edge-mnist serve`, whose own module needs packages that a benchmark does not.
RUNTIME_VARIABLE = "EDGE_MNIST_WEB_RUNTIME"
RUNTIME_FILES = tuple(Path(name).name for name in FILES)
BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
SWITCHES = (
    "--headless=new", "--disable-gpu", "--no-first-run", "--no-default-browser-check", "--disable-sync",
    "--disable-extensions", "--disable-breakpad", "--disable-background-networking", "--disable-component-update",
    # The page counts as visible, although there is no window.
    "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
    # The browser must not contact the network.
    "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
EXIT_TIMEOUT_S = 10


def find_browser() -> str | None:
    """Find the first supported browser on the PATH."""
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


def find_runtime_folder() -> Path | None:
    """Find the folder with onnxruntime-web's files; None if a file is missing."""
    folder = Path(os.environ.get(RUNTIME_VARIABLE) or runtime_dir())
    return folder if all((folder / name).is_file() for name in RUNTIME_FILES) else None


def explain_absence() -> str | None:
    """Describe what is missing, and the command that installs it; None if nothing is."""
    if find_browser() is None:
        return "needs Chromium: apt install chromium"
    if find_runtime_folder() is None:
        return f"needs {RUNTIME}: python -m edge_mnist.edge.web.browser_runtime"
    return None


@contextmanager
def running_browser(url: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a fresh browser on a page until the end of the block.

    Args:
        url: The address of the page.
        folder: The folder for the browser's profile, which is removed afterwards.

    Raises:
        RuntimeUnavailableError: There is no browser.
    """
    program = find_browser()
    if program is None:
        raise RuntimeUnavailableError(str(explain_absence()))
    profile = folder / "profile"
    # Chromium's sandbox does not work for root.
    switches = (*SWITCHES, "--no-sandbox") if os.geteuid() == 0 else SWITCHES
    command = [program, *switches, f"--user-data-dir={profile}", url]
    # Its messages are about buses and drivers that no page needs.
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(limit_command(command), stdin=quiet, stdout=quiet, stderr=quiet)  # noqa: S603 - found on the PATH
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(EXIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        # Its last children may still write while they end.
        shutil.rmtree(profile, ignore_errors=True)


def peak_page_memory_mb(pid: int) -> float | None:
    """Return the largest resident size of this browser's page processes, MB (10**6 bytes); None if unknown.

    The page's process holds the model; the browser's other processes would run for any page.
    """
    peaks = [_read_number(process / "status", "VmHWM:") for process in _descendants(pid) if _is_renderer(process)]
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
        # The process ended meanwhile.
        return False


def _read_number(status: Path, field: str) -> int:
    """Read a number from a process's status; 0 if there is none, or if the process ended meanwhile."""
    try:
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(field)), 0)
