"""Run `edge-mnist run` over folders of damaged files, and measure what it does with each.

    python -m tests.long.fuzz_run --count 10000 --seed 1

A file fails when the command crashes on it, says anything but one reading or one error, takes longer than LONGEST_S, or
more memory than MOST_MB. Files that fail are kept, and the exit code is 1.
"""

import argparse
import contextlib
import json
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from tests.builders.fuzz_pictures import make_case, make_originals

LONGEST_S = 5.0
MOST_MB = 1000
# Loading the model, on a machine that is busy.
LONGEST_START_S = 60.0
FILES_PER_PROCESS = 250
PEAK, ERROR, ENDED = "PEAK ", "Error: ", "ended"
FIRST = "+first.png"
# Linux alone says afterwards how much memory a process ever had.
COMMAND = """
from edge_mnist.cli import main
try:
    main()
finally:
    with open("/proc/self/status") as status:
        print("PEAK", next(line.split()[1] for line in status if line.startswith("VmHWM")), flush=True)
"""


@dataclass
class Findings:
    """What came of it.

    Attributes:
        read: Files with at least one reading.
        refused: Files with an error.
        failures: What should not have happened, with the file's name.
    """

    count: int = 0
    read: int = 0
    refused: int = 0
    longest_s: float = 0.0
    longest_name: str = ""
    peak_mb: float = 0.0
    failures: list[str] = field(default_factory=list)


def fuzz(count: int, seed: int, kept: Path) -> Findings:
    """Read `count` damaged files, many in one process; copies of those that fail go to `kept`."""
    findings = Findings(count)
    for start in range(0, count, FILES_PER_PROCESS):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            # In front of all others: how long it takes to load the model is not this file's fault.
            (folder / FIRST).write_bytes(dict(make_originals())[".png"])
            for number in range(start, min(start + FILES_PER_PROCESS, count)):
                suffix, content = make_case(seed, number)
                (folder / f"{number:06d}{suffix}").write_bytes(content)
            failed = _read_folder(folder, findings)
            for path in (folder / name for name in failed):
                kept.mkdir(parents=True, exist_ok=True)
                (kept / path.name).write_bytes(path.read_bytes())
    return findings


def _read_folder(folder: Path, findings: Findings) -> set[str]:
    """Run the command over a folder, add to the findings, and name the files that failed."""
    names = sorted(path.name for path in folder.iterdir())
    answers: dict[str, list[str]] = {name: [] for name in names}
    spent_s = dict.fromkeys(names, 0.0)
    failed: dict[str, str] = {}
    for elapsed_s, line in _run(folder):
        name = _name_in(line)
        if line.startswith(PEAK):
            findings.peak_mb = max(findings.peak_mb, int(line.removeprefix(PEAK)) / 1024)
        elif name in answers and not line.startswith(ENDED):
            answers[name].append(line)
            spent_s[name] += elapsed_s
        else:
            # It belongs to the first file without an answer, as far as one can tell.
            culprit = next((name for name in names if not answers[name]), names[-1])
            failed.setdefault(culprit, line.strip())
    failed |= {name: f"took {spent:.1f} s" for name, spent in spent_s.items() if spent > LONGEST_S and name != FIRST}
    failed |= {name: "no answer" for name in names if not answers[name] and name not in failed}
    _add(findings, answers, spent_s, failed)
    return set(failed)


def _add(findings: Findings, answers: dict[str, list[str]], spent_s: dict[str, float], failed: dict[str, str]) -> None:
    del answers[FIRST], spent_s[FIRST]
    findings.read += sum(any(line.startswith("{") for line in lines) for lines in answers.values())
    findings.refused += sum(any(line.startswith(ERROR) for line in lines) for lines in answers.values())
    slowest = max(spent_s, key=lambda name: spent_s[name])
    if spent_s[slowest] > findings.longest_s:
        findings.longest_s, findings.longest_name = spent_s[slowest], slowest
    findings.failures += [f"{name}: {reason}" for name, reason in failed.items()]
    if findings.peak_mb > MOST_MB:
        findings.failures.append(f"{min(answers)} or one after it: the process took {findings.peak_mb:.0f} MB")


def _name_in(line: str) -> str:
    """The file that a line of output is about."""
    if line.startswith("{"):
        return Path(json.loads(line)["source"]).name
    return Path(line.removeprefix(ERROR).partition(": ")[0]).name if line.startswith(ERROR) else ""


def _run(folder: Path) -> Iterator[tuple[float, str]]:
    """Everything that the command prints, each line with the seconds since the last; how it ended, if not well."""
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "run", folder, "--json", "-q"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    lines: queue.Queue[tuple[float, str]] = queue.Queue()
    output = cast("IO[str]", process.stdout)
    listener = threading.Thread(target=_listen, args=(output, lines), daemon=True)
    listener.start()
    limit_s, last = LONGEST_START_S, time.perf_counter()
    with contextlib.suppress(queue.Empty):
        while True:
            now, line = lines.get(timeout=limit_s)
            if not line:
                break
            yield now - last, line
            limit_s, last = 2 * LONGEST_S, now
    hung = process.poll() is None and listener.is_alive()
    process.kill()
    code = process.wait()
    listener.join()
    output.close()
    if hung or code not in {0, 1}:
        yield 0.0, f"{ENDED} {'by the watchdog' if hung else code}"


def _listen(output: IO[str], lines: "queue.Queue[tuple[float, str]]") -> None:
    """Pass on lines with the time of their coming; an empty one is the end."""
    for line in output:
        lines.put((time.perf_counter(), line))
    lines.put((time.perf_counter(), ""))


def main() -> int:
    """Fuzz and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000, help="files")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="folder for files that fail")
    arguments = parser.parse_args()
    findings = fuzz(arguments.count, arguments.seed, arguments.keep)
    sys.stdout.write(
        f"{findings.count} files: {findings.read} read, {findings.refused} refused, {len(findings.failures)} failed; "
        f"longest {findings.longest_s:.2f} s ({findings.longest_name}), peak memory {findings.peak_mb:.0f} MB\n"
        + "".join(f"{failure}\n" for failure in findings.failures)
    )
    return int(bool(findings.failures))


if __name__ == "__main__":
    raise SystemExit(main())
