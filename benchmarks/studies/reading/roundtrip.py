"""There and back: MNIST's digits are put on paper, found and framed again. What does the way cost in accuracy?

Each image is classified three times: as MNIST has it; framed from its own ink in a frame, so that finding has no say;
and by the reader from the whole frame, where anything but exactly this one digit is wrong.

Version history of the schema:
    1  First version.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from ....edge.bundle.contract import ImageSet, Precision
from ....edge.bundle.folder import open_bundle
from ....edge.bundle.shipped import SHIPPED
from ....edge.common.machine import Host, describe_host
from ....edge.common.terminal.progress import ProgressBar
from ....edge.data.held_out import HeldOut
from ....edge.data.images import Images
from ....edge.reading.framing import frame_digit
from ....edge.reading.reader import Reader
from ....edge.runtimes.loading import load_classifier
from .placed_digits import Change, place_digit

SCHEMA_VERSION = 1
# Heights of the pasted digits by the first of each band, pixels. Thinning takes some just below the first.
BANDS = {20: "below 40 px", 40: "40 to 79 px", 80: "80 to 159 px", 160: "160 px and more"}
PAPERS = {"dark on light": False, "light on dark": True}

Classify = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


class RoundtripSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of the measurement.

    Attributes:
        runtime: Name of the runtime; None for the first one installed.
        count: Number of placed digits; every evaluation image is used before one is repeated.
        seed: Seed of the choice, places and changes.
    """

    runtime: str | None = None
    precision: Precision = "int8"
    count: int = 10_000
    seed: int = 1


class RoundTrip(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The results of one image; a list in JSON, since there are thousands.

    Attributes:
        image: Index among the evaluation images.
        label: The true digit.
        height_px: Height of its ink in the frame, in pixels.
        bare: The model's reading of the MNIST image.
        framed: The model's reading of the image framed from its ink in the frame.
        rows: The reader's reading of the frame.
    """

    image: int
    label: int
    height_px: int
    change: Change
    light_on_dark: bool
    bare: int
    framed: int
    rows: tuple[str, ...]


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of images that are read correctly.

    Attributes:
        count: Number of images.
        bare: Number of correct MNIST images, the denominator of both shares.
        framed: Number of correct images when framed from their ink in the frame.
        read: Number of frames in which the reader found exactly one digit, the right one.
        read_nothing: Number of frames in which it found no digit.
        read_several: Number of frames in which it found more than one.
    """

    count: int
    bare: int
    framed: int
    read: int
    read_nothing: int
    read_several: int

    @property
    def framed_share(self) -> float | None:
        """Accuracy when framed, as a share of the bare one; None if that is 0."""
        return self.framed / self.bare if self.bare else None

    @property
    def read_share(self) -> float | None:
        """Accuracy when read, as a share of the bare one; None if that is 0."""
        return self.read / self.bare if self.bare else None


class Roundtrip(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run and its conditions. `groups` has tallies of the same images, sorted in three ways."""

    schema_version: int = SCHEMA_VERSION
    edge_mnist: str
    name: str
    card_sha256: str
    runtime: str
    runtime_version: str
    settings: RoundtripSettings
    images: ImageSet
    held_out: bool
    started: str
    host: Host
    total: Tally
    groups: dict[str, dict[str, Tally]]
    trips: tuple[RoundTrip, ...]


def run_roundtrip(held_out: HeldOut, bundle: Path = SHIPPED, settings: RoundtripSettings | None = None) -> Roundtrip:
    """Place evaluation images on paper, and read them again.

    Args:
        held_out: Evaluation sets, of which the first is used.
        bundle: A bundle's folder.
        settings: The settings of the measurement.

    Raises:
        ModelCardError: The bundle is damaged, or has no file of this format and precision.
        RuntimeUnavailableError: The runtime is not installed or cannot run the file.
    """
    settings = settings or RoundtripSettings()
    opened, images = open_bundle(bundle), held_out.evaluations[0]
    reader = Reader(bundle, settings.runtime, settings.precision)
    classify = load_classifier(opened, reader.runtime, settings.precision).logits
    started = datetime.now(UTC).isoformat(timespec="seconds")
    trips = run_trips(images, reader, classify, settings)
    return Roundtrip(
        edge_mnist=version("edge-mnist"),
        name=opened.card.name,
        card_sha256=opened.card_sha256,
        runtime=reader.runtime.name,
        runtime_version=reader.runtime.version,
        settings=settings,
        images=images.describe(),
        held_out=held_out.certain,
        started=started,
        host=describe_host(),
        total=count_trips(trips),
        groups=group_trips(trips),
        trips=trips,
    )


def run_trips(images: Images, reader: Reader, classify: Classify, settings: RoundtripSettings) -> tuple[RoundTrip, ...]:
    """Place, frame and read images; each has its own seed, so that any can be repeated alone."""
    order = np.random.default_rng(settings.seed).permutation(len(images))
    bare = classify(images.pixels).argmax(axis=1)
    trips: list[RoundTrip] = []
    for i, image in enumerate(ProgressBar(np.resize(order, settings.count), unit="digit")):
        paste = place_digit(images.pixels[image], np.random.default_rng((settings.seed, i)))
        trips.append(
            RoundTrip(
                image=int(image),
                label=int(images.labels[image]),
                height_px=paste.box.height,
                change=paste.change,
                light_on_dark=paste.light_on_dark,
                bare=int(bare[image]),
                framed=int(classify(frame_digit(paste.ink)[None]).argmax()),
                rows=reader.read(paste.frame).rows,
            )
        )
    return tuple(trips)


def count_trips(trips: Iterable[RoundTrip]) -> Tally:
    """Count the outcomes of trips."""
    counted = list(trips)
    return Tally(
        count=len(counted),
        bare=sum(trip.bare == trip.label for trip in counted),
        framed=sum(trip.framed == trip.label for trip in counted),
        read=sum(trip.rows == (str(trip.label),) for trip in counted),
        read_nothing=sum(not trip.rows for trip in counted),
        read_several=sum(len("".join(trip.rows)) > 1 for trip in counted),
    )


def group_trips(trips: Sequence[RoundTrip]) -> dict[str, dict[str, Tally]]:
    """Tally the same images by the height of their ink, by the change of the strokes, and by the paper."""
    return {
        "height": {name: count_trips(t for t in trips if _band(t.height_px) == name) for name in BANDS.values()},
        "change of strokes": {
            change: count_trips(t for t in trips if t.change == change) for change in get_args(Change)
        },
        "paper": {name: count_trips(t for t in trips if t.light_on_dark == light) for name, light in PAPERS.items()},
    }


def _band(height_px: int) -> str:
    """Return the highest band that starts at or below this height; smaller digits belong to the first."""
    return BANDS[max((start for start in BANDS if start <= height_px), default=min(BANDS))]
