"""What the user lands are made of: Debian's packages, Python's, and this project's wheel."""

import shutil
import sys
import tomllib
from pathlib import Path
from typing import Literal

from tests.conftest import REPOSITORY

from .programs import run_program

Machine = Literal["aarch64", "x86_64"]

# As Debian calls them.
ARCHITECTURES: dict[Machine, str] = {"aarch64": "arm64", "x86_64": "amd64"}
# The oldest that wheels are still made for, and Debian 13's.
GLIBC_MINORS = range(17, 42)


def unpack_debian(mirror: str, suite: str, machine: Machine, packages: tuple[str, ...], folder: Path) -> None:
    """Unpack packages and what they depend on, without running any of their scripts."""
    archive = folder / "debian.tar"
    run_program("mmdebstrap", "--quiet", "--variant=extract", f"--arch={ARCHITECTURES[machine]}",
                f"--include={','.join(packages)}", suite, archive, mirror)  # fmt: skip
    excluded = ("./dev", "./usr/share/doc", "./usr/share/man", "./usr/share/locale")
    run_program(
        "tar", "--extract", "--file", archive, "--directory", folder, *(f"--exclude={name}" for name in excluded)
    )
    archive.unlink()


def install_wheels(folder: Path, python: str, machine: Machine, *options: str) -> None:
    """Install for this version of Python; options are pip's, packages among them."""
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS]
    run_program(sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--only-binary=:all:", "--upgrade",
                "--implementation=cp", f"--python-version={python}", f"--platform=manylinux2014_{machine}", *platforms,
                "--target", folder, *options)  # fmt: skip


def build_wheel(folder: Path) -> Path:
    """Build ours from a copy: nothing is left in the repository, and nothing of an earlier build gets in."""
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    # Its links to the stages become folders.
    shutil.copytree(REPOSITORY / "edge_mnist", source / "edge_mnist", ignore=shutil.ignore_patterns("__pycache__"))
    run_program(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, source)
    return next(folder.glob("*.whl"))


def our_dependencies() -> tuple[str, ...]:
    """What the wheel needs, and ONNX Runtime."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    return (*project["dependencies"], *project["optional-dependencies"]["onnx"])
