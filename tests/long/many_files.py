"""What `run --jobs` costs and survives: `python -m tests.long.many_files draw|rate|memory|kills|ray|python FOLDER`.

draw    draws 20,000 rows of digits into a folder, for the others.
rate    reads a folder of pictures in blocks, with one process and with two in turn, and prints pictures a second and
        processor time. On a machine that does other work, only the processor time means something.
memory  reads a folder of many small files, made if it is empty, and prints by how much the parent's memory grew.
ray     reads a folder on a Ray cluster of this machine and on two processes, and prints the times of both.
python  reads a folder by `Reader`, by `BatchReader`, from threads and through FastAPI, within one process.
kills   kills a run at random points, resumes it each time, and compares the result with an uninterrupted one.
"""

import argparse
import asyncio
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import uvicorn
from fastapi import FastAPI, Request
from PIL import Image

from edge_mnist import BatchReader, Reader
from edge_mnist.benchmarks.scenes.pages import PagePen, draw_page
from edge_mnist.edge.common.terminal.output import echo

EAGER = "import sys; sys.argv[0] = 'edge-mnist'; import edge_mnist.edge.reading.bulk.parts as parts; {} " \
    "from edge_mnist.cli import main; main()"  # fmt: skip
BLOCKS = 4
# To one file, on ext4.
MOST_LINKS = 60_000


def command(*words: object, patch: str = "") -> list[str]:
    """The command line of `edge-mnist run`."""
    return [sys.executable, "-c", EAGER.format(patch), "run", *map(str, words)]


def measure_rate(folder: Path) -> int:
    """Read blocks of the folder with one process and two, in turn."""
    names = sorted(str(path) for path in folder.iterdir())
    block = len(names) // BLOCKS
    spent: dict[str, list[tuple[float, float]]] = {"1": [], "2": []}
    with tempfile.TemporaryDirectory() as scratch:
        for i in range(BLOCKS):
            listed = Path(scratch) / "list"
            listed.write_text("\n".join(names[i * block : (i + 1) * block]))
            for jobs in ("1", "2") if i % 2 else ("2", "1"):
                out = Path(scratch) / f"{i}-{jobs}.jsonl"
                before, begun_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
                subprocess.run(command("--files-from", listed, "--jobs", jobs, "--out", out, "--resume"), check=True,
                               stderr=subprocess.DEVNULL)  # fmt: skip
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                spent[jobs].append((time.monotonic() - begun_s, cpu_s))
                load = os.getloadavg()[0]
                echo(f"{block} pictures, --jobs {jobs}: {spent[jobs][-1][0]:.1f} s, {cpu_s:.1f} s of processor time, "
                     f"load {load:.1f}")  # fmt: skip
    for jobs, times in spent.items():
        wall_s, cpu_s = map(sum, zip(*times, strict=True))
        count = block * BLOCKS
        echo(f"--jobs {jobs}: {count / wall_s:.1f} pictures/s, {1000 * cpu_s / count:.2f} ms of processor time each")
    (wall_1, cpu_1), (wall_2, cpu_2) = (map(sum, zip(*spent[jobs], strict=True)) for jobs in ("1", "2"))
    echo(f"ratio of rates {wall_1 / wall_2:.2f}; ratio of processor time {cpu_2 / cpu_1:.3f}")
    return 0


def measure_memory(folder: Path, count: int) -> int:
    """Read many small files and watch the parent's memory."""
    folder.mkdir(exist_ok=True)
    first = folder / "0000000.png"
    if not first.exists():
        for i in range(count):
            path = folder / f"{i:07d}.png"
            if i % MOST_LINKS == 0:
                first = path
                Image.fromarray(np.full((16, 16), 255, np.uint8)).save(first)
            else:
                path.hardlink_to(first)
    sizes: list[int] = []
    with tempfile.TemporaryDirectory() as scratch:
        process = subprocess.Popen(command(folder, "--jobs", 2, "--out", Path(scratch) / "rows.jsonl"),
                                   stderr=subprocess.DEVNULL)  # fmt: skip
        parts = Path(scratch) / "rows.jsonl.parts"
        while process.poll() is None:
            found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
            if found and any(parts.glob("part-*")):
                sizes.append(int(found[1]))
            time.sleep(0.2)
    first_mb, most_mb = sizes[0] / 1000, max(sizes) / 1000
    echo(f"parent: {first_mb:.1f} MB at its first part, at most {most_mb:.1f} MB over {count:,} files")
    return 0 if most_mb - first_mb <= 20 else 1


def measure_kills(folder: Path, kills: int) -> int:
    """Kill a run at random points, resume it, and compare."""
    chance = random.Random(0)  # noqa: S311 - points in time
    names = sorted(str(path) for path in folder.iterdir())[: 80 * kills]
    with tempfile.TemporaryDirectory() as scratch:
        listed, whole, out = (Path(scratch) / name for name in ("list", "whole.jsonl", "killed.jsonl"))
        listed.write_text("\n".join(names))
        subprocess.run(command("--files-from", listed, "--jobs", 2, "--out", whole), check=True, capture_output=True)
        killed = 0
        patch = "parts.PART_INPUTS = 7;"
        while killed < kills and not out.exists():
            process = subprocess.Popen(
                command("--files-from", listed, "--jobs", 2, "--out", out, "--resume", patch=patch),
                stderr=subprocess.DEVNULL,
            )
            parts = out.with_name(f"{out.name}.parts")
            there = len(list(parts.glob("part-*")))
            goal = there + chance.randrange(0, 6)
            while process.poll() is None and len(list(parts.glob("part-*"))) <= goal:
                time.sleep(0.001)
            time.sleep(chance.random() / 20)
            if process.poll() is None:
                killed += 1
            process.kill()
            process.wait()
        subprocess.run(command("--files-from", listed, "--jobs", 2, "--out", out, "--resume"), check=True,
                       capture_output=True)  # fmt: skip
        equal = sorted(out.read_bytes().splitlines()) == sorted(whole.read_bytes().splitlines())
    echo(f"{killed} kills over {len(names)} pictures: {'equal' if equal else 'DIFFERENT'}, byte for byte, when sorted")
    return 0 if equal else 1


def measure_ray(folder: Path) -> int:
    """Read with two actors and with two processes, in turn."""
    with tempfile.TemporaryDirectory() as scratch:
        for i, engine in enumerate(("ray", "processes", "processes", "ray")):
            out, begun_s = Path(scratch) / f"{i}.jsonl", time.monotonic()
            words = command(folder, "--jobs", 2, "--engine", engine, "--out", out)
            subprocess.run(words, check=True, stderr=subprocess.DEVNULL)
            count = len(out.read_bytes().splitlines())
            echo(f"{engine}: {count} pictures in {time.monotonic() - begun_s:.1f} s, load {os.getloadavg()[0]:.1f}")
    return 0


def measure_python(folder: Path, most: int = 2000) -> int:
    """Read the same pictures in each way, and print rates and processor time."""
    contents = [path.read_bytes() for path in sorted(folder.iterdir())[:most]]
    reader, batch_reader = Reader(), BatchReader()
    with ThreadPoolExecutor(2) as threads:
        ways = {
            "Reader, one picture after the other": lambda: [reader.read(content) for content in contents],
            "BatchReader, batches of 64": lambda: [
                batch_reader({"bytes": contents[i : i + 64]}) for i in range(0, len(contents), 64)
            ],
            "one Reader, two threads": lambda: list(threads.map(reader.read, contents)),
            "FastAPI, eight requests at a time, their client included": lambda: asyncio.run(post_all(reader, contents)),
        }
        for name, work in ways.items():
            begun_s, cpu_s = time.monotonic(), time.process_time()
            work()
            wall_s, cpu_s = time.monotonic() - begun_s, time.process_time() - cpu_s
            each_ms = 1000 * cpu_s / len(contents)
            echo(f"{name}: {len(contents) / wall_s:.0f}/s, {each_ms:.2f} ms of processor time each, "
                 f"load {os.getloadavg()[0]:.1f}")  # fmt: skip
    return 0


async def post_all(reader: Reader, contents: list[bytes]) -> None:
    """Post pictures to a FastAPI service in this process, eight at a time."""
    app = FastAPI()

    @app.post("/read")
    async def read(request: Request) -> dict[str, object]:
        reading = await asyncio.to_thread(reader.read, await request.body())
        return {"rows": reading.rows}

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    left = iter(contents)

    async def post_some(client: httpx.AsyncClient) -> None:
        for content in left:
            (await client.post(f"http://127.0.0.1:{port}/read", content=content)).raise_for_status()

    async with httpx.AsyncClient(timeout=60) as client:
        await asyncio.gather(*(post_some(client) for _ in range(8)))
    server.should_exit = True
    await task


def draw_rows(folder: Path, count: int) -> int:
    """Draw rows of three to six digits, about 300x120 pixels each; always the same pictures."""
    chance = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    for i in range(count):
        row = "".join(map(str, chance.integers(0, 10, chance.integers(3, 7))))
        Image.fromarray(draw_page((row,), seed=i, pen=PagePen(height_px=40, width_px=4))).save(folder / f"{i:05d}.png")
    return 0


def main() -> int:
    """Measure one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["draw", "rate", "memory", "kills", "ray", "python"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, help="files to draw (20,000), or to read for `memory` (200,000)")
    parser.add_argument("--kills", type=int, default=20)
    options = parser.parse_args()
    ways = {
        "draw": lambda: draw_rows(options.folder, options.count or 20_000),
        "rate": lambda: measure_rate(options.folder),
        "memory": lambda: measure_memory(options.folder, options.count or 200_000),
        "kills": lambda: measure_kills(options.folder, options.kills),
        "ray": lambda: measure_ray(options.folder),
        "python": lambda: measure_python(options.folder),
    }
    return ways[options.what]()


if __name__ == "__main__":
    sys.exit(main())
