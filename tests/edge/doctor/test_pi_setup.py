"""Setting up a Pi: shown before it is done, done once."""

import os
import subprocess
from pathlib import Path

import pytest

from edge_mnist.edge.doctor.environment import enable_system_packages, read_venv
from tests.conftest import edge_mnist
from tests.stand_ins import fake_pi
from tests.stand_ins.fake_pi import write_command
from tests.stand_ins.recording_pi import BARE_VENV, Pi, bare_files, make_fake, pi

__all__ = ["pi"]


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
    assert "nothing was changed" in result.stdout


def test_every_command_that_runs_was_shown_before(pi: Pi) -> None:
    shown = edge_mnist("pi-setup", "--service").stdout

    edge_mnist("pi-setup", "--service", "--yes")

    assert len(pi.calls) == 10
    assert all(call in shown for call in pi.calls)


def test_what_is_not_a_pi_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = bare_files()
    del files["proc/device-tree/model"]
    pc = make_fake(tmp_path, monkeypatch, files)

    result = edge_mnist("pi-setup", "--yes")

    assert result.exit_code == 1
    assert "This is not a Raspberry Pi" in result.output
    assert pc.calls == []


def test_behind_sudo_it_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_fake(tmp_path, monkeypatch, bare_files(), is_root=True, environment={"SUDO_USER": "pi"})

    result = edge_mnist("pi-setup", "--yes")

    assert result.exit_code == 1
    assert "without sudo" in result.output


def test_root_needs_no_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pi = make_fake(tmp_path, monkeypatch, bare_files(), is_root=True, user="root")

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
    assert "Error: sudo apt-get update: ended with exit code 100." in failed.output
    assert again.exit_code == 0, again.output


@pytest.mark.usefixtures("pi")
def test_without_sudo_on_the_machine_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "bin/sudo").unlink()

    result = edge_mnist("pi-setup", "--yes")

    assert result.exit_code == 1
    assert "sudo is not installed" in result.output


def test_an_environment_of_another_python_is_left_to_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = {"home/pi/env/pyvenv.cfg": BARE_VENV.replace("/usr/bin", "/home/pi/.local/share/uv/python/bin")}
    make_fake(tmp_path, monkeypatch, bare_files(**other))

    result = edge_mnist("pi-setup")

    assert result.exit_code == 1
    assert "manually: /usr/bin/python3 -m venv --system-site-packages" in result.stdout


def test_an_environment_file_that_cannot_be_written_stays_whole(pi: Pi, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refuse)

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
    pi = make_fake(tmp_path, monkeypatch, bare_files(**{"etc/os-release": release, **own}))

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
    changed = enable_system_packages(before)
    (tmp_path / "pyvenv.cfg").write_text(changed)

    venv = read_venv(tmp_path)

    assert changed == after
    assert venv is not None
    assert venv.sees_system_packages
    assert enable_system_packages(changed) == changed


def test_a_changed_setting_shows_the_systems_packages_to_a_real_environment(tmp_path: Path) -> None:
    subprocess.run(["/usr/bin/env", "python3", "-m", "venv", "--without-pip", tmp_path / "env"], check=True, timeout=60)
    config = tmp_path / "env/pyvenv.cfg"

    config.write_text(enable_system_packages(config.read_text()))

    ask = "import site, sys; print(site.ENABLE_USER_SITE is not None, *sys.path, sep='\\n')"
    paths = subprocess.run(
        [tmp_path / "env/bin/python3", "-c", ask], capture_output=True, text=True, check=True, timeout=60
    ).stdout.splitlines()
    outside = [
        path for path in paths if path.endswith(("site-packages", "dist-packages")) and str(tmp_path) not in path
    ]
    assert outside
