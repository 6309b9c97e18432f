"""Energy per inference, where the machine has a counter: RAPL on PCs, the power chip of a Raspberry Pi 5.

Measured in a window of its own, after the latencies: asking a Pi's firmware takes milliseconds. The figure is of the
whole package or board, whatever else it does, so it is of use beside other targets and not by itself.
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
# As the firmware writes it: VDD_CORE_A current(7)=1.06500000A, VDD_CORE_V volt(15)=0.87696000V.
_READING = re.compile(r"(\w+)_([AV])\s+\w+\(\d+\)=([0-9.]+)[AV]")


class Meter(Protocol):
    """Measures energy between two moments."""

    source: str

    def start(self) -> None:
        """From now on."""
        ...

    def stop(self) -> float | None:
        """Joules since the start; None where the counter did not answer."""
        ...


@dataclass
class RaplMeter:
    """The counters of x86 processors' packages, microjoules that wrap around."""

    zones: tuple[Path, ...]
    source: str = "RAPL, processor packages"
    _before: list[int] = field(default_factory=list)

    def start(self) -> None:
        """See `Meter`."""
        self._before = [_read_number(zone / "energy_uj") for zone in self.zones]

    def stop(self) -> float | None:
        """See `Meter`."""
        total = 0
        for zone, before in zip(self.zones, self._before, strict=True):
            spent = _read_number(zone / "energy_uj") - before
            total += spent if spent >= 0 else spent + _read_number(zone / "max_energy_range_uj")
        return total / 1e6 if total else None


@dataclass
class PmicMeter:
    """The power chip of a Raspberry Pi 5: power of all its rails, sampled while another thread works."""

    ask: Callable[[], str | None]
    source: str = "power chip, all rails that it measures"
    _watts: list[float] = field(default_factory=list)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _began: float = 0.0

    def start(self) -> None:
        """See `Meter`."""
        self._watts.clear()
        self._stopped.clear()
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def stop(self) -> float | None:
        """See `Meter`."""
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
    """Watts of all rails whose current and voltage both are there; None without any."""
    found = {"A": dict[str, float](), "V": dict[str, float]()}
    for rail, kind, value in _READING.findall(text):
        found[kind][rail] = float(value)
    rails = found["A"].keys() & found["V"].keys()
    return sum(found["A"][rail] * found["V"][rail] for rail in rails) if rails else None


def find_meter(root: Path = Path("/"), ask: Callable[[], str | None] | None = None) -> Meter | None:
    """The machine's energy counter; None where it has none, or keeps it from us.

    Args:
        root: Where its /sys is.
        ask: Asks the power chip; None for the real one.
    """
    zones = (root / "sys/class/powercap").glob("*-rapl:*")
    # Other zones are parts of a package, or the platform that packages are part of.
    readable = tuple(sorted(zone for zone in zones if _is_package(zone)))
    if readable:
        return RaplMeter(readable)
    ask = ask or _ask_pmic
    is_pi = (root / "proc/device-tree/model").exists()
    return PmicMeter(ask) if is_pi and parse_pmic(ask() or "") is not None else None


def measure_energy(call: Callable[[], object], meter: Meter, seconds: float = WINDOW_S) -> float | None:
    """Millijoules of one call, from as many as fit into the window; None where the counter did not answer."""
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
    """Whether it counts for a whole package, and lets us read it: since 2020, most systems let only root."""
    try:
        return (zone / "name").read_text(encoding="ascii").startswith("package") and _read_number(
            zone / "energy_uj"
        ) >= 0
    except (OSError, ValueError):
        return False


def _read_number(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))
