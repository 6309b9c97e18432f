"""A real OpenSSH server on loopback, with keys of its own, for a machine that is somewhere else."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_mnist.benchmarks.remote.ssh import SshOptions

# Far longer than anything takes, on a machine that has much else to do.
PATIENCE_S = 60.0
# Where the system keeps its programs, whatever the user's login scripts make of it.
SYSTEM_PATH = "/usr/bin:/bin"
# The only thing that a session gets to run; its environment is this server's, not that of the user's login scripts.
FORCED = '{greeting}exec /usr/bin/env -i HOME="$HOME" PATH={path} TMPDIR={temporary} /bin/sh -c "$SSH_ORIGINAL_COMMAND"'


@dataclass
class SshServer:
    """The server, and who may come in.

    Attributes:
        temporary: Where sessions keep their temporary files.
        pid: Of the server itself; each connection has processes of its own below it.
    """

    folder: Path
    port: int
    temporary: Path
    pid: int

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def options(self) -> SshOptions:
        return SshOptions(key=self.folder / "user", known_hosts=self.folder / "known hosts", connect_timeout_s=5)

    def connections(self) -> list[int]:
        """The processes that serve connections."""
        return _children(self.pid)


@contextmanager
def serving_ssh(
    folder: Path, temporary: Path | None = None, path: str = SYSTEM_PATH, greeting: str = ""
) -> Iterator[SshServer]:
    """A server until the end of the block; or a skip that says what is missing.

    Args:
        folder: For its keys and configuration.
        temporary: Where sessions keep their temporary files.
        path: Where they find programs.
        greeting: Shell commands that run before the session's own, as those of login scripts do.
    """
    program = find_sshd()
    temporary = temporary or folder / "temporary"
    temporary.mkdir(exist_ok=True)
    for name in ("host", "user", "other"):
        make_key(folder / name)
    (folder / "authorized").write_text((folder / "user.pub").read_text())
    port = _free_port()
    know_host(folder / "known hosts", port, folder / "host.pub")
    settings = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "authorized",
        "PidFile": "none",
        # A test's folder may lie where others can write.
        "StrictModes": "no",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
        "ForceCommand": FORCED.format(greeting=greeting, path=path, temporary=temporary),
    }
    config = folder / "sshd_config"
    config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    if os.geteuid() == 0:
        # For separating privileges; the system's own script would make it.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with (folder / "sshd.log").open("wb") as log:
        process = subprocess.Popen([program, "-D", "-e", "-f", config], stderr=log)
    try:
        _wait_for_port(port, process, folder / "sshd.log")
        yield SshServer(folder, port, temporary, process.pid)
    finally:
        connections = _children(process.pid)
        process.terminate()
        process.wait(PATIENCE_S)
        for pid in connections:
            _end(pid)


def find_sshd() -> str:
    """The server's program; sshd insists on its full path."""
    for program in ("sshd", "ssh", "ssh-keygen"):
        if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") is None:
            pytest.skip(f"needs {program}: apt install openssh-server openssh-client")
    return str(shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin"))


def make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)


def know_host(known_hosts: Path, port: int, public_key: Path, *names: str) -> None:
    """Make these the only names, beside the address, by which it is known."""
    known = ",".join(f"[{name}]:{port}" for name in ("127.0.0.1", *names))
    known_hosts.write_text(f"{known} {public_key.read_text()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if process.poll() is not None:
            pytest.skip(f"sshd does not start here: {log.read_text().strip()}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("sshd does not listen")


def _children(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in listed.stdout.split()]


def _end(pid: int) -> None:
    try:
        os.kill(pid, 15)
    except ProcessLookupError:
        return
