"""The machine under test: everything that a latency depends on, because a result needs its conditions."""

import importlib
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec


class Processor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The processor of the export: its model, and those of its integer instructions that select kernels."""

    processor: str
    flags: tuple[str, ...]


# Instructions that select integer kernels, on x86 and on ARM (as Linux names them).
INTEGER_INSTRUCTIONS = frozenset(
    ("sse4_1", "avx2", "avx512bw", "avx512_vnni", "avx_vnni", "amx_int8", "neon", "asimd", "asimddp", "i8mm", "sve")
)


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """A machine; None for values that it does not report.

    Attributes:
        model: Processor or board.
        cores: Logical processors that this process may use.
        governor: Frequency governor of the first processor.
        load_1m: Load average over a minute, which other busy processes raise.
        temperature_c: Temperature of the first thermal zone, degrees Celsius.
        flags: The processor's instructions that decide how integers are multiplied.
        is_virtual: Whether it runs on a hypervisor, whose other guests cannot be seen.
        on_battery: Whether no mains adapter is plugged in.
    """

    model: str
    machine: str
    system: str
    python: str
    cores: int
    governor: str | None
    load_1m: float | None
    temperature_c: float | None
    flags: tuple[str, ...] = ()
    is_virtual: bool | None = None
    on_battery: bool | None = None


def find_version(package: str) -> str:
    """Return the version of this package, or of another that provides the module, as tensorflow-cpu does."""
    try:
        return version(package)
    except PackageNotFoundError:
        return str(getattr(importlib.import_module(package.replace("-", "_")), "__version__", "unknown"))


def describe_host(root: Path = Path("/")) -> Host:
    """Describe this machine; `root` is the parent of its /proc and /sys."""
    temperature = _read(root / "sys/class/thermal/thermal_zone0/temp")
    load = _read(root / "proc/loadavg")
    return Host(
        model=describe_processor(root).processor,
        machine=platform.machine(),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        cores=count_cores(),
        governor=_read(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        load_1m=float(load.split()[0]) if load else None,
        temperature_c=int(temperature) / 1000 if temperature else None,
        flags=describe_processor(root).flags,
        is_virtual=_is_virtual(root),
        on_battery=_on_battery(root),
    )


def _is_virtual(root: Path) -> bool | None:
    """Whether this is a virtual machine; only x86 reports it, among its flags."""
    flags = _flags(root)
    return "hypervisor" in flags if "fpu" in flags else None


def _on_battery(root: Path) -> bool | None:
    supplies = (root / "sys/class/power_supply").glob("*")
    plugged = [_read(supply / "online") for supply in supplies if _read(supply / "type") == "Mains"]
    return "1" not in plugged if plugged else None


def count_cores() -> int:
    """Count the logical processors that this process may use; all if the system does not report it."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe_processor(root: Path = Path("/")) -> Processor:
    """Describe the processor and those of its instructions that decide how integers are multiplied."""
    return Processor(
        processor=_board(root) or _processor(root) or platform.processor() or "unknown processor",
        flags=tuple(sorted(INTEGER_INSTRUCTIONS & set(_flags(root)))),
    )


def _flags(root: Path) -> list[str]:
    """Return all instruction sets of the first processor; x86 calls them flags, ARM features."""
    for line in (_read(root / "proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in {"flags", "Features"}:
            return value.split()
    return []


def _board(root: Path) -> str | None:
    """Return a Raspberry Pi's name from the device tree."""
    text = _read(root / "proc/device-tree/model")
    return text.rstrip("\0") if text else None


def _processor(root: Path) -> str | None:
    for line in (_read(root / "proc/cpuinfo") or "").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
