"""Fetch onnxruntime-web, which runs the ONNX file inside the page: `python -m edge_mnist.edge.web.browser_runtime`.

Its three files are taken from one version of the npm package, whose SHA-512 is known here, by the user's own npm and
its configured registry. They go to the user's cache; the server sends them from there, so that the page loads nothing
from anywhere else. Without them the server reads drawings itself.
"""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import click
import msgspec

from ..common.errors import EdgeMnistError
from ..common.terminal.output import echo, safe_output
from ..common.terminal.text import one_line
from ..common.terminal.verbosity import note
from ..data.download import cache_dir

PACKAGE = "onnxruntime-web"
VERSION = "1.30.0"
# Hash of the package's archive, as npm's lock files state it.
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
# Names in the archive: the interface, the loader of the WebAssembly, and the WebAssembly.
FILES = (
    "package/dist/ort.wasm.min.mjs",
    "package/dist/ort-wasm-simd-threaded.mjs",
    "package/dist/ort-wasm-simd-threaded.wasm",
)
# States the version of the files.
MANIFEST = "package/package.json"
# For an archive of 33 MB.
DOWNLOAD_TIMEOUT_S = 600


def runtime_dir() -> Path:
    """Return the folder of the fetched files."""
    return cache_dir() / PACKAGE


def runtime_version(folder: Path) -> str | None:
    """Return the version of the files in a folder, from their package.json; None if some are missing."""
    if not all(is_file(folder / Path(name).name) for name in FILES):
        return None
    try:
        return msgspec.json.decode((folder / "package.json").read_bytes(), type=_Package).version
    except Exception:
        # Unreadable, or not JSON: the folder does not hold the package.
        return None


def is_file(path: Path) -> bool:
    """Whether the path is a file; Path.is_file raises if access is denied, as below a home that systemd hides."""
    return os.path.isfile(path)  # noqa: PTH113 - does not raise


def fetch_runtime() -> Path:
    """Fetch the files into the user's cache, replacing any that are there, and return their folder.

    Raises:
        EdgeMnistError: There is no npm, it cannot fetch the package, or the archive is not this package.
    """
    destination = runtime_dir()
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        # Beside its destination, because it can only be renamed within a file system.
        with tempfile.TemporaryDirectory(prefix=f".{PACKAGE}.", dir=destination.parent) as temporary:
            archive = _download(Path(temporary))
            _verify(archive)
            _extract(archive, Path(temporary) / "new")
            _replace(Path(temporary) / "new", destination, Path(temporary) / "old")
    except OSError as error:
        raise EdgeMnistError(
            f"{destination}: cannot be written ({error}). Free space there, or set XDG_CACHE_HOME."
        ) from error
    return destination


def ensure_runtime() -> str:
    """Fetch the files unless this version of them is there, and return a sentence about it.

    Raises:
        EdgeMnistError: As `fetch_runtime`.
    """
    if runtime_version(runtime_dir()) == VERSION:
        return f"{runtime_dir()} already holds {PACKAGE} {VERSION}."
    note(f"Fetching {PACKAGE} {VERSION} with npm …")
    return f"{fetch_runtime()} holds {PACKAGE} {VERSION}."


class _Package(msgspec.Struct):
    """The fields of a package.json that are used here."""

    version: str


def _download(folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise EdgeMnistError("npm is needed to fetch onnxruntime-web, but is not on the PATH: apt install npm.")
    # One more attempt, a second later: being offline must show at once.
    patience = ("--fetch-retries", "1", "--fetch-retry-mintimeout", "1000")
    where = ("--pack-destination", str(folder))
    command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--ignore-scripts", *patience, *where]
    try:
        done = subprocess.run(  # noqa: S603 - the user's own npm, with no outside input
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=DOWNLOAD_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise EdgeMnistError(f"npm took longer than {DOWNLOAD_TIMEOUT_S} s for {PACKAGE}. Try again.") from error
    archives = list(folder.glob("*.tgz"))
    if done.returncode != 0 or len(archives) != 1:
        code = re.search(r"^npm (?:error|ERR!) code (\S+)", done.stderr, re.MULTILINE)
        reason = code.group(1) if code else f"exit status {done.returncode}"
        raise EdgeMnistError(f"npm could not get {PACKAGE} {VERSION} ({reason}). Check `npm config get registry`.")
    return archives[0]


def _verify(archive: Path) -> None:
    with archive.open("rb") as file:
        found = base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()
    if found != SHA512:
        raise EdgeMnistError(
            f"{PACKAGE} {VERSION}: expected SHA-512 {SHA512[:12]}…, npm returned {found[:12]}…. Nothing was "
            "installed; check which registry npm uses."
        )


def _extract(archive: Path, folder: Path) -> None:
    """Extract only the files that are needed, under their own names."""
    folder.mkdir()
    with tarfile.open(archive) as package:
        for name in (*FILES, MANIFEST):
            content = package.extractfile(name)
            if content is None:
                raise EdgeMnistError(f"{PACKAGE} {VERSION}: {name} is not a file in its archive.")
            with content, (folder / Path(name).name).open("wb") as file:
                shutil.copyfileobj(content, file)


def _replace(new: Path, destination: Path, old: Path) -> None:
    if destination.exists():
        destination.rename(old)
    new.rename(destination)


@click.command()
def main() -> None:
    """Fetch onnxruntime-web, so that the page reads drawings itself."""
    try:
        echo(ensure_runtime())
    except EdgeMnistError as error:
        raise click.ClickException(one_line(error)) from error


if __name__ == "__main__":
    with safe_output():
        main()
