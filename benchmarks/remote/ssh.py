"""Connections to another machine by the system's `ssh`: host, options, and any failure in one sentence.

It never asks on the terminal and never accepts unknown hosts: keys only, and only hosts whose keys the user knows.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ...edge.common.network.credentials import mask_address
from ..errors import BenchmarkError

# A name, an address, or an IPv6 address in brackets; nothing that ssh could read as an option.
_HOST = re.compile(r"(?:([A-Za-z0-9_][\w.-]*)@)?([A-Za-z0-9_][\w.-]*|\[[0-9A-Fa-f:.]+(?:%\w+)?\])(?::(\d{1,5}))?")


@dataclass(frozen=True)
class RemoteHost:
    """Another machine. `name` is as the user gave it; user and port may be left to ssh's own configuration."""

    name: str
    user: str | None
    address: str
    port: int | None


@dataclass(frozen=True)
class SshOptions:
    """The settings of a connection.

    Attributes:
        key: The only private key to use; None leaves the choice to ssh.
        known_hosts: The only file of host keys to use; None uses the user's.
        connect_timeout_s: Time limit in seconds for the other side to introduce itself.
        silence_s: Seconds without a sign of life after which a connection counts as dropped; at least 3.
    """

    key: Path | None = None
    known_hosts: Path | None = None
    connect_timeout_s: int = 10
    silence_s: int = 15


def parse_host(text: str) -> RemoteHost:
    """Parse `user@pi`, `pi`, `user@pi:2222` or `user@[fe80::1]:2222`.

    Raises:
        BenchmarkError: The text has another form.
    """
    match = _HOST.fullmatch(text)
    port = int(match[3]) if match and match[3] else None
    if match is None or (port is not None and not 1 <= port <= 65535):
        raise BenchmarkError(
            f"--host {mask_address(text)!r}: expected user@host or user@host:port, e.g. pi@raspberrypi.local. "
            "Passwords are not used: install a key there with ssh-copy-id."
        )
    return RemoteHost(text, match[1], match[2].strip("[]"), port)


def ssh_command(host: RemoteHost, options: SshOptions, remote_command: str) -> list[str]:
    """Build the command line that runs a command there.

    Raises:
        BenchmarkError: There is no ssh here, or a given file does not exist.
    """
    program = shutil.which("ssh")
    if program is None:
        raise BenchmarkError("needs the OpenSSH client, which is not on the PATH. Run: apt install openssh-client.")
    settings = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "ConnectTimeout": str(options.connect_timeout_s),
        "ServerAliveInterval": str(max(1, options.silence_s // 3)),
        "ServerAliveCountMax": "3",
        # Latencies are digits and commas, which compress to a third.
        "Compression": "yes",
        "ClearAllForwardings": "yes",
        "ForwardAgent": "no",
        "ControlPath": "none",
        # Overrides what the user's configuration has for interactive sessions.
        "RemoteCommand": "none",
        "LogLevel": "INFO",
    }
    if options.key is not None:
        settings |= {"IdentitiesOnly": "yes", "IdentityFile": _quote(options.key, "--ssh-key")}
    if options.known_hosts is not None:
        known = _quote(options.known_hosts, "--known-hosts")
        settings |= {"UserKnownHostsFile": known, "GlobalKnownHostsFile": "/dev/null", "UpdateHostKeys": "no"}
    command = [program, "-T", *(f"-o{name}={value}" for name, value in settings.items())]
    command += ["-l", host.user] if host.user else []
    command += ["-p", str(host.port)] if host.port else []
    return [*command, "--", host.address, remote_command]


def start_ssh(host: RemoteHost, options: SshOptions, remote_command: str) -> subprocess.Popen[bytes]:
    """Start a command there, with pipes to its standard streams.

    Raises:
        BenchmarkError: ssh or a file is missing, see `ssh_command`.
    """
    return subprocess.Popen(  # noqa: S603 - every part was checked
        ssh_command(host, options, remote_command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # The system's reasons are recognized by their English words.
        env={**os.environ, "LC_ALL": "C"},
        # Ctrl-C goes only to this process, which closes the connection.
        start_new_session=True,
    )


def _quote(path: Path, option: str) -> str:
    """Quote a path as a value in ssh's configuration, where blanks separate and percent signs are special."""
    if not path.is_file():
        raise BenchmarkError(f"{option} {path}: no such file.")
    return '"' + str(path.absolute()).replace("%", "%%") + '"'


# ssh's messages and their meaning for the user; the first match counts.
_CAUSES = (
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "shows a different host key than the known one: the machine was reinstalled, or another machine "
        "answers in its place. Compare the fingerprint on the machine's own screen (ssh-keygen -lf "
        "/etc/ssh/ssh_host_ed25519_key.pub) before you remove the known one (ssh-keygen -R).",
    ),
    (
        "Host key verification failed|host key is known",
        "its host key is not known. Connect once with ssh, compare the fingerprint, and accept it.",
    ),
    (
        r"UNPROTECTED PRIVATE KEY FILE|invalid format|error in libcrypto",
        "the private key cannot be used: it must be an OpenSSH key that only its owner can read (chmod 600).",
    ),
    (
        r"Permission denied \(",
        "refuses the key. Install the public key there (ssh-copy-id), or name the right private key with "
        "--ssh-key. A key with a passphrase must be in ssh-agent.",
    ),
    ("Could not resolve hostname", "the host name cannot be resolved. Check the name, or use the address."),
    (
        "Connection refused",
        "refuses the connection: no SSH server listens on that port. Enable SSH there (on a Raspberry Pi: "
        "raspi-config), or name the port: user@host:port.",
    ),
    (
        "No route to host|Network is unreachable",
        "cannot be reached from this network. Check that it is on, and in the same network.",
    ),
    (
        "Connection timed out|Operation timed out|banner exchange",
        ("did not answer in time. Check that it is on, that the address is right, and that no firewall blocks it."),
    ),
    (
        "not responding|Broken pipe|Connection reset|[Cc]onnection closed|closed by remote host|[Cc]onnection aborted",
        "the connection was lost. Check the machine's power supply and network, and run again.",
    ),
    (
        "no matching|kex_exchange|Protocol",
        "its SSH server and this machine's ssh have no common algorithm or protocol. Update the older one.",
    ),
)


def explain_failure(said: str) -> str | None:
    """Explain ssh's standard error; None if it has no known message about the connection."""
    return next((meaning for pattern, meaning in _CAUSES if re.search(pattern, said)), None)
