"""Many clients at once: `python -m tests.long.web_load --clients 50 --seconds 60`.

Starts `edge-mnist serve`, lets each client read the same small picture again and again over one connection, and says
how long that took. All come from one address, so the rate limit is off (`--rate 0`); it is there against this.
"""

import http.client
import json
import re
import statistics
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import click

from tests.stand_ins.web_server import PATIENCE_S, PNG, draw_digits, serving_process


@dataclass
class Load:
    """What the clients saw.

    Attributes:
        latencies_ms: Of each answer.
        errors: What went wrong, in words.
        most_waiting: Pictures that waited or were read at a time, as sampled.
        rss_mb: Of the server, as sampled.
    """

    latencies_ms: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    most_waiting: int = 0
    rss_mb: list[float] = field(default_factory=list)

    def percentile(self, percent: int) -> float:
        """In milliseconds."""
        return statistics.quantiles(self.latencies_ms, n=100)[percent - 1]


def run_load(clients: int, seconds: float, *options: str) -> Load:
    """Run the clients against a server of their own."""
    load, picture, expected = Load(), draw_digits(), ["274"]
    with serving_process("--rate", "0", *options) as (_, server):
        end_s = time.monotonic() + seconds

        def read_again_and_again() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
            try:
                while time.monotonic() < end_s:
                    asked_s = time.perf_counter()
                    connection.request("POST", "/v1/read", picture, PNG)
                    answer = connection.getresponse()
                    body = answer.read()
                    load.latencies_ms.append(1000 * (time.perf_counter() - asked_s))
                    if answer.status != 200 or json.loads(body)["rows"] != expected:
                        load.errors.append(f"{answer.status} {body.decode(errors='replace')}")
            except (OSError, http.client.HTTPException, ValueError) as error:
                load.errors.append(repr(error))
            finally:
                connection.close()

        threads = [threading.Thread(target=read_again_and_again) for _ in range(clients)]
        for thread in threads:
            thread.start()
        while time.monotonic() < end_s:
            load.rss_mb.append(_measure_rss_mb(server.pid))
            load.most_waiting = max(load.most_waiting, _count_waiting(server.port))
            time.sleep(min(0.5, seconds / 10))
        for thread in threads:
            thread.join()
        load.rss_mb.append(_measure_rss_mb(server.pid))
    return load


def _measure_rss_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1000


def _count_waiting(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    return int(float(re.findall(r"^edge_mnist_waiting_pictures (\S+)", text, re.MULTILINE)[0]))


@click.command()
@click.option("--clients", type=click.IntRange(min=1), default=50, show_default=True, help="At the same time.")
@click.option("--seconds", type=click.FloatRange(min=1), default=60.0, show_default=True, help="How long.")
def main(clients: int, seconds: float) -> None:
    """Say how the server takes it."""
    load = run_load(clients, seconds)
    third = load.rss_mb[len(load.rss_mb) // 3]
    click.echo(
        f"{clients} clients, {seconds:g} s: {len(load.latencies_ms)} answers, {len(load.latencies_ms) / seconds:.0f} a "
        f"second, {len(load.errors)} errors; p50 {load.percentile(50):.1f} ms, p95 {load.percentile(95):.1f} ms, p99 "
        f"{load.percentile(99):.1f} ms; at most {load.most_waiting} waiting; RSS {third:.0f} MB after a third, "
        f"{load.rss_mb[-1]:.0f} MB at the end, {max(load.rss_mb):.0f} MB at most"
    )
    for error in sorted(set(load.errors))[:10]:
        click.echo(f"  {error}")


if __name__ == "__main__":
    main()
