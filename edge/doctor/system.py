"""Checks of the system: which it is, on which board, how wide its words are, whether its clock is right."""

from .findings import Verdict, note, ok, problem
from .probes import Evidence

TESTED_RELEASES = {"12", "13"}
ADVISE_64_BIT = "write Raspberry Pi OS (64-bit) to the card with Raspberry Pi Imager"


def check_system(evidence: Evidence) -> Verdict:
    """The operating system and its release."""
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


def check_board(evidence: Evidence) -> Verdict:
    """The board, if it is one."""
    machine = evidence.machine
    return ok(machine.board or f"no board that names itself ({machine.kernel})")


def check_word_size(evidence: Evidence) -> Verdict:
    """32 or 64 bit, of the kernel and of Python, which differ on many a Pi."""
    machine = evidence.machine
    kernel_bits = 64 if machine.kernel in {"aarch64", "arm64", "x86_64", "riscv64"} else 32
    if machine.python_bits == 64:
        return ok(f"64-bit ({machine.kernel})")
    kernel = "under a 64-bit kernel, " if kernel_bits == 64 else ""
    if (machine.release.get("VERSION_ID"), machine.is_pi_os) == ("12", True):
        return note(f"32-bit programs {kernel}which only tflite-runtime supports, with numpy < 2", ADVISE_64_BIT)
    return problem(f"32-bit programs {kernel}for which no runtime of this release is published", ADVISE_64_BIT)


def check_clock(evidence: Evidence) -> Verdict:
    """Whether readings carry the right time: most boards forget it when switched off."""
    machine = evidence.machine
    ran = machine.run(["timedatectl", "show", "--property=NTPSynchronized", "--value"])
    answer = ran.stdout.strip() if ran else ""
    if answer == "yes" or (machine.root / "run/systemd/timesync/synchronized").exists():
        return ok("synchronized")
    if answer == "no":
        return note("not synchronized: readings may carry a wrong time", "sudo timedatectl set-ntp true")
    return note("nothing here tells whether it is synchronized", "sudo apt install -y systemd-timesyncd")
