"""The machine's state at a moment: clock, temperature, throttling, and load by other processes. None is not reported.

A processor's frequency counts only if the system measures it: a virtual machine reports the nominal frequency.
"""

import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from ..results.schema import Sample

FIRMWARE_COMMAND = ("vcgencmd", "get_throttled")
FIRMWARE_TIMEOUT_S = 2


@dataclass
class MachineMonitor:
    """A monitor that samples the machine's state, and remembers earlier counters to compare with.

    Attributes:
        root: The folder that contains /proc and /sys.
        samples: All samples so far.
    """

    root: Path = Path("/")
    samples: list[Sample] = field(default_factory=list)
    _started: float = field(default_factory=time.monotonic)
    _before: "_Spent | None" = None

    def sample(self, frequency_mhz: list[float] | None = None, ours_known: bool = True) -> Sample:
        """Sample the machine's state now.

        Args:
            frequency_mhz: Frequencies of the processors while they were at work; None to read them now, when they may
                be idle.
            ours_known: Whether the system has attributed all our work since the last sample to us. If not, the load by
                other processes is unknown.
        """
        before, self._before = self._before, _Spent.now(self.root)
        taken = Sample(
            at_s=round(time.monotonic() - self._started, 3),
            frequency_mhz=frequency_mhz or read_frequencies(self.root),
            temperature_c=read_temperature(self.root),
            throttled=read_throttled(self.root),
            throttle_count=_count_throttles(self.root),
            load_1m=_read_load(self.root),
            busy_elsewhere=_share_elsewhere(before, self._before) if ours_known else None,
        )
        self.samples.append(taken)
        return taken


def read_frequencies(root: Path = Path("/")) -> list[float] | None:
    """Read the frequency of each processor that may be used, in MHz; None if not measured."""
    folder = root / "sys/devices/system/cpu"
    found = [_read_number(folder / f"cpu{cpu}/cpufreq/scaling_cur_freq") for cpu in list_affinity()]
    known = [kilohertz / 1000 for kilohertz in found if kilohertz is not None]
    return known or None


def read_temperature(root: Path = Path("/")) -> float | None:
    """Read the temperature of the hottest zone, in degrees Celsius; None if not reported."""
    zones = (root / "sys/class/thermal").glob("thermal_zone*/temp")
    found = [value / 1000 for zone in zones if (value := _read_number(zone)) is not None]
    return max(found, default=None)


def read_throttled(root: Path = Path("/")) -> int | None:
    """Read a Raspberry Pi's throttling bits from its kernel or its firmware; None on other machines."""
    if not (root / "proc/device-tree/model").exists():
        return None
    text = _read(root / "sys/devices/platform/soc/soc:firmware/get_throttled") or _ask_firmware()
    try:
        return int(text.rpartition("=")[2], 16)
    except ValueError:
        return None


def list_affinity() -> list[int]:
    """List the processors that this process may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


@dataclass(frozen=True)
class _Spent:
    """Seconds since some moment: of all processors together, of busy ones, and of those that ran our processes."""

    total: float
    busy: float
    ours: float

    @classmethod
    def now(cls, root: Path) -> "_Spent | None":
        """Read the counters now; None if the system does not report them."""
        first = (_read(root / "proc/stat") or "").partition("\n")[0].split()
        if len(first) < 9 or first[0] != "cpu":
            return None
        ticks = [int(one) for one in first[1:9]]
        idle = ticks[3] + ticks[4]
        spent = os.times()
        ours = spent.user + spent.system + spent.children_user + spent.children_system
        second = os.sysconf("SC_CLK_TCK")
        return cls(sum(ticks) / second, (sum(ticks) - idle) / second, ours)


def _share_elsewhere(before: _Spent | None, now: _Spent | None) -> float | None:
    if before is None or now is None or now.total <= before.total:
        return None
    others = (now.busy - before.busy) - (now.ours - before.ours)
    return round(min(1.0, max(0.0, others / (now.total - before.total))), 4)


def _count_throttles(root: Path) -> int | None:
    files = (root / "sys/devices/system/cpu").glob("cpu*/thermal_throttle/core_throttle_count")
    found = [int(value) for file in files if (value := _read_number(file)) is not None]
    return sum(found) if found else None


def _read_load(root: Path) -> float | None:
    load = _read(root / "proc/loadavg")
    return float(load.split()[0]) if load else None


def _ask_firmware() -> str:
    try:
        ran = subprocess.run(  # noqa: S603 - our own command
            FIRMWARE_COMMAND, capture_output=True, text=True, check=False, timeout=FIRMWARE_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ran.stdout.strip()


def _read_number(path: Path) -> float | None:
    try:
        return float(_read(path) or "")
    except ValueError:
        return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
