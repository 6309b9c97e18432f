"""Setting up a Pi: shown before it is done, done once, undone again; and a unit that systemd takes."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from edge_mnist.edge.doctor import pi_setup
from edge_mnist.edge.doctor.machine import Machine
from edge_mnist.edge.doctor.service import FILES, Service, choose_service, plan_service
from edge_mnist.edge.doctor.venv import let_see_system, read_venv

from . import fake_pi
from .conftest import edge_mnist
from .fake_pi import make_pi, pi_files, write_command, write_files

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


def _bare_files(**more: str) -> dict[str, str]:
    """Of a Pi as the imager leaves it, with an environment that sees nothing."""
    bare = {"home/pi/env/pyvenv.cfg": BARE_VENV, "etc/group": "video:x:44:\n", "home/pi/env/bin/edge-mnist": ""}
    return pi_files(**{**bare, **more})


@pytest.fixture
def pi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pi:
    return make_fake(tmp_path, monkeypatch, _bare_files())


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


def test_without_yes_everything_is_said_and_nothing_done(pi: Pi) -> None:
    before = pi.files()

    result = edge_mnist("pi-setup", "--service")

    assert result.exit_code == 0, result.output
    assert pi.files() == before
    assert pi.calls == []
    for command in (
        "sudo apt-get install --yes --no-install-recommends python3-picamera2",
        "include-system-site-packages = true",
        "sudo usermod --append --groups video pi",
        "sudo systemctl enable edge-mnist",
        "(undo: sudo apt-get remove python3-picamera2)",
        "Nothing was changed.",
    ):
        assert command in result.stdout


def test_with_yes_it_is_done_with_sudo_only_where_needed(pi: Pi) -> None:
    result = edge_mnist("pi-setup", "--yes")

    assert result.exit_code == 0, result.output
    assert pi.calls == [
        "sudo apt-get update",
        "sudo apt-get install --yes --no-install-recommends python3-picamera2",
        "sudo usermod --append --groups video pi",
    ]
    assert (pi.root / "home/pi/env/pyvenv.cfg").read_text() == BARE_VENV.replace("false", "true")
    assert "Log out and in again" in result.stdout


@pytest.mark.parametrize("options", [("--yes",), ("--service", "--yes")], ids=["camera", "service"])
def test_a_second_time_nothing_is_left_to_do(pi: Pi, options: tuple[str, ...]) -> None:
    edge_mnist("pi-setup", *options)
    calls, files = pi.calls, pi.files()

    result = edge_mnist("pi-setup", *options)

    assert result.exit_code == 0, result.output
    assert (pi.calls, pi.files()) == (calls, files)
    assert "All was done before" in result.stdout


def test_every_command_that_runs_was_shown_before(pi: Pi) -> None:
    shown = edge_mnist("pi-setup", "--service").stdout

    edge_mnist("pi-setup", "--service", "--yes")

    assert len(pi.calls) == 10
    assert all(call in shown for call in pi.calls)


def test_what_is_not_a_pi_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = _bare_files()
    del files["proc/device-tree/model"]
    pc = make_fake(tmp_path, monkeypatch, files)

    result = edge_mnist("pi-setup", "--yes")

    assert result.exit_code == 1
    assert "This is no Raspberry Pi" in result.output
    assert pc.calls == []


def test_behind_sudo_it_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_fake(tmp_path, monkeypatch, _bare_files(), is_root=True, environment={"SUDO_USER": "pi"})

    result = edge_mnist("pi-setup", "--yes")

    assert result.exit_code == 1
    assert "without sudo" in result.output


def test_root_needs_no_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pi = make_fake(tmp_path, monkeypatch, _bare_files(), is_root=True, user="root")

    result = edge_mnist("pi-setup", "--yes")

    assert result.exit_code == 0, result.output
    assert pi.calls == []
    assert (tmp_path / "installed-python3-picamera2").exists()


@pytest.mark.usefixtures("pi")
def test_a_command_that_fails_ends_it_and_it_goes_on_from_there(tmp_path: Path) -> None:
    apt_get = (tmp_path / "bin/apt-get").read_text()
    write_command(tmp_path / "bin", "apt-get", "exit 100")

    failed = edge_mnist("pi-setup", "--yes")
    (tmp_path / "bin/apt-get").write_text(apt_get)
    again = edge_mnist("pi-setup", "--yes")

    assert failed.exit_code == 1
    assert "Error: sudo apt-get update: ended with 100." in failed.output
    assert again.exit_code == 0, again.output


@pytest.mark.usefixtures("pi")
def test_without_sudo_on_the_machine_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "bin/sudo").unlink()

    result = edge_mnist("pi-setup", "--yes")

    assert result.exit_code == 1
    assert "sudo is not there" in result.output


def test_an_environment_of_another_python_is_left_to_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = {"home/pi/env/pyvenv.cfg": BARE_VENV.replace("/usr/bin", "/home/pi/.local/share/uv/python/bin")}
    make_fake(tmp_path, monkeypatch, _bare_files(**other))

    result = edge_mnist("pi-setup")

    assert result.exit_code == 1
    assert "by hand: /usr/bin/python3 -m venv --system-site-packages" in result.stdout


def test_an_environment_file_that_cannot_be_written_stays_whole(pi: Pi, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse)

    result = edge_mnist("pi-setup", "--yes")

    assert result.exit_code == 1
    assert "pyvenv.cfg: cannot be written (Operation not permitted)" in result.output
    assert [path.name for path in (pi.root / "home/pi/env").iterdir() if path.is_file()] == ["pyvenv.cfg"]
    assert (pi.root / "home/pi/env/pyvenv.cfg").read_text() == BARE_VENV


@pytest.mark.parametrize(
    ("release", "packages", "called"),
    [
        (fake_pi.PI_OS_12, ["numpy-2.4.6.dist-info"], True),
        (fake_pi.PI_OS_12, ["numpy-2.4.6.dist-info", "simplejpeg"], False),
        (fake_pi.PI_OS_12, ["numpy-1.26.4.dist-info"], False),
        (fake_pi.PI_OS_13, ["numpy-2.4.6.dist-info"], False),
    ],
    ids=["12, numpy 2", "12, numpy 2, its own", "12, numpy 1", "13"],
)
def test_pi_os_12_gets_a_simplejpeg_that_fits_numpy_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str, packages: list[str], called: bool
) -> None:
    own = {f"home/pi/env/lib/python3.11/site-packages/{name}/METADATA": "" for name in packages}
    pi = make_fake(tmp_path, monkeypatch, _bare_files(**{"etc/os-release": release, **own}))

    edge_mnist("pi-setup", "--yes")

    assert ("python3 -m pip install --ignore-installed --no-deps simplejpeg" in pi.calls) == called


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (BARE_VENV, BARE_VENV.replace("false", "true")),
        (" Include-System-Site-Packages=FALSE\nhome = /bin\n", "include-system-site-packages = true\nhome = /bin\n"),
        ("home = /usr/bin", "home = /usr/bin\ninclude-system-site-packages = true\n"),
    ],
    ids=["venv", "odd spelling", "no such line"],
)  # fmt: skip
def test_only_one_line_of_the_environments_settings_changes(tmp_path: Path, before: str, after: str) -> None:
    changed = let_see_system(before)
    (tmp_path / "pyvenv.cfg").write_text(changed)

    venv = read_venv(tmp_path)

    assert changed == after
    assert venv is not None
    assert venv.sees_system
    assert let_see_system(changed) == changed


def test_a_changed_setting_shows_the_systems_packages_to_a_real_environment(tmp_path: Path) -> None:
    subprocess.run(["/usr/bin/env", "python3", "-m", "venv", "--without-pip", tmp_path / "env"], check=True, timeout=60)
    config = tmp_path / "env/pyvenv.cfg"

    config.write_text(let_see_system(config.read_text()))

    ask = "import site, sys; print(site.ENABLE_USER_SITE is not None, *sys.path, sep='\\n')"
    paths = subprocess.run(
        [tmp_path / "env/bin/python3", "-c", ask], capture_output=True, text=True, check=True, timeout=60
    ).stdout.splitlines()
    outside = [
        path for path in paths if path.endswith(("site-packages", "dist-packages")) and str(tmp_path) not in path
    ]
    assert outside


# The service


def test_the_service_is_installed_enabled_and_started(pi: Pi) -> None:
    result = edge_mnist("pi-setup", "--service", "--yes")

    unit = (pi.root / UNIT).read_text()
    assert result.exit_code == 0, result.output
    assert pi.calls[-3:] == [
        "sudo systemctl daemon-reload",
        "sudo systemctl restart edge-mnist",
        "sudo systemctl enable edge-mnist",
    ]
    assert "\nUser=pi\n" in unit
    assert f"\nExecStart={pi.root}/home/pi/env/bin/edge-mnist $EDGE_MNIST_COMMAND $EDGE_MNIST_ARGS\n" in unit
    assert "\nProtectHome=read-only\n" in unit
    assert (pi.root / DEFAULTS).stat().st_mode & 0o777 == 0o600
    assert not list(pi.root.rglob("*.new"))


def test_settings_that_somebody_changed_are_kept(pi: Pi) -> None:
    write_files(pi.root, {DEFAULTS: "EDGE_MNIST_ARGS=--camera v4l2:/dev/video2\n"})

    edge_mnist("pi-setup", "--service", "--yes")

    assert (pi.root / DEFAULTS).read_text() == "EDGE_MNIST_ARGS=--camera v4l2:/dev/video2\n"


def test_a_user_of_its_own_is_made_for_a_program_outside_of_homes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = _bare_files(**{"opt/edge-mnist/bin/edge-mnist": "", "opt/edge-mnist/pyvenv.cfg": BARE_VENV})
    pi = make_fake(tmp_path, monkeypatch, files, prefix=tmp_path / "root/opt/edge-mnist")

    result = edge_mnist("pi-setup", "--service", "--user", "edge-mnist", "--yes")

    assert result.exit_code == 0, result.output
    assert "sudo useradd --system --no-create-home --shell /usr/sbin/nologin edge-mnist" in pi.calls
    assert "\nProtectHome=yes\n" in (pi.root / UNIT).read_text()


def test_the_service_is_taken_away_and_what_may_be_yours_stays(pi: Pi) -> None:
    edge_mnist("pi-setup", "--service", "--yes")
    before = len(pi.calls)

    result = edge_mnist("pi-setup", "--uninstall", "--yes")

    assert result.exit_code == 0, result.output
    assert pi.calls[before:] == [
        "sudo systemctl disable --now edge-mnist",
        f"sudo rm --force {pi.root}/{UNIT}",
        "sudo systemctl daemon-reload",
    ]
    assert not (pi.root / UNIT).exists()
    assert f"Kept, as it may be yours: /{DEFAULTS}" in result.stdout
    assert "All was done before" in edge_mnist("pi-setup", "--uninstall", "--yes").stdout


@pytest.mark.parametrize(
    ("changes", "user", "message"),
    [
        ({}, "root", "without root's rights"),
        ({}, "somebody", "in a home that somebody may not enter"),
        ({"prefix": Path("/nowhere")}, None, "is not there"),
    ],
    ids=["root", "another's home", "not installed"],
)
def test_a_service_that_cannot_work_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], user: str | None, message: str
) -> None:
    pi = make_fake(tmp_path, monkeypatch, _bare_files(), **changes)

    result = edge_mnist("pi-setup", "--service", "--yes", *(["--user", user] if user else []))

    assert result.exit_code == 1
    assert message in result.output
    assert pi.calls == []


def test_a_path_that_systemd_would_read_otherwise_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = tmp_path / "root/home/pi/my env%h"
    make_fake(tmp_path, monkeypatch, _bare_files(**{"home/pi/my env%h/bin/edge-mnist": ""}), prefix=prefix)

    result = edge_mnist("pi-setup", "--service")

    assert result.exit_code == 1
    assert "systemd takes no such characters" in result.output


@pytest.mark.parametrize(
    "options",
    [
        ("--service", "--user", "pi\nExecStartPre=/bin/sh"),
        ("--service", "--user", "-x"),
        ("--user", "pi"),
        ("--service", "--uninstall"),
    ],
    ids=["a line of its own", "an option", "no service", "both"],
)
@pytest.mark.usefixtures("pi")
def test_misuse_is_refused_before_anything_is_looked_at(options: tuple[str, ...]) -> None:
    assert edge_mnist("pi-setup", *options).exit_code == 2


def test_the_unit_says_what_the_loop_and_the_camera_need() -> None:
    unit = (FILES / "edge-mnist.service").read_text()

    for line in ("Type=notify", "Restart=always", "SupplementaryGroups=video", "NoNewPrivileges=yes"):
        assert f"\n{line}\n" in unit
    for device in ("char-video4linux", "char-media", "char-dma_heap"):
        assert f"\nDeviceAllow={device} rw\n" in unit
    for name in ("User", "ExecStart", "ProtectHome"):
        assert len(re.findall(rf"(?m)^{name}=", unit)) == 1, "each is replaced once"


def test_the_settings_file_says_what_the_unit_does_without_it() -> None:
    lines = (FILES / "edge-mnist.default").read_text().splitlines()
    unit = (FILES / "edge-mnist.service").read_text()

    settings = [line.replace('"', "") for line in lines if line and not line.startswith("#")]

    assert len(settings) == 2
    assert all(setting in unit.replace('"', "") for setting in settings)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("is_in_home", [False, True])
def test_systemd_takes_the_unit(tmp_path: Path, is_in_home: bool) -> None:
    path = tmp_path / "edge-mnist.service"
    path.write_text(Service("daemon", Path("/bin/true"), is_in_home).render())

    verified = subprocess.run(
        ["systemd-analyze", "verify", path], check=False, capture_output=True, text=True, timeout=60
    )

    assert verified.returncode == 0, verified.stderr
    assert path.name not in verified.stderr


def test_a_service_whose_unit_changed_is_restarted_and_not_enabled_again(pi: Pi) -> None:
    edge_mnist("pi-setup", "--service", "--yes")
    write_files(pi.root, {UNIT: "[Service]\nExecStart=/bin/false\n"})

    step = plan_service(pi.machine, choose_service(pi.machine, None))

    words = [action.words[:2] for action in step.actions if hasattr(action, "words")]
    assert words[-2:] == [("systemctl", "daemon-reload"), ("systemctl", "restart")]
