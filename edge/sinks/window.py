"""A window that shows one picture after the other, by the tkinter that is shipped with most Pythons.

The headless OpenCV that the package depends on has no windows, and the one that has them depends on all of Qt.
"""

import time
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..common.errors import EdgeMnistError
from ..common.terminal.text import one_line

# Share of the screen that a picture may fill: title bars and panels need the rest.
SCREEN_SHARE = 0.85
# Seconds between checks of the keyboard: too short to notice, too long to cost processor time.
POLL_S = 0.02
QUIT_KEYS = frozenset({"q", "Q", "Escape"})
# Keys pressed together with others, or on the way to another window: they do not mean to go on.
MODIFIERS = ("Alt", "Caps", "Control", "ISO", "Meta", "Num", "Shift", "Super")


class Window:
    """One window for all pictures. Any key shows the next picture; q, Escape and closing the window quit.

    It belongs to the thread that opened it: Tk ends the process when another one drops the last reference.
    """

    def __init__(self, instead: str = "--annotate FOLDER") -> None:
        """Open the window, hidden until there is a picture.

        Args:
            instead: Option that also shows the results if there is no window.

        Raises:
            EdgeMnistError: There is no display, or Python has no tkinter.
        """
        # Loaded here, because a board without a display rarely has it.
        try:
            import tkinter  # noqa: PLC0415

            from PIL import ImageTk  # noqa: PLC0415
        except ImportError as error:
            raise EdgeMnistError(
                f"--show needs tkinter, and this Python has none: sudo apt install python3-tk, or use {instead}."
            ) from error
        try:
            self._root = tkinter.Tk(className="edge-mnist")
        except tkinter.TclError as error:
            raise EdgeMnistError(f"--show needs a display ({error}). Use {instead} instead.") from error
        self._root.withdraw()
        self._make_photo = ImageTk.PhotoImage
        self._label = tkinter.Label(self._root, borderwidth=0)
        self._label.pack()
        self._answer: bool | None = None
        self._photo: object = None
        self._root.bind("<Key>", lambda event: self._press(event.keysym))
        self._root.protocol("WM_DELETE_WINDOW", lambda: self._press("q"))

    def show(self, pixels: NDArray[np.uint8], title: str) -> bool:
        """Show a picture, shrunk to fit the screen, until a key is pressed.

        Args:
            pixels: Picture to show, uint8 [height, width, 3], RGB.
            title: Title of the window.

        Returns:
            Whether to go on; False after q, Escape, or closing the window.
        """
        self.display(pixels, title)
        self._answer = None
        # Tk's own waiting would delay Ctrl-C in the terminal until something happens in the window.
        while self._answer is None:
            self._root.update()
            time.sleep(POLL_S)
        return self._answer

    def display(self, pixels: NDArray[np.uint8], title: str) -> None:
        """Put a picture, uint8 [height, width, 3], RGB, into the window, shrunk to fit the screen."""
        picture = Image.fromarray(pixels)
        # Pillow's thumbnail never enlarges.
        picture.thumbnail(
            (int(SCREEN_SHARE * self._root.winfo_screenwidth()), int(SCREEN_SHARE * self._root.winfo_screenheight()))
        )
        # Kept, because Tk does not: it shows nothing of a picture that Python has freed.
        self._photo = self._make_photo(picture, master=self._root)
        self._label.configure(image=self._photo)
        self._root.title(one_line(title))
        self._root.deiconify()

    def is_wanted(self) -> bool:
        """Process keys and the mouse, and return whether the user has not quit yet."""
        self._root.update()
        return self._answer is not False

    def _press(self, key: str) -> None:
        if not key.startswith(MODIFIERS) and self._answer is not False:
            self._answer = key not in QUIT_KEYS

    def close(self) -> None:
        """Close the window."""
        self._root.destroy()

    def __enter__(self) -> "Window":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
