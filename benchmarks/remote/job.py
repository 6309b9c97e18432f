"""The job for another machine, packed for the transfer: the program there unpacks it, and packs its results.

Run there as `python -m edge_mnist.benchmarks.remote.job FOLDER RESULT` by `driver.py`. The images are sent with the
bundle, so that every machine evaluates the same images, whatever data it has.
"""

import io
import sys
from pathlib import Path

import msgspec
import numpy as np

from ...edge.bundle.card import CARD_NAME, encode_card
from ...edge.bundle.folder import Bundle, open_bundle
from ...edge.common.errors import EdgeMnistError
from ...edge.data.held_out import HeldOut
from ...edge.data.images import Images
from ..measuring.run import run_benchmark
from ..results.schema import BenchmarkSettings

BUNDLE, IMAGES, ORDER = "bundle", "images.npz", "order.json"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The settings, and the images to measure on; whether the model is known not to have been trained on them."""

    settings: BenchmarkSettings
    images: str
    source: str
    certain: bool


def pack_job(bundle: Bundle, images: Images, is_certain: bool, settings: BenchmarkSettings) -> dict[str, bytes]:
    """Pack the files by which another machine measures a bundle on these images: content by name."""
    order = Order(settings=settings, images=images.name, source=images.source, certain=is_certain)
    arrays = io.BytesIO()
    np.savez_compressed(arrays, pixels=images.pixels, labels=images.labels, indices=images.indices)
    files = {f"{BUNDLE}/{record.name}": bundle.read(record) for record in bundle.card.records()}
    card = encode_card(bundle.card)
    return {ORDER: msgspec.json.encode(order), IMAGES: arrays.getvalue(), f"{BUNDLE}/{CARD_NAME}": card, **files}


def measure_order(folder: Path) -> bytes:
    """Measure the job in a folder; return the results as JSON.

    Raises:
        ModelCardError: The bundle is damaged, or lacks the reference for these images.
    """
    order = msgspec.json.decode((folder / ORDER).read_bytes(), type=Order)
    with np.load(folder / IMAGES, allow_pickle=False) as arrays:
        images = Images(order.images, order.source, arrays["pixels"], arrays["labels"], arrays["indices"])
    none = images.take(np.empty(0, np.int64))
    held_out = HeldOut(none, none, (images,), order.certain)
    return msgspec.json.encode(run_benchmark(open_bundle(folder / BUNDLE), held_out, order.settings))


def main() -> None:
    """Measure, and write the results into the same folder."""
    folder = Path(sys.argv[1])
    try:
        (folder / sys.argv[2]).write_bytes(measure_order(folder))
    except EdgeMnistError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
