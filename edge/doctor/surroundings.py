"""Checks of what live reading is seen through and started by: a display, and the service at boot."""

from pathlib import Path

from .findings import Verdict, note, ok, problem
from .probes import Evidence

SERVICE = "edge-mnist"
UNIT = Path("etc/systemd/system/edge-mnist.service")


def check_display(evidence: Evidence) -> Verdict:
    """Whether `--show` can open a window."""
    machine = evidence.machine
    if not (machine.environment.get("WAYLAND_DISPLAY") or machine.environment.get("DISPLAY")):
        return ok("none: the page of edge-mnist serve takes the place of --show")
    ran = machine.run([machine.python, "-P", "-c", "import tkinter"])
    if ran is None or ran.returncode:
        return note("there is one, but this Python has no tkinter for --show", "sudo apt install -y python3-tk")
    return ok("there is one for --show")


def check_service(evidence: Evidence) -> Verdict:
    """Whether live reading starts at boot, and runs."""
    machine = evidence.machine
    if not (machine.root / UNIT).exists():
        return ok("not installed: edge-mnist pi-setup --service does it")
    ran = machine.run(["systemctl", "is-active", SERVICE])
    state = ran.stdout.strip() if ran else "not known"
    if state == "active":
        return ok("running; it has the camera to itself")
    if state == "failed":
        return problem("failed", f"journalctl --unit {SERVICE} --boot --lines 50")
    return note(f"installed, {state}", f"sudo systemctl enable --now {SERVICE}")
