"""Print the figures of 0015: JPEGs accepted although they lost bytes, and the memory to decode each format.

python docs/decisions/measure_limits.py
"""

import io
import subprocess
import sys

import numpy as np
from PIL import Image

from edge_mnist.benchmarks.scenes.pages import draw_page
from edge_mnist.edge.media.jpeg import DamagedJpegError, decode_jpeg
from edge_mnist.edge.reading.reader import Reader

TRIALS, QUALITIES, LOST_BYTES = 200, (60, 85, 95), (1, 4, 16, 100, 2000)
SIDE, MOST_PIXELS = 3600, 50_000_000
ROWS = ("31415926", "2718")
# In a process of its own, so that its peak is this picture's alone.
PEAK = """
import re, sys
from pathlib import Path
from edge_mnist.edge.media.pictures import read_gray

def peak_mb():
    return int(re.findall(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[0]) / 1000

content = sys.stdin.buffer.read()
before = peak_mb()
read_gray(content, "picture")
print(peak_mb() - before)
"""


def lose_bytes(reader: Reader, lost: int, quality: int) -> tuple[int, int]:
    """Count JPEGs, of TRIALS with this many bytes missing in a row, that pass as whole, and that read differently."""
    file = io.BytesIO()
    Image.fromarray(draw_page(ROWS, seed=1)).save(file, "JPEG", quality=quality)
    whole, random = file.getvalue(), np.random.default_rng(0)
    expected = reader.read(decode_jpeg(whole, "GRAY", MOST_PIXELS)).rows
    # Behind the header of the scan.
    first = whole.index(b"\xff\xda") + 12
    passed = otherwise = 0
    for at in random.integers(first, len(whole) - lost - 2, TRIALS).tolist():
        try:
            gray = decode_jpeg(whole[:at] + whole[at + lost :], "GRAY", MOST_PIXELS)
        except DamagedJpegError:
            continue
        passed += 1
        otherwise += reader.read(gray).rows != expected
    return passed, otherwise


def measure_peak_mb(file_format: str) -> float:
    """Memory that a colour picture of SIDE x SIDE pixels adds to the process that reads it, MB."""
    page = np.tile(draw_page(ROWS, seed=1), (20, 20))[:SIDE, :SIDE]
    file = io.BytesIO()
    Image.fromarray(page).convert("RGB").save(file, file_format)
    done = subprocess.run(  # noqa: S603 - this Python
        [sys.executable, "-c", PEAK], input=file.getvalue(), capture_output=True, check=True
    )
    return float(done.stdout)


def main() -> None:
    """Print both tables."""
    reader = Reader()
    for lost in LOST_BYTES:
        for quality in QUALITIES:
            passed, otherwise = lose_bytes(reader, lost, quality)
            print(f"{lost:5} bytes lost, quality {quality}: {passed} of {TRIALS} pass, {otherwise} are read otherwise")
    for file_format in ("PNG", "JPEG", "WEBP", "AVIF", "JPEG2000"):
        print(f"{file_format:9} {SIDE}x{SIDE}: {measure_peak_mb(file_format):.0f} MB")


if __name__ == "__main__":
    main()
