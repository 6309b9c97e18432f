"""Energy per inference, if the machine has a counter: RAPL on PCs, the power chip of a Raspberry Pi 5.

Measured in a separate window after the latencies: reading a Pi's firmware takes milliseconds. The figure is of the
whole package or board, including its other work, so it is useful in comparison with other targets, not by itself.
"""

import re
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

WINDOW_S = 0.5
PMIC_PERIOD_S = 0.05
PMIC_COMMAND = ("vcgencmd", "pmic_read_adc")
PMIC_TIMEOUT_S = 2
# The firmware's format: VDD_CORE_A current(7)=1.06500000A, VDD_CORE_V volt(15)=0.87696000V.
_READING = re.compile(r"(\w+)_([AV])\s+\w+\(\d+\)=([0-9.]+)[AV]")


class Meter(Protocol):
    """A meter of the energy between two moments."""

    source: str

    def start(self) -> None:
        """Start measuring."""
        ...

    def stop(self) -> float | None:
        """Return joules since the start; None if the counter did not answer."""
        ...


@dataclass
class RaplMeter:
    """The energy counters of x86 packages: microjoules that wrap around."""

    zones: tuple[Path, ...]
    source: str = "RAPL, processor packages"
    _before: list[int] = field(default_factory=list)

    def start(self) -> None:
        """Start measuring, see `Meter`."""
        self._before = [_read_number(zone / "energy_uj") for zone in self.zones]

    def stop(self) -> float | None:
        """Return joules since the start, see `Meter`."""
        total = 0
        for zone, before in zip(self.zones, self._before, strict=True):
            spent = _read_number(zone / "energy_uj") - before
            total += spent if spent >= 0 else spent + _read_number(zone / "max_energy_range_uj")
        return total / 1e6 if total else None


@dataclass
class PmicMeter:
    """The power chip of a Raspberry Pi 5: the power of all its rails, sampled on another thread."""

    ask: Callable[[], str | None]
    source: str = "power chip, all measured rails"
    _watts: list[float] = field(default_factory=list)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _began: float = 0.0

    def start(self) -> None:
        """Start sampling, see `Meter`."""
        self._watts.clear()
        self._stopped.clear()
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def stop(self) -> float | None:
        """Return joules since the start, see `Meter`."""
        seconds = time.monotonic() - self._began
        self._stopped.set()
        if self._thread:
            self._thread.join()
        return seconds * sum(self._watts) / len(self._watts) if self._watts else None

    def _sample(self) -> None:
        while not self._stopped.is_set():
            watts = parse_pmic(self.ask() or "")
            if watts is not None:
                self._watts.append(watts)
            self._stopped.wait(PMIC_PERIOD_S)


def parse_pmic(text: str) -> float | None:
    """Sum the watts of all rails that report both current and voltage; None if no rail does."""
    found = {"A": dict[str, float](), "V": dict[str, float]()}
    for rail, kind, value in _READING.findall(text):
        found[kind][rail] = float(value)
    rails = found["A"].keys() & found["V"].keys()
    return sum(found["A"][rail] * found["V"][rail] for rail in rails) if rails else None


def find_meter(root: Path = Path("/"), ask: Callable[[], str | None] | None = None) -> Meter | None:
    """Find the machine's energy counter; None if it has none or does not let this process read it.

    Args:
        root: The folder that contains /sys.
        ask: Returns the power chip's report; None for the real chip.
    """
    zones = (root / "sys/class/powercap").glob("*-rapl:*")
    # Other zones are parts of a package, or the platform that packages belong to.
    readable = tuple(sorted(zone for zone in zones if _is_package(zone)))
    if readable:
        return RaplMeter(readable)
    ask = ask or _ask_pmic
    is_pi = (root / "proc/device-tree/model").exists()
    return PmicMeter(ask) if is_pi and parse_pmic(ask() or "") is not None else None


def measure_energy(call: Callable[[], object], meter: Meter, seconds: float = WINDOW_S) -> float | None:
    """Measure millijoules per call, over all calls that fit into the window; None if the counter did not answer."""
    calls, until = 0, time.perf_counter() + seconds
    meter.start()
    while time.perf_counter() < until:
        call()
        calls += 1
    joules = meter.stop()
    return None if joules is None else 1000 * joules / calls


def _ask_pmic() -> str | None:
    try:
        ran = subprocess.run(  # noqa: S603 - our own command
            PMIC_COMMAND, capture_output=True, text=True, check=False, timeout=PMIC_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ran.stdout if ran.returncode == 0 else None


def _is_package(zone: Path) -> bool:
    """Whether the zone counts for a whole package and is readable: since 2020, most systems let only root read it."""
    try:
        return (zone / "name").read_text(encoding="ascii").startswith("package") and _read_number(
            zone / "energy_uj"
        ) >= 0
    except (OSError, ValueError):
        return False


def _read_number(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))
