"""Makes the user lands, or says why not; prints and writes what was checked."""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.edge.runtimes.golden import unpack_pixels
from tests.conftest import REPOSITORY

from .cache import CACHE, only_user
from .host import CannotEmulateError, check_index, check_machine, check_packages, find_mirror
from .ledger import WHAT, Ledger
from .packages import build_wheel
from .userland import BOOKWORM, BOOKWORM_HERE, RELEASES, TRIXIE, Release, UserLand, make_qemu, make_userland

REQUIRED = "EDGE_MNIST_REQUIRE_PI"
RESULTS = CACHE / "results.json"
DIGITS, NOISE = 44, 10
_LEDGER = pytest.StashKey[Ledger]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_LEDGER] = Ledger()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    ledger = config.stash[_LEDGER]
    if ledger.checks:
        terminalreporter.section(WHAT)
        terminalreporter.write_line(ledger.format())
        terminalreporter.write_line(f"The same as JSON: {RESULTS.relative_to(REPOSITORY)}")


@pytest.fixture(scope="session")
def ledger(pytestconfig: pytest.Config) -> Iterator[Ledger]:
    """Where each check is entered."""
    ledger = pytestconfig.stash[_LEDGER]
    yield ledger
    if ledger.checks:
        ledger.write(RESULTS)


@pytest.fixture(scope="session")
def mirror() -> Iterator[str]:
    """Debian's mirror, once this machine has all that is needed; else a skip that says what it lacks."""
    try:
        check_machine()
        check_packages()
        check_index(REPOSITORY / "constraints.txt")
        address = find_mirror()
    except CannotEmulateError as error:
        if os.environ.get(REQUIRED) == "1":
            raise
        pytest.skip(f"{error}. {REQUIRED}=1 makes this a failure")
    with only_user():
        yield address


@pytest.fixture(scope="session")
def being_made(mirror: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Release, Future[UserLand]]]:
    """All user lands, made at the same time, for much of that is waiting for servers."""
    wheel = build_wheel(tmp_path_factory.mktemp("wheel"))
    qemu = make_qemu(mirror)
    with ThreadPoolExecutor() as pool:
        yield {release: pool.submit(_make, release, mirror, qemu, wheel) for release in RELEASES}


@pytest.fixture(scope="session")
def trixie(being_made: dict[Release, Future[UserLand]]) -> UserLand:
    return being_made[TRIXIE].result()


@pytest.fixture(scope="session")
def bookworm(being_made: dict[Release, Future[UserLand]]) -> UserLand:
    return being_made[BOOKWORM].result()


@pytest.fixture(scope="session")
def bookworm_here(being_made: dict[Release, Future[UserLand]]) -> UserLand:
    return being_made[BOOKWORM_HERE].result()


def _make(release: Release, mirror: str, qemu: Path, wheel: Path) -> UserLand:
    userland = make_userland(release, mirror, qemu)
    userland.renew(wheel)
    return userland


@pytest.fixture(scope="session")
def images(sample: mnist.Images) -> NDArray[np.uint8]:
    """Golden images, digits that nobody chose, and noise: uint8 [64, 28, 28, 1]."""
    golden = unpack_pixels(open_bundle(SHIPPED).export.golden_pixels)
    digits = sample.pixels[:: len(sample.pixels) // DIGITS][:DIGITS]
    noise = np.random.default_rng(1).integers(0, 256, (NOISE, *golden.shape[1:]), np.uint8)
    return np.concatenate([golden, digits, noise])
