"""What the machine must have before anything can be emulated on it."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

# What is run, and Debian's package that has it.
PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "arch-test": "arch-test",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
}
# A header, and the package that has it.
HEADERS = {Path("/usr/aarch64-linux-gnu/include/linux/dma-heap.h"): "libc6-dev-arm64-cross"}
MIRROR_VARIABLE = "EDGE_MNIST_DEBIAN_MIRROR"
SUITE = "trixie"


class CannotEmulateError(Exception):
    """This machine cannot emulate now: something is not installed, not allowed or not reachable."""


def check_packages() -> None:
    """Raise unless all programs are here; the message has the line that installs them."""
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    missing += [package for header, package in HEADERS.items() if not header.exists()]
    if missing:
        line = f"apt-get install --no-install-recommends {' '.join(missing)}"
        raise CannotEmulateError(f"needs packages that are not installed. Run: {line}")


def check_machine() -> None:
    """Raise unless results can be held against x86-64, and programs started in another root folder."""
    if platform.machine() != "x86_64":
        raise CannotEmulateError(f"needs an x86-64 processor to compare with; this is {platform.machine()}")
    if os.geteuid() != 0:
        raise CannotEmulateError("needs root, to start programs in another root folder (chroot)")


def find_mirror() -> str:
    """The address of the Debian mirror that apt is configured with, or the variable's; it answers."""
    mirror = os.environ.get(MIRROR_VARIABLE) or _ask_apt()
    try:
        urllib.request.urlopen(f"{mirror.rstrip('/')}/dists/{SUITE}/InRelease", timeout=15).close()  # noqa: S310 - apt's
    except (OSError, ValueError) as error:
        raise CannotEmulateError(f"the Debian mirror {mirror} is not reachable ({error})") from error
    return mirror


def _ask_apt() -> str:
    question = ("--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages", "Origin: Debian")
    answer = subprocess.run(["apt-get", "indextargets", *question], capture_output=True, text=True, check=False)
    for line in answer.stdout.splitlines():
        codename, address = line.split()
        # Not those that hold security updates or backports alone, e.g. bookworm-security.
        if "-" not in codename:
            return address
    raise CannotEmulateError(f"apt knows no Debian mirror. Run apt-get update, or set {MIRROR_VARIABLE} to one")


def check_index(constraints: Path) -> None:
    """Raise unless pip can fetch a package in the version that these constraints have."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--timeout=15", "--retries=1"]
        fetched = subprocess.run(
            [*command, "--dest", folder, "--constraint", constraints, "click"],
            capture_output=True,
            text=True,
            check=False,
        )
    if fetched.returncode != 0:
        errors = [line for line in fetched.stderr.splitlines() if line.startswith("ERROR: ")]
        reason = errors[0].removeprefix("ERROR: ") if errors else "it does not say why"
        raise CannotEmulateError(f"pip cannot fetch packages ({reason.rstrip('.')})")
