"""The machine to examine: its files, commands, user and Python. Tests replace all of them to simulate a Pi."""

import grp
import os
import platform
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# For commands that respond at once where they work at all.
COMMAND_TIMEOUT_S = 3.0


@dataclass(frozen=True)
class CommandResult:
    """The result of a command: its exit code (negative: the signal that ended it) and its output."""

    returncode: int
    stdout: str
    stderr: str


# As useradd accepts them, with dots and capitals, which directories of users have; anything else could add lines to
# files that are written for the user.
USER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")


def _user() -> str:
    """Return the user; behind sudo, the person. A variable may hold anything: an invalid name is ignored."""
    invoker = os.environ.get("SUDO_USER", "")
    if USER_NAME.fullmatch(invoker):
        return invoker
    number = os.geteuid()
    try:
        return pwd.getpwuid(number).pw_name
    # Containers run as users that have no name.
    except KeyError:
        return str(number)


def _groups() -> frozenset[str]:
    names = {group.gr_gid: group.gr_name for group in grp.getgrall()}
    return frozenset(names.get(number, str(number)) for number in (*os.getgroups(), os.getegid()))


@dataclass(frozen=True)
class Machine:
    """The source of a machine's facts.

    Attributes:
        root: Root folder of its files: /proc, /sys, /dev, /etc, /usr.
        search_path: Folders of commands, as PATH.
        python: Interpreter whose environment is checked.
        prefix: Folder of that environment.
        base_prefix: Folder of the Python that made the environment.
        package: Folder of this package, which may lie outside of the environment.
        kernel: Architecture of the kernel, e.g. `aarch64`.
        python_bits: Word size of Python, 32 or 64, and so of everything that it loads.
        user: User that runs this; behind sudo, the person.
        groups: Names of the groups of this process, which may be older than /etc/group.
        is_root: Whether it may change the system itself.
        environment: Environment variables.
        may_use: Function that returns whether a device may be read and written.
        free_disk: Function that returns the free bytes at a path.
    """

    root: Path = Path("/")
    search_path: str = field(default_factory=lambda: os.environ.get("PATH", os.defpath))
    python: Path = Path(sys.executable)
    prefix: Path = Path(sys.prefix)
    base_prefix: Path = Path(sys.base_prefix)
    package: Path = Path(__file__).parents[1]
    kernel: str = field(default_factory=platform.machine)
    python_bits: int = 64 if sys.maxsize > 2**32 else 32
    user: str = field(default_factory=_user)
    groups: frozenset[str] = field(default_factory=_groups)
    is_root: bool = field(default_factory=lambda: os.geteuid() == 0)
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    may_use: Callable[[Path], bool] = lambda device: os.access(device, os.R_OK | os.W_OK)
    free_disk: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free

    def read(self, path: str) -> str | None:
        """Read a file below the root, without padding; None if there is none."""
        try:
            text = (self.root / path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        return text.strip().strip("\0").strip()

    def which(self, command: str) -> str | None:
        """Find the path of a command."""
        return shutil.which(command, path=self.search_path)

    def run(self, command: Sequence[str | Path], timeout_s: float = COMMAND_TIMEOUT_S) -> CommandResult | None:
        """Run a command and wait; None if there is none, it cannot start, or it takes longer."""
        program = self.which(str(command[0]))
        if program is None:
            return None
        # Without this, messages would be in the user's language.
        environment = {**self.environment, "PATH": self.search_path, "LC_ALL": "C.UTF-8"}
        try:
            process = subprocess.run(  # noqa: S603 - commands of this package's own, given as lists
                [program, *command[1:]],
                env=environment,
                capture_output=True,
                text=True,
                errors="replace",
                stdin=subprocess.DEVNULL,
                timeout=timeout_s,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return CommandResult(process.returncode, process.stdout, process.stderr)

    def pip(self, arguments: str) -> str:
        """Make a pip command for this environment, activated or not."""
        return f"{self.python} -m pip {arguments}"

    @property
    def board(self) -> str | None:
        """The name in a board's device tree; None on a PC."""
        return self.read("proc/device-tree/model")

    @property
    def is_pi(self) -> bool:
        """Whether it is a Raspberry Pi."""
        return (self.board or "").startswith("Raspberry Pi")

    @property
    def release(self) -> dict[str, str]:
        """The content of /etc/os-release."""
        lines = (self.read("etc/os-release") or "").splitlines()
        pairs = (line.partition("=") for line in lines if "=" in line)
        return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}

    @property
    def is_pi_os(self) -> bool:
        """Whether it is Raspberry Pi OS, whose 64-bit edition is named Debian but has the maker's mark."""
        marks = ("etc/rpi-issue", "etc/apt/sources.list.d/raspi.list", "etc/apt/sources.list.d/raspi.sources")
        return self.release.get("ID") == "raspbian" or any((self.root / mark).exists() for mark in marks)
