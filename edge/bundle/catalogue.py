"""The zoo's networks as a table that needs no training framework: sizes, and published accuracies of the same networks.

`train/zoo.py` builds the networks; a test compares this table with them. The claims are those of the published
descriptions, from their authors' own training and measurements; none of them was measured here.
"""

from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Claim:
    """An accuracy in [0, 1] that a description reports; `rough` if it says "about"."""

    split: Split
    accuracy: float
    rough: bool = False

    def __str__(self) -> str:
        return f"{'about ' if self.rough else ''}{100 * self.accuracy:.6g} % {self.split}"


@dataclass(frozen=True)
class Entry:
    """A network of the zoo.

    name: Value of `train --model`.
    summary: One line of description.
    parameters: Number of all parameters, batch norm's moving statistics included.
    macs: Multiply-adds per image.
    claims: Accuracies that its published description reports; empty for a network of this project.
    remark: Other facts that the description states or leaves open.
    """

    name: str
    summary: str
    parameters: int
    macs: int
    claims: tuple[Claim, ...] = ()
    remark: str = ""

    @property
    def reference(self) -> Claim | None:
        """The claim to compare with: on test images if there is one, else on validation."""
        by_split = {claim.split: claim for claim in self.claims}
        return by_split.get("test") or by_split.get("validation")


CATALOGUE = {
    entry.name: entry
    for entry in (
        Entry("standard", "small strided CNN, fast on small devices", 136_282, 5_485_376),
        Entry("nano", "as deep as standard, for int8 files of 14 kB", 7_314, 566_272),
        Entry("nano-2890", "six layers, most of them separable, at most 2,890 parameters", 2_862, 352_664),
        Entry("max", "residual, for accuracy", 177_242, 14_666_496),
        Entry(
            "logistic",
            "logistic regression, the baseline",
            7_850,
            7_840,
            (Claim("test", 0.9257),),
            "the baseline in the description of batchnorm-905k",
        ),
        Entry(
            "compact-8-16",
            "the smallest CNN: conv 8 and 16, dense 10",
            7_184,
            272_100,
            (Claim("train", 0.9842), Claim("validation", 0.9742), Claim("test", 0.9815)),
            "with augmentation and early stopping; claims 2,890 parameters, but as described it has 7,184",
        ),
        Entry(
            "two-conv-122k",
            "conv 32 and 64, dense 64",
            121_930,
            2_528_000,
            (Claim("test", 0.951, rough=True),),
            "after 5 epochs of Adam in batches of 128, a tenth held out for validation",
        ),
        Entry(
            "dropout-cnn",
            "two convs of 32, 64 and 128 each, dense 128, dropout",
            353_386,
            18_546_048,
            (Claim("train", 0.9949), Claim("validation", 0.9973)),
            "after 30 epochs of Adam in batches of 256; layers not given",
        ),
        Entry(
            "one-hot-cnn",
            "a single 5x5 conv 32, dropout, dense 128",
            592_074,
            1_051_904,
            (Claim("validation", 0.989, rough=True),),
            "with Adam; layers not given",
        ),
        Entry(
            "batchnorm-905k",
            "conv 32, 64 and 128 with batch norm, dense 128 and 64 with dropout",
            905_418,
            8_262_784,
            (Claim("train", 0.9954), Claim("test", 0.9927)),
            "73 errors, with Adam at 0.001 and augmentation; 905,418 parameters",
        ),
    )
}
