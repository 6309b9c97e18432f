"""Virtual environments: whether one sees the system's packages, among them the camera's, and how to let it."""

import re
from dataclasses import dataclass
from pathlib import Path

SETTING = "include-system-site-packages"


@dataclass(frozen=True)
class Venv:
    """What a pyvenv.cfg says.

    Attributes:
        config: That file.
        home: Folder of the Python that it was made with.
        sees_system: Whether that Python's own packages are visible inside.
    """

    config: Path
    home: str
    sees_system: bool

    @property
    def is_of_system_python(self) -> bool:
        """Whether Debian's packages are that Python's; those of pyenv, uv or conda have their own."""
        return self.home in {"/usr/bin", "/bin"}


def read_venv(prefix: Path) -> Venv | None:
    """The virtual environment at this prefix; None if it is none."""
    config = prefix / "pyvenv.cfg"
    try:
        lines = config.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    pairs = (line.partition("=") for line in lines)
    settings = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Venv(config, settings.get("home", ""), settings.get(SETTING, "").lower() == "true")


def let_see_system(text: str) -> str:
    """The same pyvenv.cfg with the system's packages visible; all other lines stay as they are."""
    line = f"{SETTING} = true"
    changed, count = re.subn(rf"(?im)^[ \t]*{SETTING}[ \t]*=.*$", line, text)
    return changed if count else f"{text.rstrip()}\n{line}\n"
