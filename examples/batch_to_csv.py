"""Read a folder of pictures with several threads, and write one line of CSV for each row of digits.

python examples/batch_to_csv.py scans > numbers.csv
"""

import csv
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import edge_mnist as em

reader = em.Reader()  # all threads share it


def read_picture(path: Path) -> list[tuple[str, int, str, float | str]]:
    """Return a line for each row: file, number of the row, digits, and the least confidence among them."""
    try:
        reading = reader.read(path)
    except em.EdgeMnistError as error:
        return [(path.name, 0, "", str(error))]
    digits = iter(reading.digits)
    return [
        (path.name, number, row, min(next(digits).confidence for _ in row))
        for number, row in enumerate(reading.rows, start=1)
    ]


def main() -> None:
    """Read all files of the folder, in the order of their names."""
    table = csv.writer(sys.stdout)
    table.writerow(["file", "row", "digits", "least_confidence"])
    with ThreadPoolExecutor() as threads:
        for rows in threads.map(read_picture, sorted(Path(sys.argv[1]).iterdir())):
            table.writerows(rows)


if __name__ == "__main__":
    main()
