"""A folder with Debian, Python packages and, for aarch64, QEMU; and how programs start there.

Nothing is mounted: programs see the folder's files alone. QEMU itself answers for /proc/cpuinfo.
"""

import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from tests.conftest import REPOSITORY

from .cache import make_once, remove
from .packages import Machine, install_wheels, our_dependencies, unpack_debian
from .programs import run_program

HERE = Path(__file__).parent
PRELOADED = (HERE / "fake_dma.c", HERE / "emulated_exec.c")
# Below the root.
PACKAGES, OURS, STAND_INS, EXCHANGE = "opt/packages", "opt/edge-mnist", "opt/stand-ins", "exchange"
LIBRARY = "opt/preloaded.so"
PROCESSORS = "sys/devices/system/cpu"
DMA_HEAP = "dev/dma_heap/linux,cma"
VIRTUAL_CAMERA, PICTURES = "usr/share/libcamera/pipeline/virtual/virtual.yaml", "pictures"


@dataclass(frozen=True)
class Release:
    """A release of Debian, and what is installed on it.

    Attributes:
        suite: Debian's name for it.
        python: The version that it has.
        debian: Debian's packages.
        wheels: For each call of pip, its options.
        machine: What it is for.
    """

    suite: str
    python: str
    debian: tuple[str, ...]
    wheels: tuple[tuple[str, ...], ...]
    machine: Machine = "aarch64"


# What Raspberry Pi OS 13 is made of, with today's runtimes and picamera2.
TRIXIE = Release(
    suite="trixie",
    python="3.13",
    debian=("base-files", "libcamera-ipa", "libgomp1", "python3", "python3-libcamera", "python3-prctl"),
    wheels=(
        ("--constraint", str(REPOSITORY / "constraints.txt"), *our_dependencies()),
        ("--no-deps", "--requirement", str(HERE / "camera-packages.txt")),
    ),
)
# What Raspberry Pi OS 12 is made of, with the last tflite-runtime. Its libcamera has no virtual camera.
BOOKWORM = Release(
    suite="bookworm",
    python="3.11",
    debian=("base-files", "libstdc++6", "python3"),
    wheels=(("--no-deps", "--requirement", str(REPOSITORY / "constraints-tflite-runtime.txt")),),
)
# The same for this machine, whose Python may be too new for that runtime.
BOOKWORM_HERE = replace(BOOKWORM, machine="x86_64")
RELEASES = (TRIXIE, BOOKWORM, BOOKWORM_HERE)


@dataclass(frozen=True)
class UserLand:
    """A root folder in which programs of its release start."""

    root: Path
    release: Release

    @property
    def exchange(self) -> Path:
        """What programs there see as /exchange."""
        return self.root / EXCHANGE

    def renew(self, wheel: Path) -> None:
        """Bring in what changes often: our wheel, the modules that stand in for others, and an empty exchange."""
        for name in (OURS, STAND_INS, EXCHANGE, PICTURES):
            remove(self.root / name)
        for folder in (self.exchange, self.root / PICTURES):
            folder.mkdir()
        install_wheels(self.root / OURS, self.release.python, self.release.machine, "--no-deps", str(wheel))
        shutil.copytree(HERE / "stand_ins", self.root / STAND_INS)

    def show(self, picture: Path) -> None:
        """Put this picture, JPEG, before the virtual camera."""
        camera = self.root / VIRTUAL_CAMERA
        camera.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / "virtual.yaml", camera)
        shutil.copy(picture, self.root / PICTURES / "0.jpg")

    def command(self, cpu: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run `edge-mnist`."""
        return self.python(cpu, f"/{OURS}/bin/edge-mnist", *arguments)

    def python(
        self, cpu: str, *arguments: object, stdin: str | None = None, timeout_s: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run Python; on this processor, unless it is for this machine."""
        environment = {
            "HOME": "/root",
            "LIBCAMERA_LOG_LEVELS": "*:WARN",
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH": f"/{OURS}:/{PACKAGES}:/{STAND_INS}",
            "QEMU_CPU": cpu,
            # Not LD_PRELOAD, which the host's own programs would try to follow.
            "QEMU_SET_ENV": f"LD_PRELOAD=/{LIBRARY}",
        }
        emulator = ["/usr/bin/qemu-aarch64"] if self.release.machine == "aarch64" else []
        return subprocess.run(
            ["chroot", self.root, *emulator, "/usr/bin/python3", *map(str, arguments)],
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )


def make_qemu(mirror: str) -> Path:
    """The folder that has Debian 13's qemu-aarch64: under Debian 12's, LiteRT and ONNX Runtime crash."""

    def make(folder: Path) -> None:
        everything = folder / "everything"
        everything.mkdir()
        unpack_debian(mirror, "trixie", "x86_64", ("qemu-user",), everything)
        (everything / "usr/bin/qemu-aarch64").rename(folder / "qemu-aarch64")
        remove(everything)

    return make_once("qemu", ["trixie"], make)


def make_userland(release: Release, mirror: str, qemu: Path) -> UserLand:
    """Debian and Python packages of a release; our wheel comes with `renew`."""
    files = [Path(option) for options in release.wheels for option in options if option.startswith("/")]

    def make(root: Path) -> None:
        unpack_debian(mirror, release.suite, release.machine, release.debian, root)
        _complete(root)
        if release.machine == "aarch64":
            _emulate(root, qemu)
        else:
            _describe_processor(root)
        for options in release.wheels:
            install_wheels(root / PACKAGES, release.python, release.machine, *options)

    recipe = (HERE / "userland.py", HERE / "packages.py", *PRELOADED)
    inputs = [repr(release), qemu.name, *(path.read_text() for path in (*files, *recipe))]
    return UserLand(make_once(f"{release.suite}-{release.machine}", inputs, make), release)


def _describe_processor(root: Path) -> None:
    """Copy what the kernel says of this machine's."""
    for file in ("proc/cpuinfo", f"{PROCESSORS}/possible", f"{PROCESSORS}/present"):
        (root / file).write_text((Path("/") / file).read_text())


def _emulate(root: Path, qemu: Path) -> None:
    """Bring in the emulator, and what fills its gaps."""
    shutil.copy(qemu / "qemu-aarch64", root / "usr/bin")
    run_program("aarch64-linux-gnu-gcc", "-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC",
                "-o", root / LIBRARY, *PRELOADED)  # fmt: skip


def _complete(root: Path) -> None:
    """Make what scripts of the packages, or a running kernel, would have made."""
    for name in ("bin", "lib", "sbin"):
        if not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    for name in ("dev", "opt", "proc", "tmp"):
        (root / name).mkdir(exist_ok=True)
    (root / "dev/null").touch()
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    # Without these, the runtimes do not recognize the processor, and leave out kernels made for it.
    processors = root / PROCESSORS
    processors.mkdir(parents=True)
    for name in ("possible", "present"):
        (processors / name).write_text("0-3\n")
    heap = root / DMA_HEAP
    heap.parent.mkdir(parents=True)
    heap.touch()
