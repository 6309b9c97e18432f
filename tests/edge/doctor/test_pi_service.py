"""The service: installed, kept, taken away again; and a unit that systemd takes."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from edge_mnist.edge.common.errors import EdgeMnistError
from edge_mnist.edge.doctor.machine import Machine
from edge_mnist.edge.doctor.service import FILES, ServiceUnit, choose_service, plan_service
from tests.conftest import edge_mnist
from tests.stand_ins.fake_pi import write_files
from tests.stand_ins.recording_pi import BARE_VENV, DEFAULTS, UNIT, Pi, bare_files, make_fake, pi

__all__ = ["pi"]


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
    assert f"\nProtectHome=tmpfs\nBindReadOnlyPaths={pi.root}/home/pi/env\n" in unit
    assert (pi.root / DEFAULTS).stat().st_mode & 0o777 == 0o600
    assert not list(pi.root.rglob("*.new"))


def test_settings_that_somebody_changed_are_kept(pi: Pi) -> None:
    write_files(pi.root, {DEFAULTS: "EDGE_MNIST_ARGS=--camera v4l2:/dev/video2\n"})

    edge_mnist("pi-setup", "--service", "--yes")

    assert (pi.root / DEFAULTS).read_text() == "EDGE_MNIST_ARGS=--camera v4l2:/dev/video2\n"


def test_a_user_of_its_own_is_made_for_a_program_outside_of_homes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = bare_files(**{"opt/edge-mnist/bin/edge-mnist": "", "opt/edge-mnist/pyvenv.cfg": BARE_VENV})
    pi = make_fake(tmp_path, monkeypatch, files, prefix=tmp_path / "root/opt/edge-mnist")

    result = edge_mnist("pi-setup", "--service", "--user", "edge-mnist", "--yes")

    assert result.exit_code == 0, result.output
    assert "sudo useradd --system --no-create-home --shell /usr/sbin/nologin edge-mnist" in pi.calls
    assert "\nProtectHome=yes\nBindReadOnlyPaths=\n" in (pi.root / UNIT).read_text()


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
    assert f"Kept, because you may have changed them: /{DEFAULTS}" in result.stdout
    assert "nothing was changed" in edge_mnist("pi-setup", "--uninstall", "--yes").stdout


@pytest.mark.parametrize(
    ("changes", "user", "message"),
    [
        ({}, "root", "must not run as root"),
        ({}, "somebody", "in a home folder that somebody may not enter"),
        ({"prefix": Path("/nowhere")}, None, "does not exist"),
    ],
    ids=["root", "another's home", "not installed"],
)
def test_a_service_that_cannot_work_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], user: str | None, message: str
) -> None:
    pi = make_fake(tmp_path, monkeypatch, bare_files(), **changes)

    result = edge_mnist("pi-setup", "--service", "--yes", *(["--user", user] if user else []))

    assert result.exit_code == 1
    assert message in result.output
    assert pi.calls == []


def test_of_homes_the_service_sees_what_the_program_needs_and_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "root/home/pi"
    changes = {"base_prefix": home / ".pyenv/versions/3.11.9", "package": home / "edge-mnist/edge"}
    pi = make_fake(tmp_path, monkeypatch, bare_files(), **changes)

    unit = choose_service(pi.machine, None).render()

    seen = f"{home}/env {home}/.pyenv/versions/3.11.9 {home}/edge-mnist/edge"
    assert f"\nProtectHome=tmpfs\nBindReadOnlyPaths={seen}\n" in unit
    assert ".ssh" not in unit


@pytest.mark.parametrize(
    "name", ["evil\nExecStartPre=+/bin/sh", "-x", "a b", "a%h", "1000", "../pi", "pi\n", "a" * 33, ""]
)
def test_a_variable_that_is_no_name_of_a_user_gets_into_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("SUDO_USER", name)
    pi = make_fake(tmp_path, monkeypatch, bare_files())

    assert Machine().user == Machine(environment={}).user != name
    with pytest.raises(EdgeMnistError, match="is not a user name"):
        choose_service(replace(pi.machine, user=name or "?"), None)


def test_behind_sudo_the_person_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "jo.doe")

    assert Machine().user == "jo.doe"


def test_a_path_that_systemd_would_read_otherwise_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = tmp_path / "root/home/pi/my env%h"
    make_fake(tmp_path, monkeypatch, bare_files(**{"home/pi/my env%h/bin/edge-mnist": ""}), prefix=prefix)

    result = edge_mnist("pi-setup", "--service")

    assert result.exit_code == 1
    assert "systemd does not accept such characters" in result.output


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
    for name in ("User", "ExecStart", "ProtectHome", "BindReadOnlyPaths"):
        assert len(re.findall(rf"(?m)^{name}=", unit)) == 1, "each is replaced once"


def test_the_settings_file_says_what_the_unit_does_without_it() -> None:
    lines = (FILES / "edge-mnist.default").read_text().splitlines()
    unit = (FILES / "edge-mnist.service").read_text()

    settings = [line.replace('"', "") for line in lines if line and not line.startswith("#")]

    assert len(settings) == 2
    assert all(setting in unit.replace('"', "") for setting in settings)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("seen", [(), (Path("/home/pi/env"), Path("/home/pi/.pyenv"))], ids=["elsewhere", "at home"])
def test_systemd_takes_the_unit(tmp_path: Path, seen: tuple[Path, ...]) -> None:
    path = tmp_path / "edge-mnist.service"
    path.write_text(ServiceUnit("daemon", Path("/bin/true"), seen).render())

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
