"""Find, download and verify the four files of MNIST or a set in its format. Only files with a known SHA-256 are used.

MNIST is by Yann LeCun, Corinna Cortes and Christopher J. C. Burges, CC BY-SA 3.0.
"""

import gzip
import hashlib
import http.client
import io
import os
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from ..common.errors import EdgeMnistError
from ..common.files import read_file, write_atomically
from ..common.kinds import explain_pointer
from ..common.network.credentials import parse_address
from ..common.network.errors import describe_failure
from ..common.terminal.output import echo
from ..common.terminal.progress import ProgressBar

# Being offline must show at once, not hang.
CONNECT_TIMEOUT_S = 5.0
CHUNK_BYTES = 1 << 16
# A mirror whose mean rate after the first seconds is lower than this is abandoned.
LEAST_BYTES_PER_S = 10_000
PATIENCE_S = 6.0
# Size of each uncompressed file of MNIST and Fashion-MNIST: headers of 16 and 8 bytes, and 70,000 images and labels.
SIZE_BYTES = {
    "train-images-idx3-ubyte": 16 + 60_000 * 28 * 28,
    "train-labels-idx1-ubyte": 8 + 60_000,
    "t10k-images-idx3-ubyte": 16 + 10_000 * 28 * 28,
    "t10k-labels-idx1-ubyte": 8 + 10_000,
}
# The most that gzip adds to incompressible data: its header, and five bytes for each block.
GZIP_BYTES = 10_000

# SHA-256 of the *uncompressed* idx files, so that another mirror's gzip is accepted, too.
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


@dataclass(frozen=True)
class IdxSource:
    """A data set in MNIST's format, as it was published.

    Attributes:
        title: Title in messages.
        sha256: Hash of each file; the keys are names without `.gz`.
        gzipped: Whether `sha256` is of the gzip files, which then are the only form that can be used.
        mirrors: Addresses of the gzip files.
        folders: Subfolders of a data folder to search; the last one is that in the cache and on the user's own mirrors.
    """

    title: str
    sha256: Mapping[str, str]
    gzipped: bool
    mirrors: tuple[str, ...]
    folders: tuple[str, ...]


MNIST_FILES = IdxSource(
    "MNIST",
    SHA256,
    gzipped=False,
    mirrors=(
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ),
    folders=("mnist", ""),
)


class DataError(EdgeMnistError):
    """A data set is not available, or the files found are not that set."""


def cache_dir() -> Path:
    """Return the folder where downloads are kept between runs."""
    return platformdirs.user_cache_path("edge-mnist")


def mirrors(published: IdxSource = MNIST_FILES) -> tuple[str, ...]:
    """Return `$EDGE_MNIST_MIRRORS` (separated by spaces; empty means never download), else the public mirrors."""
    configured = os.environ.get("EDGE_MNIST_MIRRORS")
    if configured is None:
        return published.mirrors
    return tuple(f"{mirror.rstrip('/')}/{published.folders[-1]}" for mirror in configured.split())


def load_idx_file(name: str, data_dir: Path | None, published: IdxSource = MNIST_FILES) -> bytes:
    """Load one of the four files, uncompressed and verified.

    Args:
        name: A key of `published.sha256`.
        data_dir: Folder to search first; then `$EDGE_MNIST_DATA`, the user's cache, and the mirrors.
        published: Data set that the file belongs to.

    Raises:
        DataError: The file was found nowhere and no mirror could be reached.
    """
    for path in _candidates(name, data_dir, published):
        content = _read_verified(path, name, published)
        if content is not None:
            return content
    return _download(name, cache_dir() / published.folders[-1] / f"{name}.gz", published)


def _candidates(name: str, data_dir: Path | None, published: IdxSource) -> Iterator[Path]:
    """Yield every place where the file may be, plain or gzipped, in order of trust."""
    from_environment = os.environ.get("EDGE_MNIST_DATA")
    folders = [data_dir, Path(from_environment) if from_environment else None, cache_dir()]
    for folder in folders:
        if folder is not None:
            for parent in published.folders[::-1]:
                if not published.gzipped:
                    yield folder / parent / name
                yield folder / parent / f"{name}.gz"


def _read_verified(path: Path, name: str, published: IdxSource) -> bytes | None:
    """Read the uncompressed file; None if there is none. A bad one is reported on stderr and skipped."""
    try:
        return _unpack(read_file(path, SIZE_BYTES[name] + GZIP_BYTES), name, published) if path.is_file() else None
    except EdgeMnistError as error:
        echo(f"Skipped: {error}", err=True)
    except ValueError as error:
        echo(f"{path}: skipped, {error}.", err=True)
    except Exception as error:
        echo(f"{path}: skipped, it cannot be read ({error}).", err=True)
    return None


def _download(name: str, destination: Path, published: IdxSource) -> bytes:
    failures: list[str] = []
    for mirror in mirrors(published):
        try:
            compressed = _fetch(f"{mirror.rstrip('/')}/{name}.gz", SIZE_BYTES[name] + GZIP_BYTES)
            content = _unpack(compressed, name, published)
        except Exception as error:
            # urllib, gzip and zlib raise undocumented exceptions for invalid responses.
            failures.append(f"{_host(mirror)}: {_reason(error)}")
            continue
        _store(compressed, destination)
        return content
    folder = published.folders[-1]
    place = f"a subfolder named {folder} of a folder" if folder else "a folder"
    raise DataError(
        f"{published.title} is not on this machine and cannot be downloaded ("
        + ("; ".join(failures) or "downloads are disabled by an empty EDGE_MNIST_MIRRORS")
        + f"). Put the four {'.gz ' if published.gzipped else ''}files into {place} and pass --data-dir "
        "or set EDGE_MNIST_DATA."
    )


def _reason(error: Exception) -> str:
    """Explain why a download failed, in the system's words if it has some."""
    # For an invalid address or response, the message would quote passwords and line ends.
    if isinstance(error, http.client.HTTPException):
        return f"not the address or the response of a web server ({type(error).__name__})"
    if isinstance(error, urllib.error.HTTPError):
        # Its words are the server's.
        return f"HTTP status {error.code}"
    cause = getattr(error, "reason", error)
    return describe_failure(cause, "SSL_CERT_FILE=FILE") if isinstance(cause, OSError) else str(cause)


def _host(mirror: str) -> str:
    """Name a mirror for people, without user and password."""
    try:
        return parse_address(mirror, ("http", "https")).host
    except EdgeMnistError:
        return "a mirror"


def _fetch(url: str, most_bytes: int) -> bytes:
    """Download a file, unless it is larger than allowed or too slow.

    Raises:
        ValueError: It is too large, too slow, or cut short.
        OSError, http.client.HTTPException: It is not available.
    """
    if not url.startswith(("https://", "http://")):
        raise ValueError("a mirror's address starts with https:// or http://")
    started, content = time.monotonic(), bytearray()
    with _open(url) as response:
        length = int(response.headers.get("Content-Length") or 0)
        if not 0 <= length <= most_bytes:
            raise ValueError(f"it announces {length:,} bytes, expected at most {most_bytes:,}")
        label = f"Downloading {url.rpartition('/')[2]}"
        with ProgressBar(total=length, label=label, unit="B", unit_scale=True) as progress:
            # read1, because read waits until it has all requested bytes.
            while chunk := response.read1(CHUNK_BYTES):
                content += chunk
                progress.update(len(chunk))
                if len(content) > most_bytes:
                    raise ValueError(f"it sends more than {most_bytes:,} bytes, the maximum for this file")
                if time.monotonic() - started > PATIENCE_S + len(content) / LEAST_BYTES_PER_S:
                    raise ValueError(f"only {len(content):,} bytes arrived in {time.monotonic() - started:.0f} s")
    if len(content) < length:
        raise ValueError(f"the connection ended after {len(content):,} of {length:,} bytes")
    return bytes(content)


def _open(url: str) -> Any:
    """Open an address, and wait at most `PATIENCE_S` for all of its redirections and headers.

    A socket's own limit applies to each piece that arrives, and a server may send a header byte by byte.

    Raises:
        OSError, http.client.HTTPException, ValueError: What urllib raises, and TimeoutError.
    """
    outcome: queue.SimpleQueue[Any] = queue.SimpleQueue()
    given_up = threading.Event()

    def answer() -> None:
        try:
            response = urllib.request.urlopen(url, timeout=CONNECT_TIMEOUT_S)  # noqa: S310 - checked by the caller
        except Exception as error:
            if isinstance(error, urllib.error.HTTPError):
                # It holds the connection, and the server's text after its status is not used.
                error.close()
            outcome.put(error)
        else:
            if given_up.is_set():
                response.close()
            outcome.put(response)

    # A daemon: nothing waits for a server that never ends its header.
    threading.Thread(target=answer, daemon=True).start()
    try:
        opened = outcome.get(timeout=PATIENCE_S)
    except queue.Empty as error:
        given_up.set()
        raise TimeoutError(f"no response within {PATIENCE_S:g} s") from error
    if isinstance(opened, Exception):
        raise opened
    return opened


def _store(content: bytes, destination: Path) -> None:
    """Keep a download for the next run. If the cache cannot be written, only the next run loses time."""
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(destination, content)
    except OSError as error:
        echo(f"{destination}: the download could not be saved ({error}); it will be repeated next time.", err=True)


def _unpack(content: bytes, name: str, published: IdxSource) -> bytes:
    """Uncompress the file; a hash of the gzip file is checked before it is uncompressed.

    Raises:
        ValueError: It is another file.
        EOFError, OSError, zlib.error: It is damaged.
    """
    if published.gzipped:
        _check_hash(content, published.sha256[name])
        return _uncompressed(content, SIZE_BYTES[name])
    uncompressed = _uncompressed(content, SIZE_BYTES[name])
    _check_hash(uncompressed, published.sha256[name])
    return uncompressed


def _check_hash(content: bytes, expected: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise ValueError(
            f"its SHA-256 is {found[:12]}…, expected {expected[:12]}…{explain_pointer(content).rstrip('.')}"
        )


def _uncompressed(content: bytes, most_bytes: int) -> bytes:
    if content[:2] != b"\x1f\x8b":
        return content
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        uncompressed = file.read(most_bytes + 1)
    if len(uncompressed) > most_bytes:
        raise ValueError(f"it unpacks to more than {most_bytes:,} bytes, the size of the file")
    return uncompressed
