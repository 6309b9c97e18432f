"""A Raspberry Pi made of files: what its kernel, its system and its commands would say, below a folder."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from edge_mnist.edge.doctor.machine import Machine
from edge_mnist.edge.doctor.probes import IMPORTS, RUNTIMES

PI_OS_12 = (
    'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\n'
    'VERSION_ID="12"\nVERSION_CODENAME=bookworm\nID=debian\n'
)
PI_OS_13 = PI_OS_12.replace("12", "13").replace("bookworm", "trixie")
RASPBIAN_12 = PI_OS_12.replace("ID=debian", "ID=raspbian").replace("Debian GNU/Linux", "Raspbian GNU/Linux")
PI_4, PI_5 = "Raspberry Pi 4 Model B Rev 1.4", "Raspberry Pi 5 Model B Rev 1.0"
PI_3 = "Raspberry Pi 3 Model B Plus Rev 1.3"

MISSING = {"cause": "missing"}
# What a Pi's Python finds when everything is as the documentation has it.
PI_PYTHON: dict[str, object] = {
    "litert": {"version": "2.3.0"},
    "tflite-runtime": MISSING,
    "onnxruntime": MISSING,
    "numpy": {"version": "2.4.6"},
    "opencv": {"version": "5.0.0.93"},
    "libcamera": {"version": "0.5.2"},
    "picamera2": {"version": "0.3.31"},
    "cameras": {"found": ["imx708 (picamera2)"]},
}


def write_files(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def write_command(folder: Path, name: str, script: str) -> Path:
    """A command that is a shell script."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def write_python(folder: Path, answers: Mapping[str, object]) -> Path:
    """A `python3` that answers the doctor's probes so; an answer that is a string is its last words on failing."""
    words = {**{name: name for name in RUNTIMES}, **{module: name for name, (module, _) in IMPORTS.items()}}

    def reply(name: str) -> str:
        answer = answers[name]
        if isinstance(answer, str):
            return f"echo '{answer}' >&2; exit 1"
        return f"echo '{json.dumps(answer)}'"

    # Called as: python3 -P -c CODE [RUNTIME | MODULE PACKAGE | ROOT]
    cases = [f"{word}) {reply(name)} ;;" for word, name in words.items()]
    head, last = ['case "$3" in *tkinter*) exit 0 ;; esac', 'case "$4" in'], [f"*) {reply('cameras')} ;;", "esac"]
    script = "\n".join([*head, *cases, *last])
    return write_command(folder, "python3", script)


def make_machine(tmp_path: Path, files: Mapping[str, str], **changes: object) -> Machine:
    """A machine with these files, whose only commands are those in `tmp_path/bin`."""
    root, commands, prefix = tmp_path / "root", tmp_path / "bin", tmp_path / "root/home/pi/env"
    write_files(root, files)
    facts: dict[str, object] = {
        "root": root,
        "search_path": str(commands),
        "python": write_python(commands, PI_PYTHON),
        "prefix": prefix,
        "kernel": "aarch64",
        "python_bits": 64,
        "user": "pi",
        "groups": frozenset({"pi", "video"}),
        "is_root": False,
        "environment": {},
        "may_use": lambda _: True,
        "free_disk": lambda _: 8_000_000_000,
    }
    return Machine(**{**facts, **changes})  # pyright: ignore[reportArgumentType]


def pi_files(board: str = PI_5, release: str = PI_OS_13, **more: str) -> dict[str, str]:
    """Of a Pi that has everything, set up as documented; `more` are further files, or others in their place."""
    return {
        "proc/device-tree/model": f"{board}\0",
        "proc/meminfo": "MemTotal:        4000000 kB\nMemAvailable:    3000000 kB\nSwapTotal:        500000 kB\n",
        "etc/os-release": release,
        "etc/rpi-issue": "Raspberry Pi reference\n",
        "etc/group": "root:x:0:\nvideo:x:44:pi\n",
        "etc/passwd": "root:x:0:0:root:/root:/bin/bash\npi:x:1000:1000::/home/pi:/bin/bash\n",
        "run/systemd/timesync/synchronized": "",
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
        "sys/class/thermal/thermal_zone0/temp": "48312\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
        "usr/lib/python3/dist-packages/libcamera/__init__.py": "",
        "usr/lib/python3/dist-packages/picamera2/__init__.py": "",
        "dev/video0": "",
        "dev/media0": "",
        "dev/dma_heap/linux,cma": "",
        "home/pi/env/pyvenv.cfg": "home = /usr/bin\ninclude-system-site-packages = true\nversion = 3.13.5\n",
        **more,
    }


def make_pi(
    tmp_path: Path, files: Mapping[str, str] | None = None, throttled: str = "0x0", **changes: object
) -> Machine:
    machine = make_machine(tmp_path, pi_files() if files is None else files, **changes)
    write_command(tmp_path / "bin", "vcgencmd", f"echo throttled={throttled}")
    return machine


def with_python(machine: Machine, tmp_path: Path, **answers: object) -> Machine:
    """The machine, whose Python finds what a Pi's does, but for these."""
    return replace(machine, python=write_python(tmp_path / "bin", {**PI_PYTHON, **answers}))
