"""Fail a build if a model's int8 file lost accuracy, or became much slower, since the last accepted run.

python examples/benchmark_in_ci.py my-model accepted.json    (the first run writes accepted.json; commit it)
"""

import json
import sys
from pathlib import Path

import edge_mnist as em

MOST_DROP_PP = 0.1
# Machines of a build service differ; a change of this factor is the model's.
MOST_SLOWDOWN = 2.0


def main() -> None:
    """Measure, compare with the accepted figures, and exit with 1 if they are worse."""
    bundle, accepted_path = sys.argv[1], Path(sys.argv[2])
    results = em.benchmark(bundle, quick=True, runtimes=["litert"])
    row = next(row for row in results.rows if row.precision == "int8")
    if row.accuracy is None or row.latency is None:
        sys.exit(f"{row.file} was not measured: {row.unavailable}")
    found = {"accuracy": row.accuracy.share, "latency_us": row.latency.p50}
    if not accepted_path.exists():
        accepted_path.write_text(json.dumps(found, indent=2))
    accepted = json.loads(accepted_path.read_text())
    drop_pp = 100 * (accepted["accuracy"] - found["accuracy"])
    slowdown = found["latency_us"] / accepted["latency_us"]
    print(f"{row.file}: {100 * found['accuracy']:.2f} % ({drop_pp:+.2f} points lost), {slowdown:.2f} times the latency")
    if drop_pp > MOST_DROP_PP or slowdown > MOST_SLOWDOWN:
        sys.exit("worse than accepted")


if __name__ == "__main__":
    main()
