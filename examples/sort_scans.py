"""Copy scans into a folder for each number that is written on them.

python examples/sort_scans.py scans sorted
"""

import argparse
import shutil
from pathlib import Path

import edge_mnist as em

# Below this confidence of its least certain digit, a number is for a person to read.
LEAST_CONFIDENCE = 0.8


def main() -> None:
    """Read every file of the folder; the first row of digits is the number."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scans", type=Path)
    parser.add_argument("sorted", type=Path)
    folders = parser.parse_args()
    reader = em.Reader()
    for scan in sorted(folders.scans.iterdir()):
        try:
            reading = reader.read(scan)
        except em.EdgeMnistError as error:
            print(f"left out: {error}")
            continue
        number = reading.rows[0] if reading.rows else "nothing"
        sure = min((digit.confidence for digit in reading.digits), default=1.0)
        folder = folders.sorted / (number if sure >= LEAST_CONFIDENCE else "unsure")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy2(scan, folder)
        print(f"{scan.name}: {folder.name}")


if __name__ == "__main__":
    main()
