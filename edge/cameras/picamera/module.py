"""Load the package picamera2 when it is needed, and explain what to do if it cannot be loaded."""

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ..camera import CameraUnsupportedError

# libcamera lists webcams, too, but offers only one stream of them; they are read through V4L2.
WEBCAM_MARK = "/usb"


@dataclass(frozen=True)
class PicameraModules:
    """The two packages that access a camera; tests replace only these.

    Attributes:
        picamera2: The package picamera2.
        libcamera: The package libcamera, which picamera2 uses.
    """

    picamera2: Any
    libcamera: Any

    def camera_names(self) -> list[str]:
        """Return models of a Raspberry Pi's own cameras, e.g. `imx708`, in the order of their numbers; no webcams.

        Raises:
            RuntimeError: libcamera cannot list them.
        """
        found = self.picamera2.Picamera2.global_camera_info()
        return [str(info.get("Model", info["Id"])) for info in found if WEBCAM_MARK not in info["Id"]]


def load_picamera2() -> PicameraModules:
    """Import picamera2 and libcamera.

    Raises:
        CameraUnsupportedError: They are not installed, or do not fit this environment.
    """
    try:
        return PicameraModules(_load("picamera2"), _load("libcamera"))
    except ModuleNotFoundError as error:
        raise CameraUnsupportedError(f"picamera2 cannot be used: {_explain_missing(error.name or 'it')}") from error
    # ValueError: raised by extensions that were built for another NumPy.
    except (ImportError, ValueError) as error:
        raise CameraUnsupportedError(
            f"picamera2 cannot be used: it is not compatible with this environment ({error}). `edge-mnist doctor` "
            "shows the command that fixes this."
        ) from error


def _load(name: str) -> ModuleType:
    return importlib.import_module(name)


def _explain_missing(module: str) -> str:
    install = "sudo apt install -y python3-picamera2"
    if sys.prefix == sys.base_prefix:
        return f"there is no module {module}. Install it: {install}"
    config = Path(sys.prefix) / "pyvenv.cfg"
    if config.exists() and "include-system-site-packages = true" in config.read_text(encoding="utf-8").lower():
        return f"there is no module {module}, neither here nor among the system's packages. Install it: {install}"
    return (
        f"there is no module {module} in this virtual environment, which does not see the system's packages. On a "
        f"Raspberry Pi, `edge-mnist pi-setup --yes` makes them visible; if the system has none: {install}"
    )
