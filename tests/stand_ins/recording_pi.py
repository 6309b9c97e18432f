"""A fake Raspberry Pi that notes which commands were run on it, for tests of what pi-setup does."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from edge_mnist.edge.commands import pi_setup
from edge_mnist.edge.doctor.machine import Machine

from .fake_pi import make_pi, pi_files, write_command

UNIT = "etc/systemd/system/edge-mnist.service"
DEFAULTS = "etc/default/edge-mnist"
BARE_VENV = "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.13.5\n"


@dataclass
class Pi:
    """A fake Pi whose commands note in a file how they were called, and have the effects that count here."""

    machine: Machine
    log: Path

    @property
    def root(self) -> Path:
        return self.machine.root

    @property
    def calls(self) -> list[str]:
        """What was run, in order; commands that only look are not noted."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    def files(self) -> dict[str, str]:
        return {str(path.relative_to(self.root)): path.read_text() for path in self.root.rglob("*") if path.is_file()}


def bare_files(**more: str) -> dict[str, str]:
    """Of a Pi as the imager leaves it, with an environment that sees nothing."""
    bare = {"home/pi/env/pyvenv.cfg": BARE_VENV, "etc/group": "video:x:44:\n", "home/pi/env/bin/edge-mnist": ""}
    return pi_files(**{**bare, **more})


@pytest.fixture
def pi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pi:
    return make_fake(tmp_path, monkeypatch, bare_files())


def make_fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], **changes: object) -> Pi:
    machine, commands, log = make_pi(tmp_path, files, **changes), tmp_path / "bin", tmp_path / "calls"
    root = machine.root
    (root / "etc/systemd/system").mkdir(parents=True, exist_ok=True)
    (root / "etc/default").mkdir(parents=True, exist_ok=True)
    for real in ("install", "mv", "rm"):
        (commands / real).symlink_to(shutil.which(real) or real)
    effects = {
        "sudo": f'echo "sudo $*" >> {log}\nexec "$@"',
        "dpkg-query": f'[ -e {tmp_path}/installed-$3 ] && printf "install ok installed"',
        "apt-get": f'[ "$1" = update ] || : > {tmp_path}/installed-$4',
        "usermod": f'echo "video:x:44:$4" > {root}/etc/group',
        "useradd": f'for name; do :; done; echo "$name:x:999:999::/:/usr/sbin/nologin" >> {root}/etc/passwd',
        "systemctl": (
            f"case $1 in is-enabled) [ -e {tmp_path}/enabled ] && echo enabled || echo disabled ;;"
            f" enable) : > {tmp_path}/enabled ;; disable) {commands}/rm -f {tmp_path}/enabled ;; esac"
        ),
    }
    for name, script in effects.items():
        write_command(commands, name, script)
    pip = write_command(commands, "python3", f'echo "python3 $*" >> {log}')
    machine = replace(machine, python=pip)
    monkeypatch.setattr(pi_setup, "Machine", lambda: machine)
    return Pi(machine, log)
