"""Open the page in a browser without exposing the token in the list of this machine's processes."""

import tempfile
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..common.terminal.output import echo
from ..common.terminal.text import escape_html


@contextmanager
def open_page(url: str) -> Iterator[None]:
    """Open an address in the browser, or report that there is no browser.

    A browser takes its address from the command line, which every user of the machine can read. If the address holds
    a token, the browser therefore opens a file that only this user can read, and that leads there; it is deleted at the
    end of the block.
    """
    # Only this user may enter it.
    with tempfile.TemporaryDirectory(prefix="edge-mnist-") as folder:
        target = url
        if "#" in url:
            file = Path(folder, "open.html")
            file.touch(mode=0o600)
            address = escape_html(url)
            file.write_text(
                f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={address}">'
                f'<title>edge-mnist</title><a href="{address}">edge-mnist</a>\n',
                encoding="utf-8",
            )
            target = file.as_uri()
        if not webbrowser.open(target):
            echo("No browser could be opened: open the address above in a browser.", err=True)
        yield
