"""Checks of the camera: its software visible in this environment, usable devices, cameras found."""

from .environment import NEW_VENV, check_environment
from .machine import Machine
from .probes import ProbeEvidence
from .verdicts import CheckVerdict, ok, problem

# The system's picamera2 needs a simplejpeg built for the system's NumPy; an environment's own one fits its NumPy.
FIX_SIMPLEJPEG = "install --ignore-installed --no-deps simplejpeg"
VIDEO_GROUP = "video"
NAME_CAMERA = "edge-mnist live --camera FILE_OR_URL"


def check_libcamera(evidence: ProbeEvidence) -> CheckVerdict:
    """Check the system's camera library, as Python sees it."""
    return _check_system_package(evidence, "libcamera", "python3-libcamera")


def check_picamera2(evidence: ProbeEvidence) -> CheckVerdict:
    """Check picamera2, which provides the frames on a Pi."""
    return _check_system_package(evidence, "picamera2", "python3-picamera2")


def _check_system_package(evidence: ProbeEvidence, module: str, package: str) -> CheckVerdict:
    machine = evidence.machine
    probe = evidence.probes[module]
    if probe.cause is None:
        return ok(f"{probe.version or 'installed'}, visible to this Python")
    if probe.cause == "missing" and not machine.is_pi:
        return ok("not installed; only a Raspberry Pi's own camera needs it")
    if probe.cause == "missing" and (machine.root / "usr/lib/python3/dist-packages" / module).exists():
        environment = check_environment(evidence)
        return problem("installed for the system's Python, but not visible from this one", environment.fix or NEW_VENV)
    if probe.cause == "missing":
        return problem("not installed", f"sudo apt install -y {package}")
    if probe.cause == "numpy":
        numpy = evidence.probes["numpy"].version
        return problem(f"part of it was built for a numpy other than {numpy}", machine.pip(FIX_SIMPLEJPEG))
    return problem(f"cannot be loaded ({probe.error})", f"sudo apt install --reinstall -y {package}")


def check_permission(evidence: ProbeEvidence) -> CheckVerdict:
    """Check whether this user may use the devices; libcamera needs more of them than video."""
    machine = evidence.machine
    patterns = ("video*", "media*", "v4l-subdev*", "dma_heap/*") if machine.is_pi else ("video*",)
    devices = [device for pattern in patterns for device in sorted((machine.root / "dev").glob(pattern))]
    forbidden = [device.name for device in devices if not machine.may_use(device)]
    if not forbidden:
        return ok(f"{machine.user} may use them" if devices else "there are no video devices")
    message = f"{machine.user} may not use {len(forbidden)} of {len(devices)} devices, e.g. {forbidden[0]}"
    if VIDEO_GROUP not in machine.groups and machine.user in members_of(machine, VIDEO_GROUP):
        return problem(f"{message}: in the group {VIDEO_GROUP}, but not in this session", "log out and in again")
    return problem(message, f"sudo usermod -aG {VIDEO_GROUP} {machine.user}")


def members_of(machine: Machine, group: str) -> list[str]:
    """Return the members of a group according to /etc/group."""
    for line in (machine.read("etc/group") or "").splitlines():
        name, _, rest = line.partition(":")
        if name == group:
            return rest.rpartition(":")[2].split(",")
    return []


def check_cameras(evidence: ProbeEvidence) -> CheckVerdict:
    """Check which cameras `--camera auto` can choose from."""
    probe = evidence.probes["cameras"]
    if probe.cause is not None:
        return problem(f"looking for cameras failed ({probe.error})", NAME_CAMERA)
    if probe.found:
        return ok(", ".join(probe.found))
    if evidence.machine.is_pi:
        return problem(
            "none found", "switch off, reseat the ribbon cable, switch on, then: rpicam-hello --list-cameras"
        )
    return problem("none found", f"plug in a webcam, or: {NAME_CAMERA}")
