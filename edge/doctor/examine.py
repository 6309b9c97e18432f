"""The table of all checks. Each is a function of the evidence; a new check is a new line."""

from collections.abc import Callable
from dataclasses import dataclass

from . import camera, environment, health, system
from . import system as surroundings
from .machine import Machine
from .probes import RUNTIMES, ProbeEvidence, gather
from .verdicts import CheckResult, CheckVerdict, note, problem


@dataclass(frozen=True)
class Check:
    """One line of the table.

    Attributes:
        group: Heading under which it is shown.
        name: Stable name, for programs.
        run: Function that checks without changing anything.
        needed: Whether live reading cannot work while it finds a problem.
    """

    group: str
    name: str
    run: Callable[[ProbeEvidence], CheckVerdict]
    needed: bool = False


CHECKS = (
    Check("System", "system", system.check_system),
    Check("System", "board", system.check_board),
    Check("System", "word size", system.check_word_size),
    Check("System", "clock", system.check_clock),
    Check("Python", "python", environment.check_python),
    Check("Python", "environment", environment.check_environment),
    Check("Python", "numpy", environment.check_numpy, needed=True),
    Check("Python", "opencv", environment.check_opencv, needed=True),
    *(Check("Runtimes", name, environment.check_runtime(name)) for name in RUNTIMES),
    Check("Runtimes", "model", environment.check_model, needed=True),
    Check("Camera", "libcamera", camera.check_libcamera),
    Check("Camera", "picamera2", camera.check_picamera2),
    Check("Camera", "permission", camera.check_permission, needed=True),
    Check("Camera", "cameras", camera.check_cameras, needed=True),
    Check("Health", "power", health.check_power),
    Check("Health", "temperature", health.check_temperature),
    Check("Health", "governor", health.check_governor),
    Check("Health", "memory", health.check_memory),
    Check("Health", "swap", health.check_swap),
    Check("Health", "disk", health.check_disk),
    Check("Around", "display", surroundings.check_display),
    Check("Around", "service", surroundings.check_service),
)


def run_checks(machine: Machine, checks: tuple[Check, ...] = CHECKS) -> list[CheckResult]:
    """Run all checks; nothing is changed, and a failing check does not stop the others."""
    evidence = gather(machine)
    return [CheckResult(check.group, check.name, check.needed, _run(check, evidence)) for check in checks]


def _run(check: Check, evidence: ProbeEvidence) -> CheckVerdict:
    # Files of unknown kernels may hold anything, and the other findings are still needed.
    try:
        return check.run(evidence)
    except Exception as error:
        # An unknown state does not count as present.
        judge = problem if check.needed else note
        return judge(
            f"could not be checked ({type(error).__name__}: {error})", "report it, with edge-mnist doctor --json"
        )
