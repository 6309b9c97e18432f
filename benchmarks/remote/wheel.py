"""A wheel of this installation, so that another machine measures the same code."""

import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from ..errors import BenchmarkError

CHECKOUT = Path(__file__).resolve().parents[2]
CONSTRAINTS = "constraints.txt"
PACKAGE = "edge_mnist"
BUILD_TIMEOUT_S = 300
# The version that pyproject.toml requires.
SETUPTOOLS = 80


def build_wheel(folder: Path, checkout: Path = CHECKOUT) -> Path:
    """Build a wheel of the checkout that contains this module, leaving nothing there; return its path in `folder`.

    Raises:
        BenchmarkError: This is not a checkout, or the wheel cannot be built.
    """
    if not (checkout / "pyproject.toml").is_file():
        raise BenchmarkError(
            "edge-mnist was not installed from a checkout, so its wheel cannot be built. Get the wheel of the "
            "same version (pip wheel --no-deps edge-mnist), and name it with --wheel."
        )
    if find_spec("build") is None:
        raise BenchmarkError("building the wheel for other machines needs the package build. Run: pip install build")
    source = folder / "source"
    _copy_sources(checkout, source)
    command = [sys.executable, "-P", "-m", "build", "--wheel", "--outdir", str(folder)]
    try:
        built = subprocess.run(  # noqa: S603 - our own Python, on our own files
            [*command, *(["--no-isolation"] if _has_backend() else []), str(source)],
            cwd=folder,
            capture_output=True,
            check=False,
            timeout=BUILD_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"building the wheel took longer than {BUILD_TIMEOUT_S} s.") from error
    if built.returncode != 0:
        said = (built.stdout + built.stderr).decode(errors="replace").strip().splitlines() or ["no message"]
        raise BenchmarkError(f"the wheel for other machines cannot be built: {said[-1]}")
    return next(folder.glob("*.whl"))


def find_constraints(checkout: Path = CHECKOUT) -> Path | None:
    """Find the tested versions of the wheel's requirements; None if the checkout has none."""
    path = checkout / CONSTRAINTS
    return path if path.is_file() else None


def _copy_sources(checkout: Path, destination: Path) -> None:
    """Copy only what the build reads: building in the checkout would leave folders there."""
    with (checkout / "pyproject.toml").open("rb") as file:
        described = tomllib.load(file)
    files = ["pyproject.toml", described["project"]["readme"], *described["project"]["license-files"]]
    destination.mkdir()
    for name in files:
        shutil.copy2(checkout / name, destination / name)
    # Links become folders.
    shutil.copytree(checkout / PACKAGE, destination / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))


def _has_backend() -> bool:
    """Whether the build's requirements are installed here; if not, they are downloaded."""
    try:
        return int(version("setuptools").partition(".")[0]) >= SETUPTOOLS
    except PackageNotFoundError:
        return False
