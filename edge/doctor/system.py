"""Checks of the system: its name, its board, its word size, and whether its clock is right."""

from pathlib import Path

from .probes import ProbeEvidence
from .verdicts import CheckVerdict, note, ok, problem

TESTED_RELEASES = {"12", "13"}
ADVISE_64_BIT = "write Raspberry Pi OS (64-bit) to the card with Raspberry Pi Imager"


def check_system(evidence: ProbeEvidence) -> CheckVerdict:
    """Check the operating system and its release."""
    machine = evidence.machine
    release = machine.release
    name = release.get("PRETTY_NAME") or "unknown system"
    if not machine.is_pi_os:
        return ok(name)
    version = release.get("VERSION_ID", "?")
    name = f"Raspberry Pi OS {version} ({release.get('VERSION_CODENAME', '?')})"
    if version in TESTED_RELEASES:
        return ok(name)
    return note(f"{name}: only 12 and 13 are supported", ADVISE_64_BIT)


def check_board(evidence: ProbeEvidence) -> CheckVerdict:
    """Check the board, if there is one."""
    machine = evidence.machine
    return ok(machine.board or f"the board does not report its model ({machine.kernel})")


def check_word_size(evidence: ProbeEvidence) -> CheckVerdict:
    """Check for 32 or 64 bit, of the kernel and of Python, which differ on many a Pi."""
    machine = evidence.machine
    kernel_bits = 64 if machine.kernel in {"aarch64", "arm64", "x86_64", "riscv64"} else 32
    if machine.python_bits == 64:
        return ok(f"64-bit ({machine.kernel})")
    kernel = "under a 64-bit kernel, " if kernel_bits == 64 else ""
    if (machine.release.get("VERSION_ID"), machine.is_pi_os) == ("12", True):
        return note(f"32-bit programs {kernel}which only tflite-runtime supports, with numpy < 2", ADVISE_64_BIT)
    return problem(f"32-bit programs {kernel}for which no runtime is available", ADVISE_64_BIT)


def check_clock(evidence: ProbeEvidence) -> CheckVerdict:
    """Check whether readings get the right time: most boards lose it when switched off."""
    machine = evidence.machine
    ran = machine.run(["timedatectl", "show", "--property=NTPSynchronized", "--value"])
    answer = ran.stdout.strip() if ran else ""
    if answer == "yes" or (machine.root / "run/systemd/timesync/synchronized").exists():
        return ok("synchronized")
    if answer == "no":
        return note("not synchronized: readings may carry a wrong time", "sudo timedatectl set-ntp true")
    return note("no service reports whether it is synchronized", "sudo apt install -y systemd-timesyncd")


SERVICE = "edge-mnist"
UNIT = Path("etc/systemd/system/edge-mnist.service")


def check_display(evidence: ProbeEvidence) -> CheckVerdict:
    """Check whether `--show` can open a window."""
    machine = evidence.machine
    if not (machine.environment.get("WAYLAND_DISPLAY") or machine.environment.get("DISPLAY")):
        return ok("none: use the page of edge-mnist serve instead of --show")
    ran = machine.run([machine.python, "-P", "-c", "import tkinter"])
    if ran is None or ran.returncode:
        return note("available, but this Python has no tkinter for --show", "sudo apt install -y python3-tk")
    return ok("available for --show")


def check_service(evidence: ProbeEvidence) -> CheckVerdict:
    """Check whether live reading starts at boot, and runs."""
    machine = evidence.machine
    if not (machine.root / UNIT).exists():
        return ok("not installed: edge-mnist pi-setup --service installs it")
    ran = machine.run(["systemctl", "is-active", SERVICE])
    state = ran.stdout.strip() if ran else "state unknown"
    if state == "active":
        return ok("running; no other program can use the camera meanwhile")
    if state == "failed":
        return problem("failed", f"journalctl --unit {SERVICE} --boot --lines 50")
    return note(f"installed, {state}", f"sudo systemctl enable --now {SERVICE}")
