"""Does a model recognize non-digits, and can its confidence in digits be trusted? Every file on every runtime here.

Digits are the evaluation images; the user supplies non-digits. Both are scored as they are, and again framed as the
reader frames the shapes that it finds. That is harder: a cropped, scaled and centred shape looks more like a digit.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

import cv2
import numpy as np
from numpy.typing import NDArray

from ....edge.bundle.contract import ImageSet
from ....edge.bundle.export_record import Abstention, ModelFile
from ....edge.bundle.folder import Bundle
from ....edge.common.errors import RuntimeUnavailableError
from ....edge.common.machine import describe_host
from ....edge.common.terminal.progress import ProgressBar
from ....edge.data.datasets import SAMPLE, SAMPLE_SHA256
from ....edge.data.held_out import HeldOut
from ....edge.data.images import Images
from ....edge.reading.framing import FAINTEST, frame_digit
from ....edge.runtimes.abstention import accepted, estimate_class_probability, score_digits
from ....edge.runtimes.classifiers import LoadedModel
from ....edge.runtimes.loading import load_classifier
from ....edge.runtimes.registry import RUNTIMES, Runtime
from ...statistics.selective import measure_auroc, measure_calibration_error, thin_out, trace_risk
from .abstention_results import AbstentionResults, AbstentionRow, Figures, Histogram, Separation
from .non_digits import NonDigits

HISTOGRAM_BINS = 60
# Coverage between points of the stored curves: half a percent of the digits.
CURVE_STEP = 0.005


def run_abstention(bundle: Bundle, held_out: HeldOut, others: NonDigits) -> AbstentionResults:
    """Score digits and non-digits with every file of the bundle on every runtime here.

    Raises:
        ModelCardError: The bundle is damaged, or holds no exported files.
    """
    digits, abstention = held_out.evaluations[0], bundle.export.abstention
    started = datetime.now(UTC).isoformat(timespec="seconds")
    images = _make_variants(digits, others)
    with ProgressBar(_list_targets(bundle), unit="file") as bar:
        logits = [(target, _classify(bundle, target, images)) for target in bar]
    return AbstentionResults(
        edge_mnist=version("edge-mnist"),
        name=bundle.card.name,
        card_sha256=bundle.card_sha256,
        abstention=abstention,
        digits=digits.describe(),
        held_out=held_out.certain,
        chosen_on_them=digits.source == SAMPLE and abstention.validation.sha256 == SAMPLE_SHA256,
        others=ImageSet(name=others.name, source=others.name, count=len(others.pixels), sha256=others.sha256),
        started=started,
        host=describe_host(),
        rows=tuple(_make_rows(logits, digits.labels, abstention)),
    )


@dataclass
class _Target:
    """A file on a runtime of its format; `unavailable` is the reason if it cannot run."""

    file: ModelFile
    runtime: Runtime
    unavailable: str | None = None


def _list_targets(bundle: Bundle) -> list[_Target]:
    return [
        _Target(file, runtime, None if runtime.installed else f"not installed: {runtime.install_hint}")
        for file in bundle.files
        for runtime in RUNTIMES.values()
        if runtime.format == file.format
    ]


@dataclass(frozen=True)
class _Sets:
    """Digits and non-digits: their images, uint8 [N, 28, 28, 1], or their logits, float32 [N, 10]."""

    digits: NDArray
    others: NDArray


@dataclass(frozen=True)
class _Variants:
    """Images as they are, and framed."""

    plain: _Sets
    framed: _Sets


def _make_variants(digits: Images, others: NonDigits) -> _Variants:
    plain = _Sets(digits.pixels, others.pixels)
    return _Variants(plain, _Sets(frame_all(plain.digits), frame_all(plain.others)))


def frame_all(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Crop each image, uint8 [N, 28, 28, 1], to its ink and frame it as the reader does; the shape does not change."""
    return np.stack([frame_digit(crop_to_ink(image[..., 0])) for image in images])


def crop_to_ink(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Crop an image, uint8 [height, width], to its ink; framing treats fainter pixels as paper."""
    x, y, width, height = cv2.boundingRect((image > FAINTEST * image.max()).astype(np.uint8))
    return image[y : y + height, x : x + width]


def _classify(bundle: Bundle, target: _Target, images: _Variants) -> _Variants | None:
    """Compute logits; None if that fails, with the reason in the target."""
    if target.unavailable:
        return None
    try:
        classifier = load_classifier(bundle, target.runtime, target.file.precision)
    except RuntimeUnavailableError as error:
        target.unavailable = str(error)
        return None
    return _Variants(_compute_logits(classifier, images.plain), _compute_logits(classifier, images.framed))


def _compute_logits(classifier: LoadedModel, sets: _Sets) -> _Sets:
    return _Sets(classifier.logits(sets.digits), classifier.logits(sets.others))


def _make_rows(
    logits: list[tuple[_Target, _Variants | None]], labels: NDArray[np.uint8], abstention: Abstention
) -> Iterator[AbstentionRow]:
    floats = {target.runtime.name: variants for target, variants in logits if target.file.precision == "float32"}
    for target, variants in logits:
        base = floats.get(target.runtime.name) if target.file.precision != "float32" else None
        yield AbstentionRow(
            file=target.file.record.name,
            format=target.file.format,
            precision=target.file.precision,
            runtime=target.runtime.name,
            runtime_version=target.runtime.version if target.runtime.installed else None,
            unavailable=target.unavailable,
            figures=_measure(variants, base, labels, abstention) if variants else None,
        )


def _measure(variants: _Variants, base: _Variants | None, labels: NDArray[np.uint8], abstention: Abstention) -> Figures:
    digits = variants.plain.digits
    right = digits.argmax(axis=1) == labels
    confidence = estimate_class_probability(digits, abstention.temperature)
    return Figures(
        plain=_separate(variants.plain, base and base.plain, labels, abstention),
        framed=_separate(variants.framed, base and base.framed, labels, abstention),
        calibration_error=measure_calibration_error(confidence, right),
        uncalibrated_error=measure_calibration_error(estimate_class_probability(digits, 1.0), right),
        risk=thin_out(trace_risk(confidence, right), CURVE_STEP),
        risk_by_score=thin_out(trace_risk(score_digits(digits), right), CURVE_STEP),
        histogram=_count(variants.plain),
        framed_histogram=_count(variants.framed),
    )


def _separate(sets: _Sets, base: _Sets | None, labels: NDArray[np.uint8], abstention: Abstention) -> Separation:
    auroc = _auroc(sets)
    right, kept = sets.digits.argmax(axis=1) == labels, accepted(sets.digits, abstention)
    return Separation(
        auroc=auroc,
        auroc_vs_float=None if base is None else auroc - _auroc(base),
        accepted=int(kept.sum()),
        accepted_right=int((kept & right).sum()),
        right=int(right.sum()),
        refused=int((~accepted(sets.others, abstention)).sum()),
    )


def _auroc(sets: _Sets) -> float:
    return measure_auroc(score_digits(sets.digits), score_digits(sets.others))


def _count(sets: _Sets) -> Histogram:
    scores = score_digits(sets.digits), score_digits(sets.others)
    edges = np.linspace(min(map(np.min, scores)), max(map(np.max, scores)), HISTOGRAM_BINS + 1)
    digits, others = (np.histogram(one, edges)[0].tolist() for one in scores)
    return Histogram(edges=edges.tolist(), digits=digits, others=others)
