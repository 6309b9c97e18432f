"""The steps of setting up a Pi. Each checks first and lists what is left to do; none changes anything by itself."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .camera import FIX_SIMPLEJPEG, VIDEO_GROUP, members_of
from .environment import NEW_VENV, SETTING, enable_system_packages, read_venv
from .machine import Machine

PACKAGES = ("python3-picamera2",)


@dataclass(frozen=True)
class Command:
    """A command to run.

    Attributes:
        words: Program and arguments.
        as_root: Whether it needs sudo.
        content: Standard input of the command, if any.
        content_name: Description of that input.
    """

    words: tuple[str, ...]
    as_root: bool = True
    content: str | None = None
    content_name: str = ""


@dataclass(frozen=True)
class Edit:
    """A change to a file of the user's own.

    Attributes:
        path: Path of the file.
        text: New content of the file.
        change: Description of the changed line, for people.
    """

    path: Path
    text: str
    change: str


@dataclass(frozen=True)
class SetupStep:
    """One requirement and how to meet it.

    Attributes:
        title: Requirement of the step.
        found: Current state.
        actions: Actions left to do, in order; empty if all is done.
        undo: Command that reverts it.
        manual_step: Instruction if only a person can do the rest.
        after: Instruction for after the actions.
    """

    title: str
    found: str
    actions: tuple[Command | Edit, ...] = ()
    undo: str = ""
    manual_step: str = ""
    after: str = ""


def plan_packages(machine: Machine) -> SetupStep:
    """Plan Debian's picamera2, which depends on libcamera."""
    title = "Debian packages for the camera"
    missing = tuple(package for package in PACKAGES if not _is_installed(machine, package))
    if not missing:
        return SetupStep(title, f"installed: {', '.join(PACKAGES)}")
    install = ("apt-get", "install", "--yes", "--no-install-recommends", *missing)
    return SetupStep(
        title,
        f"missing: {', '.join(missing)}",
        (Command(("apt-get", "update")), Command(install)),
        undo=f"sudo apt-get remove {' '.join(missing)}",
    )


def _is_installed(machine: Machine, package: str) -> bool:
    ran = machine.run(["dpkg-query", "--show", "--showformat=${Status}", package])
    return ran is not None and ran.stdout.strip() == "install ok installed"


def plan_environment(machine: Machine) -> SetupStep:
    """Plan a virtual environment that sees the system's packages."""
    title = "The environment sees the system's packages"
    venv = read_venv(machine.prefix)
    if venv is None:
        return SetupStep(title, "no virtual environment, so they are visible")
    if not venv.is_of_system_python:
        return SetupStep(title, f"its Python is that of {venv.home}, which cannot", manual_step=NEW_VENV)
    if venv.sees_system_packages:
        return SetupStep(title, f"{venv.config} allows it")
    text = venv.config.read_text(encoding="utf-8")
    edit = Edit(venv.config, enable_system_packages(text), f"{SETTING} = true")
    return SetupStep(title, f"{venv.config} disables it", (edit,), undo=f"{SETTING} = false in {venv.config}")


def plan_simplejpeg(machine: Machine) -> SetupStep:
    """Plan another simplejpeg: Pi OS 12 builds picamera2's for NumPy 1, which NumPy 2 cannot load."""
    title = "picamera2's simplejpeg fits this environment's numpy"
    own = [path.name for path in machine.prefix.glob("lib/python3*/site-packages/*")]
    has_new_numpy = any(name.startswith("numpy-") and not name.startswith("numpy-1.") for name in own)
    if machine.release.get("VERSION_ID") != "12" or not has_new_numpy:
        return SetupStep(title, "the system's simplejpeg does")
    if "simplejpeg" in own:
        return SetupStep(title, "the environment has its own simplejpeg")
    command = Command((str(machine.python), "-m", "pip", *FIX_SIMPLEJPEG.split()), as_root=False)
    return SetupStep(
        title,
        "the system's simplejpeg was built for numpy 1, the environment has a newer numpy",
        (command,),
        undo=machine.pip("uninstall simplejpeg"),
    )


def plan_group(machine: Machine) -> SetupStep:
    """Plan a user who may use the camera."""
    title = f"{machine.user} may use the camera"
    if machine.user == "root" or machine.user in members_of(machine, VIDEO_GROUP):
        return SetupStep(title, "is root" if machine.user == "root" else f"in the group {VIDEO_GROUP}")
    return SetupStep(
        title,
        f"not in the group {VIDEO_GROUP}",
        (Command(("usermod", "--append", "--groups", VIDEO_GROUP, machine.user)),),
        undo=f"sudo gpasswd --delete {machine.user} {VIDEO_GROUP}",
        after="Log out and in again: only then does the new group apply.",
    )


CAMERA_STEPS: tuple[Callable[[Machine], SetupStep], ...] = (
    plan_packages,
    plan_environment,
    plan_simplejpeg,
    plan_group,
)
