"""Where a process that measures finds its job, leaves its answer, and shows that it is still at work: a folder's files.

Not its output: native libraries print what they like. This imports nothing, for it is used in any environment.
"""

from pathlib import Path


class Desk:
    """A folder for one job."""

    def __init__(self, folder: Path) -> None:
        self.job = folder / "job.json"
        self.answer = folder / "answer.json"
        self.logits = folder / "logits.npy"
        self._pulse = folder / "pulse"

    def beat(self) -> None:
        """Show that work goes on. Whoever does not for long is taken to hang."""
        self._pulse.write_bytes(b"")

    def last_beat_ns(self) -> int:
        """When that was, by the file system's clock; 0 if never."""
        return self._pulse.stat().st_mtime_ns if self._pulse.exists() else 0
