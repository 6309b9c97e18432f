"""The service that reads from boot on: adapt its unit to this machine, install it, and remove it."""

import re
from dataclasses import dataclass
from pathlib import Path

from ..common.errors import EdgeMnistError
from .machine import USER_NAME, Machine
from .setup_steps import Command, SetupStep
from .system import SERVICE, UNIT

FILES = Path(__file__).parent / "files"
DEFAULTS = Path("etc/default/edge-mnist")
STATE = Path("var/lib/edge-mnist")
# systemd would read anything else in a path as an escape, a specifier or the end of a word.
PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+@:,=~-]+")


@dataclass(frozen=True)
class ServiceUnit:
    """The parts of the unit that depend on the machine.

    Attributes:
        user: User that runs it; not root.
        program: Path of the environment's `edge-mnist`.
        seen: Folders in a home that the program needs; the service can see no other part of any home.
    """

    user: str
    program: Path
    seen: tuple[Path, ...] = ()

    def render(self) -> str:
        """Write the unit."""
        lines = {
            "User": self.user,
            "ExecStart": f"{self.program} $EDGE_MNIST_COMMAND $EDGE_MNIST_ARGS",
            # Homes also hold keys and passwords: only what the program needs is visible.
            "ProtectHome": "tmpfs" if self.seen else "yes",
            "BindReadOnlyPaths": " ".join(str(path) for path in self.seen),
        }
        text = (FILES / UNIT.name).read_text(encoding="utf-8")
        for name, value in lines.items():
            text = re.sub(rf"(?m)^{name}=.*$", lambda _, line=f"{name}={value}": line, text)
        return text


def choose_service(machine: Machine, user: str | None) -> ServiceUnit:
    """Choose the user and the program of the service.

    Args:
        machine: Machine that runs it.
        user: Requested user; None for the user who runs the command.

    Raises:
        EdgeMnistError: It cannot work: root, or a program that does not exist or that the user cannot reach.
    """
    name, program = user or machine.user, machine.prefix / "bin/edge-mnist"
    if not USER_NAME.fullmatch(name):
        raise EdgeMnistError(f"{name!r} is not a user name. Name the user that runs the service: --user NAME.")
    if name == "root":
        raise EdgeMnistError("The service must not run as root: name another user, e.g. --user edge-mnist.")
    if not program.exists():
        raise EdgeMnistError(f"{program} does not exist: install edge-mnist into this environment first.")
    homes = (machine.root / "home", machine.root / "root")
    needed = (machine.prefix, machine.base_prefix, machine.package)
    at_home = [path for path in needed if any(path.is_relative_to(home) for home in homes)]
    seen = tuple(dict.fromkeys(path for path in at_home if not set(path.parents) & set(at_home)))
    for path in (program, *seen):
        if not PLAIN_PATH.fullmatch(str(path)):
            raise EdgeMnistError(
                f"{path}: systemd does not accept such characters in a path. Create the environment elsewhere."
            )
    if seen and name != machine.user:
        raise EdgeMnistError(
            f"{seen[0]} is in a home folder that {name} may not enter: create the environment in /opt/edge-mnist, "
            f"or let {machine.user} run the service."
        )
    return ServiceUnit(name, program, seen)


def plan_service(machine: Machine, service: ServiceUnit) -> SetupStep:
    """Plan to have it installed, enabled and running with exactly this unit."""
    title, unit = f"The service {SERVICE} starts at boot, as {service.user}", service.render()
    actions: list[Command] = []
    if not _exists(machine, service.user):
        add = ("useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", service.user)
        actions.append(Command(add))
    if not (machine.root / DEFAULTS).exists():
        defaults = (FILES / "edge-mnist.default").read_text(encoding="utf-8")
        actions += _write(machine.root / DEFAULTS, defaults, "0600", FILES / "edge-mnist.default")
    if machine.read(str(UNIT)) != unit.strip():
        actions += _write(machine.root / UNIT, unit, "0644", FILES / UNIT.name)
        actions += [Command(("systemctl", "daemon-reload")), Command(("systemctl", "restart", SERVICE))]
    enabled = machine.run(["systemctl", "is-enabled", SERVICE])
    if enabled is None or enabled.stdout.strip() != "enabled":
        actions.append(Command(("systemctl", "enable", SERVICE)))
    return SetupStep(
        title,
        "not installed and enabled" if actions else "installed and enabled",
        tuple(actions),
        undo="edge-mnist pi-setup --uninstall --yes",
        after=f"Watch it with: journalctl --unit {SERVICE} --follow",
    )


def plan_removal(machine: Machine) -> SetupStep:
    """Plan to remove the service; files that a person may have written or wants to keep stay."""
    title = f"The service {SERVICE} is removed"
    kept = [f"/{path}" for path in (DEFAULTS, STATE) if (machine.root / path).exists()]
    if not (machine.root / UNIT).exists():
        return SetupStep(title, "it is not installed")
    return SetupStep(
        title,
        "it is installed",
        (
            Command(("systemctl", "disable", "--now", SERVICE)),
            Command(("rm", "--force", str(machine.root / UNIT))),
            Command(("systemctl", "daemon-reload")),
        ),
        undo="edge-mnist pi-setup --service --yes",
        after=f"Kept, because you may have changed them: {', '.join(kept)}" if kept else "",
    )


def _exists(machine: Machine, user: str) -> bool:
    return any(line.startswith(f"{user}:") for line in (machine.read("etc/passwd") or "").splitlines())


def _write(path: Path, content: str, mode: str, source: Path) -> list[Command]:
    """Write under another name first, so that no reader ever finds half of the file."""
    new = f"{path}.new"
    return [
        Command(("install", "-m", mode, "/dev/stdin", new), content=content, content_name=source.name),
        Command(("mv", "--no-target-directory", new, str(path))),
    ]
