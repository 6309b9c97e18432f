"""Checks of everything that slows a machine down or stops it: power, heat, clock speed, memory, disk."""

from .machine import Machine
from .probes import ProbeEvidence
from .verdicts import CheckVerdict, note, ok, problem

# Bits of `vcgencmd get_throttled` for the present; the same bits, sixteen higher, for the time since the start.
THROTTLE_BITS = (
    (0, "under-voltage"),
    (1, "processor frequency capped"),
    (2, "throttled"),
    (3, "soft temperature limit"),
)
SINCE_START = 16
BETTER_POWER = "use the official power supply with its own cable, and fewer USB devices"
COOLING = "add a heat sink or a fan, and leave space for air around the board"
BOOT_WITHOUT_DESKTOP = "sudo raspi-config nonint do_boot_behaviour B1"
# Boards reduce their clock from 80 degrees Celsius on.
WARM_C, HOT_C = 70.0, 80.0
PROCESSOR_ZONES = {"cpu-thermal", "x86_pkg_temp"}
SET_GOVERNOR = "echo ondemand | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
# Estimates with room to spare: Python with a runtime, OpenCV and a few frames; a file that is rotated.
LEAST_MEMORY_MB = 150
LEAST_DISK_MB = 200
SMALL_MEMORY_MB = 1100


def check_power(evidence: ProbeEvidence) -> CheckVerdict:
    """Check whether the firmware reports low voltage or high temperature, now or since the start."""
    machine = evidence.machine
    if not machine.is_pi:
        return ok("not reported on this machine")
    ran = machine.run(["vcgencmd", "get_throttled"])
    if ran is None:
        return _check_voltage_sensor(machine)
    try:
        bits = int(ran.stdout.strip().partition("=")[2], 16)
    except ValueError:
        message = (ran.stdout + ran.stderr).strip().splitlines() or ["no answer"]
        return note(f"vcgencmd reports no state ({message[0]})", f"sudo usermod -aG video {machine.user}")
    return judge_throttling(bits)


def judge_throttling(bits: int) -> CheckVerdict:
    """Describe the bits of `vcgencmd get_throttled`."""
    now = [words for bit, words in THROTTLE_BITS if bits >> bit & 1]
    before = [words for bit, words in THROTTLE_BITS if bits >> (bit + SINCE_START) & 1]
    fix = BETTER_POWER if bits & 1 or (not now and bits >> SINCE_START & 1) else COOLING
    if now:
        past = f"; since start: {', '.join(before)}" if before else ""
        return problem(f"now: {', '.join(now)}{past}", fix)
    if before:
        return note(f"since start: {', '.join(before)}; not now", fix)
    return ok("no under-voltage and no throttling since start")


def _check_voltage_sensor(machine: Machine) -> CheckVerdict:
    """Check the kernel's own sensor, for systems without vcgencmd; it reports only the present voltage."""
    for sensor in sorted((machine.root / "sys/class/hwmon").glob("hwmon*")):
        here = f"sys/class/hwmon/{sensor.name}"
        alarm = machine.read(f"{here}/in0_lcrit_alarm")
        if machine.read(f"{here}/name") == "rpi_volt" and alarm is not None:
            return problem("now: under-voltage", BETTER_POWER) if alarm == "1" else ok("no under-voltage now")
    return note("vcgencmd is missing, and there is no voltage sensor", "sudo apt install -y raspi-utils")


def check_temperature(evidence: ProbeEvidence) -> CheckVerdict:
    """Check the processor's temperature; only a Pi's limits are known."""
    machine = evidence.machine
    celsius = _read_temperature(machine)
    if celsius is None:
        return ok("not reported on this machine")
    text = f"{celsius:.0f} degrees Celsius"
    if not machine.is_pi or celsius < WARM_C:
        return ok(text)
    if celsius < HOT_C:
        return note(f"{text}, close to the {HOT_C:.0f} at which the processor slows down", COOLING)
    return problem(f"{text}: the processor slows down at {HOT_C:.0f} and above", COOLING)


def _read_temperature(machine: Machine) -> float | None:
    """Read the temperature of the processor's zone, else of the first, in degrees Celsius."""
    zones = sorted((machine.root / "sys/class/thermal").glob("thermal_zone*"))
    folders = [f"sys/class/thermal/{zone.name}" for zone in zones]
    processor = [folder for folder in folders if machine.read(f"{folder}/type") in PROCESSOR_ZONES]
    for folder in (*processor, *folders):
        try:
            return int(machine.read(f"{folder}/temp") or "") / 1000
        except ValueError:
            continue
    return None


def check_governor(evidence: ProbeEvidence) -> CheckVerdict:
    """Check whether the processor may run at full speed."""
    machine = evidence.machine
    folder = "sys/devices/system/cpu/cpu0/cpufreq"
    governor = machine.read(f"{folder}/scaling_governor")
    if governor is None:
        return ok("not reported on this machine")
    # With these drivers of PCs, `powersave` is the default, which follows the load.
    follows_load = (machine.read(f"{folder}/scaling_driver") or "").startswith(("intel_pstate", "amd-pstate"))
    if governor == "powersave" and not follows_load:
        return note("powersave keeps the processor slow", SET_GOVERNOR)
    return ok(governor)


def check_memory(evidence: ProbeEvidence) -> CheckVerdict:
    """Check the memory left for reading."""
    machine = evidence.machine
    memory = _read_memory(machine)
    if "MemAvailable" not in memory:
        return ok("not reported on this machine")
    text = f"{memory['MemAvailable']:.0f} of {memory.get('MemTotal', 0):.0f} MB available"
    fix = BOOT_WITHOUT_DESKTOP if machine.is_pi else "close other programs"
    if memory["MemAvailable"] < LEAST_MEMORY_MB:
        return problem(f"{text}, expected at least {LEAST_MEMORY_MB} MB", fix)
    return ok(text)


def check_swap(evidence: ProbeEvidence) -> CheckVerdict:
    """Check for swap space if memory is small."""
    machine = evidence.machine
    memory = _read_memory(machine)
    if not memory:
        return ok("not reported on this machine")
    swap_mb = memory.get("SwapTotal", 0)
    if swap_mb == 0 and memory.get("MemTotal", 0) < SMALL_MEMORY_MB:
        package = "dphys-swapfile" if machine.release.get("VERSION_ID") == "12" else "rpi-swap"
        return note("none, with little memory: installing packages may fail", f"sudo apt install -y {package}")
    return ok(f"{swap_mb:.0f} MB" if swap_mb else "none")


def _read_memory(machine: Machine) -> dict[str, float]:
    """Read /proc/meminfo, in megabytes."""
    lines = (machine.read("proc/meminfo") or "").splitlines()
    return {name: int(value.split()[0]) / 1024 for name, _, value in (line.partition(":") for line in lines)}


def check_disk(evidence: ProbeEvidence) -> CheckVerdict:
    """Check the room for recordings and packages."""
    machine = evidence.machine
    free_mb = machine.free_disk(machine.root) / 1e6
    text = f"{free_mb:,.0f} MB free"
    return ok(text) if free_mb >= LEAST_DISK_MB else note(f"only {text}", "sudo apt clean")
