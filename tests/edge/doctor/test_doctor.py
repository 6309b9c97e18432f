"""The doctor: what it says of machines that are made of files."""

import os
from pathlib import Path

import pytest

from edge_mnist.edge.doctor.examine import CHECKS, Check, run_checks
from edge_mnist.edge.doctor.health import judge_throttling
from edge_mnist.edge.doctor.machine import Machine
from edge_mnist.edge.doctor.probes import ProbeEvidence
from edge_mnist.edge.doctor.verdicts import CheckVerdict
from tests.stand_ins import fake_pi
from tests.stand_ins.fake_pi import MISSING, make_machine, make_pi, pi_files, with_python, write_command

UNIT = "etc/systemd/system/edge-mnist.service"


def _verdicts(machine: Machine) -> dict[str, CheckVerdict]:
    return {finding.name: finding.verdict for finding in run_checks(machine)}


def _not_ok(machine: Machine) -> dict[str, str]:
    return {name: verdict.level for name, verdict in _verdicts(machine).items() if verdict.level != "ok"}


@pytest.mark.parametrize(
    ("board", "release", "name"),
    [
        (fake_pi.PI_4, fake_pi.PI_OS_12, "Raspberry Pi OS 12 (bookworm)"),
        (fake_pi.PI_5, fake_pi.PI_OS_13, "Raspberry Pi OS 13 (trixie)"),
    ],
    ids=["Pi 4, Pi OS 12", "Pi 5, Pi OS 13"],
)
def test_a_pi_set_up_as_documented_has_nothing_to_complain_of(
    tmp_path: Path, board: str, release: str, name: str
) -> None:
    machine = make_pi(tmp_path, pi_files(board, release))

    findings = run_checks(machine)

    verdicts = {finding.name: finding.verdict for finding in findings}
    assert {finding.verdict.level for finding in findings} == {"ok"}, _not_ok(machine)
    assert verdicts["system"].message == name
    assert verdicts["board"].message == board
    assert verdicts["word size"].message == "64-bit (aarch64)"
    assert verdicts["cameras"].message == "imx708 (picamera2)"
    assert verdicts["temperature"].message == "48 degrees Celsius"


def test_debian_on_a_pi_is_not_called_pi_os(tmp_path: Path) -> None:
    files = pi_files()
    del files["etc/rpi-issue"]

    verdicts = _verdicts(make_pi(tmp_path, files))

    assert verdicts["system"].message == "Debian GNU/Linux 13 (trixie)"


def test_32_bit_programs_under_a_64_bit_kernel_are_told_from_64_bit(tmp_path: Path) -> None:
    machine = make_pi(tmp_path, pi_files(fake_pi.PI_3, fake_pi.RASPBIAN_12), python_bits=32)
    machine = with_python(
        machine,
        tmp_path,
        litert=MISSING,
        numpy={"version": "1.26.4"},
        **{"tflite-runtime": {"version": "2.14.0"}},
    )

    findings = run_checks(machine)

    verdicts = {finding.name: finding.verdict for finding in findings}
    assert verdicts["word size"].level == "note"
    assert "under a 64-bit kernel" in verdicts["word size"].message
    assert "64-bit" in verdicts["word size"].fix
    assert verdicts["litert"].level == "ok", "there is none to install"
    assert verdicts["model"].message.endswith("golden vectors on tflite-runtime 2.14.0")
    assert not any(finding.blocks_live for finding in findings)


def test_32_bit_pi_os_13_has_no_runtime(tmp_path: Path) -> None:
    machine = make_pi(tmp_path, pi_files(), python_bits=32, kernel="armv7l")

    assert _verdicts(machine)["word size"].level == "problem"


@pytest.mark.parametrize(
    ("bits", "level", "message", "fix"),
    [
        (0x0, "ok", "no under-voltage and no throttling since start", ""),
        (0x1, "problem", "now: under-voltage", "power"),
        (0x2, "problem", "now: processor frequency capped", "heat sink"),
        (0x4, "problem", "now: throttled", "heat sink"),
        (0x8, "problem", "now: soft temperature limit", "heat sink"),
        (0x50005, "problem", "now: under-voltage, throttled; since start: under-voltage, throttled", "power"),
        (0x50000, "note", "since start: under-voltage, throttled; not now", "power"),
        (0x80000, "note", "since start: soft temperature limit; not now", "heat sink"),
        (0x20000, "note", "since start: processor frequency capped; not now", "heat sink"),
    ],
)
def test_throttling_bits_are_put_into_words(bits: int, level: str, message: str, fix: str) -> None:
    verdict = judge_throttling(bits)

    assert (verdict.level, verdict.message) == (level, message)
    assert fix in verdict.fix


def test_a_throttled_pi_is_told_of_and_can_still_read(tmp_path: Path) -> None:
    machine = make_pi(tmp_path, pi_files(**{"sys/class/thermal/thermal_zone0/temp": "84100"}), throttled="0x50005")

    findings = run_checks(machine)

    levels = {finding.name: finding.verdict.level for finding in findings}
    assert (levels["power"], levels["temperature"]) == ("problem", "problem")
    assert not any(finding.blocks_live for finding in findings)


@pytest.mark.parametrize(("alarm", "level"), [("1\n", "problem"), ("0\n", "ok")])
def test_without_vcgencmd_the_kernels_sensor_tells_of_under_voltage(tmp_path: Path, alarm: str, level: str) -> None:
    sensor = {"sys/class/hwmon/hwmon2/name": "rpi_volt\n", "sys/class/hwmon/hwmon2/in0_lcrit_alarm": alarm}
    machine = make_machine(tmp_path, pi_files(**sensor))

    assert _verdicts(machine)["power"].level == level


def test_without_both_the_doctor_says_how_to_get_vcgencmd(tmp_path: Path) -> None:
    verdict = _verdicts(make_machine(tmp_path, pi_files()))["power"]

    assert (verdict.level, verdict.fix) == ("note", "sudo apt install -y raspi-utils")


def test_vcgencmd_that_may_not_ask_the_firmware_is_told_of(tmp_path: Path) -> None:
    machine = make_pi(tmp_path)
    write_command(tmp_path / "bin", "vcgencmd", 'echo "Can\'t open device file: /dev/vcio" >&2; exit 255')

    verdict = _verdicts(machine)["power"]

    assert verdict.level == "note"
    assert "/dev/vcio" in verdict.message
    assert verdict.fix == "sudo usermod -aG video pi"


def test_a_laptop_needs_nothing_of_a_pi(tmp_path: Path) -> None:
    files = {
        "etc/os-release": fake_pi.PI_OS_13,
        "proc/meminfo": "MemTotal: 16000000 kB\nMemAvailable: 9000000 kB\nSwapTotal: 0 kB\n",
        "run/systemd/timesync/synchronized": "",
        "sys/class/thermal/thermal_zone0/type": "x86_pkg_temp",
        "sys/class/thermal/thermal_zone0/temp": "91000",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_driver": "intel_pstate",
        "dev/video0": "",
        "home/pi/env/pyvenv.cfg": "home = /opt/python/bin\ninclude-system-site-packages = false\n",
    }
    machine = make_machine(tmp_path, files, kernel="x86_64", environment={"DISPLAY": ":0"})
    machine = with_python(
        machine, tmp_path, libcamera=MISSING, picamera2=MISSING, cameras={"found": ["HD Webcam (v4l2:/dev/video0)"]}
    )

    assert _not_ok(machine) == {}


def test_a_picamera2_that_the_environment_hides_is_told_from_one_that_is_missing(tmp_path: Path) -> None:
    hidden = pi_files(**{"home/pi/env/pyvenv.cfg": "home = /usr/bin\ninclude-system-site-packages = false\n"})
    absent = {name: text for name, text in pi_files().items() if "dist-packages" not in name}
    gone = {"libcamera": MISSING, "picamera2": MISSING}

    verdict_hidden = _verdicts(with_python(make_pi(tmp_path / "a", hidden), tmp_path / "a", **gone))
    verdict_absent = _verdicts(with_python(make_pi(tmp_path / "b", absent), tmp_path / "b", **gone))

    assert "not visible" in verdict_hidden["picamera2"].message
    assert verdict_hidden["picamera2"].fix == "edge-mnist pi-setup --yes"
    assert verdict_hidden["environment"].fix == "edge-mnist pi-setup --yes"
    assert verdict_absent["picamera2"].fix == "sudo apt install -y python3-picamera2"
    assert verdict_absent["libcamera"].fix == "sudo apt install -y python3-libcamera"


def test_an_environment_of_another_python_has_to_be_made_anew(tmp_path: Path) -> None:
    config = "home = /home/pi/.pyenv/versions/3.12.1/bin\ninclude-system-site-packages = true\n"

    verdict = _verdicts(make_pi(tmp_path, pi_files(**{"home/pi/env/pyvenv.cfg": config})))["environment"]

    assert verdict.level == "problem"
    assert verdict.fix.startswith("/usr/bin/python3 -m venv --system-site-packages")


def test_a_simplejpeg_built_for_numpy_1_is_told_with_its_fix(tmp_path: Path) -> None:
    words = "ValueError: numpy.dtype size changed, may indicate binary incompatibility."

    verdict = _verdicts(with_python(make_pi(tmp_path), tmp_path, picamera2=words))["picamera2"]

    assert verdict.level == "problem"
    assert "a numpy other than 2.4.6" in verdict.message
    assert verdict.fix == f"{tmp_path}/bin/python3 -m pip install --ignore-installed --no-deps simplejpeg"


@pytest.mark.parametrize(
    ("others", "fix"),
    [({}, "uninstall -y tflite-runtime"), ({"litert": MISSING}, "install 'numpy<2'")],
    ids=["with LiteRT", "alone"],
)
def test_tflite_runtime_beside_numpy_2_is_told_with_its_fix(
    tmp_path: Path, others: dict[str, object], fix: str
) -> None:
    words = "AttributeError: _ARRAY_API not found"
    machine = with_python(make_pi(tmp_path), tmp_path, **{"tflite-runtime": words}, **others)

    verdict = _verdicts(machine)["tflite-runtime"]

    assert verdict.level == "problem"
    assert verdict.fix.endswith(fix)


@pytest.mark.parametrize(
    ("answers", "fix"),
    [
        ({"litert": MISSING}, "-m pip install ai-edge-litert"),
        ({"litert": "undefined symbol", "onnxruntime": {"version": "1.31.1"}}, "--runtime onnxruntime"),
        (
            {"litert": "edge_mnist.edge.bundle.card.ModelCardError: not the file the card describes"},
            "edge-mnist verify",
        ),
    ],
    ids=["no runtime", "broken LiteRT", "damaged file"],
)
def test_a_model_that_does_not_run_prevents_live_reading(tmp_path: Path, answers: dict[str, object], fix: str) -> None:
    findings = run_checks(with_python(make_pi(tmp_path), tmp_path, **answers))

    assert [finding.name for finding in findings if finding.blocks_live] == ["model"]
    assert next(finding.verdict.fix for finding in findings if finding.name == "model").endswith(fix)


def test_devices_that_may_not_be_used_are_counted_and_the_group_is_named(tmp_path: Path) -> None:
    files = pi_files(**{"etc/group": "video:x:44:\n"})
    machine = make_pi(tmp_path, files, groups=frozenset({"pi"}), may_use=lambda device: device.name == "video0")

    verdict = _verdicts(machine)["permission"]

    assert verdict.message == "pi may not use 2 of 3 devices, e.g. media0"
    assert verdict.fix == "sudo usermod -aG video pi"


def test_who_joined_the_group_in_another_session_is_told_to_log_in_again(tmp_path: Path) -> None:
    machine = make_pi(tmp_path, groups=frozenset({"pi"}), may_use=lambda _: False)

    assert _verdicts(machine)["permission"].fix == "log out and in again"


@pytest.mark.parametrize(
    ("changes", "name", "level"),
    [
        ({"proc/meminfo": "MemTotal: 440000 kB\nMemAvailable: 90000 kB\nSwapTotal: 0 kB\n"}, "memory", "problem"),
        ({"proc/meminfo": "MemTotal: 440000 kB\nMemAvailable: 250000 kB\nSwapTotal: 0 kB\n"}, "swap", "note"),
        ({"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave"}, "governor", "note"),
        ({"sys/class/thermal/thermal_zone0/temp": "75000"}, "temperature", "note"),
        ({"etc/os-release": fake_pi.PI_OS_12.replace("12", "11")}, "system", "note"),
        ({UNIT: "[Service]\n"}, "service", "note"),
        ({"proc/meminfo": "MemTotal: a lot\n"}, "memory", "note"),
    ],
    ids=["little memory", "no swap", "powersave", "warm", "Pi OS 11", "service not running", "a strange kernel"],
)
def test_what_is_amiss_has_a_finding(tmp_path: Path, changes: dict[str, str], name: str, level: str) -> None:
    verdict = _verdicts(make_pi(tmp_path, pi_files(**changes)))[name]

    assert verdict.level == level
    assert verdict.fix


@pytest.mark.parametrize(("state", "level"), [("active", "ok"), ("failed", "problem"), ("inactive", "note")])
def test_the_services_state_is_told(tmp_path: Path, state: str, level: str) -> None:
    machine = make_pi(tmp_path, pi_files(**{UNIT: "[Service]\n"}))
    write_command(tmp_path / "bin", "systemctl", f"echo {state}; exit 3")

    assert _verdicts(machine)["service"].level == level


@pytest.mark.parametrize(("answer", "level"), [("yes", "ok"), ("no", "note")])
def test_the_clocks_state_is_told(tmp_path: Path, answer: str, level: str) -> None:
    files = pi_files()
    del files["run/systemd/timesync/synchronized"]
    machine = make_pi(tmp_path, files)
    write_command(tmp_path / "bin", "timedatectl", f"echo {answer}")

    assert _verdicts(machine)["clock"].level == level


def test_little_room_on_the_card_is_told(tmp_path: Path) -> None:
    assert _verdicts(make_pi(tmp_path, free_disk=lambda _: 50_000_000))["disk"].level == "note"


def test_no_camera_prevents_live_reading(tmp_path: Path) -> None:
    findings = run_checks(with_python(make_pi(tmp_path), tmp_path, cameras={"found": []}))

    assert [finding.name for finding in findings if finding.blocks_live] == ["cameras"]


def test_an_empty_machine_gives_findings_and_each_lack_its_fix(tmp_path: Path) -> None:
    findings = run_checks(make_machine(tmp_path, {}))

    assert len(findings) == len(CHECKS)
    assert all(bool(finding.verdict.fix) == (finding.verdict.level != "ok") for finding in findings)


@pytest.mark.parametrize(("needed", "level"), [(False, "note"), (True, "problem")])
def test_a_check_that_fails_is_a_finding_and_no_crash(tmp_path: Path, needed: bool, level: str) -> None:
    def stumble(_: ProbeEvidence) -> CheckVerdict:
        raise KeyError("scaling_governor")

    findings = run_checks(make_pi(tmp_path), (Check("Health", "stumbles", stumble, needed), *CHECKS))

    assert findings[0].verdict.level == level
    assert findings[0].blocks_live == needed
    assert "KeyError" in findings[0].verdict.message
    assert len(findings) == len(CHECKS) + 1


def test_a_user_without_a_name_goes_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 54321)

    machine = Machine()

    assert machine.user == "54321"


def test_checks_have_names_of_their_own() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)
