"""What a person should know of an export beside its figures: files that are missing, and claims that do not hold."""

from ..edge.card import NUM_CLASSES, ModelCard
from ..edge.shares import format_share

# A model that reads less than twice what guessing reads is not worth its figures.
NEAR_CHANCE = 2 / NUM_CLASSES


def describe_doubts(card: ModelCard) -> list[str]:
    """Sentences on what is missing, on int8 files that are not full-integer, and on a model that reads nothing."""
    export = card.export
    if export is None:
        return []
    evaluation = export.evaluations[0]
    accuracy = evaluation.correct / evaluation.images.count
    doubts = []
    if accuracy < NEAR_CHANCE:
        doubts.append(
            f"the model reads {format_share(accuracy)} of the images, and guessing would read "
            f"{format_share(1 / NUM_CLASSES, 0)}: it is near chance, so no figure here says anything about "
            "quantization. Was it trained, and on these classes in this order?"
        )
    doubts += [f"{one.name} could not be made: {one.reason}." for one in export.missing or ()]
    doubts += [
        f"{file.record.name} is not full-integer: {', '.join(file.float_operators)} compute in float32."
        for file in export.files
        if file.float_operators
    ]
    return doubts
