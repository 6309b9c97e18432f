"""The model card: what a bundle holds, where it came from, and what each of its files expects.

One tree of frozen structs, written as `card.json` and sealed: the seal is the SHA-256 of everything else in the card,
and the card holds the SHA-256 of everything else in the bundle. So any changed byte is detected. The seal
proves integrity, not authorship: anyone who can rewrite the whole bundle can also seal it again.

Version history of the schema:
    5  The probability that a shape is a digit. Files that could not be made, and why; operators of an
       int8 file that compute in float; how many evaluation images each file takes for digits; log-softmax and sigmoid
       as outputs of foreign models; whether degraded copies of the calibration images helped to find ranges.
    4  How training was set up: teachers, the bundle it started from, several seeds, precision, devices.
    3  From which score on something is a digit, and the temperature of its probability.
    2  More precisions; how each file was quantized and what else was tried; images lost and gained; each layer's noise;
       which runtimes are too old; agreement of all files; the report; the exporting processor; what a model that did
       not come from this project reads and gives.
    1  First version.
"""

import hashlib
from typing import Annotated

import msgspec

from ..common.errors import EdgeMnistError
from ..common.kinds import explain_pointer
from .contract import NUM_CLASSES, ArchitectureRecord, Convention, FileName, FileRecord, Record, Sha256
from .export_record import Export
from .training_record import Training

CARD_NAME = "card.json"

SCHEMA_VERSION = 5
# Fields that were added since are left out where they have their default, so an older card keeps its sealed bytes.
OLDEST_READABLE_VERSION = 3


class ModelCardError(EdgeMnistError):
    """A card or bundle breaks the contract; the message says which file and what to do."""


class ModelCard(Record, frozen=True, kw_only=True):
    """The whole card; `train` creates it, `export` extends it, and every other stage requires it.

    Attributes:
        schema_version: Version of these fields.
        name: Name of the bundle.
        labels: The ten class names, in the order of the logits.
        architecture: The network, its parameters and multiply-adds.
        source: The Keras file.
        convention: Input and output of the Keras file itself.
        training: How it was trained; None for a model that was not trained here.
        export: The exported files and their verification; None before the export.
    """

    schema_version: int = SCHEMA_VERSION
    name: FileName
    labels: Annotated[tuple[str, ...], msgspec.Meta(min_length=NUM_CLASSES, max_length=NUM_CLASSES)] = tuple(
        "0123456789"
    )
    architecture: ArchitectureRecord
    source: FileRecord
    convention: Convention = Convention()
    training: Training | None
    export: Export | None = None

    def records(self) -> tuple[FileRecord, ...]:
        """Every file that the bundle holds beside the card."""
        if self.export is None:
            return (self.source,)
        export = self.export
        return (self.source, export.reference, export.report, *export.c_source, *(file.record for file in export.files))


class _Sealed(Record, frozen=True, kw_only=True):
    seal: Sha256
    card: ModelCard


class _Version(msgspec.Struct):
    """The part of a card that every version of the schema has."""

    schema_version: int


class _AnyVersion(msgspec.Struct):
    card: _Version


def encode_card(card: ModelCard) -> bytes:
    """Write a card as sealed, indented JSON; equal cards give equal bytes.

    Raises:
        msgspec.ValidationError: A value is not allowed in its field.
    """
    # Through JSON and back, so that an integer in a float field is written as readers will write it again.
    card = msgspec.json.decode(msgspec.json.encode(card), type=ModelCard)
    seal = hashlib.sha256(msgspec.json.encode(card)).hexdigest()
    return msgspec.json.format(msgspec.json.encode(_Sealed(seal=seal, card=card)), indent=2) + b"\n"


def decode_card(content: bytes, origin: str) -> ModelCard:
    """Read a card that `encode_card` wrote.

    Args:
        content: The file's bytes.
        origin: Name of the file in error messages.

    Raises:
        ModelCardError: Not a card, a card of another schema version, or one that was changed since it was sealed.
    """
    try:
        version = msgspec.json.decode(content, type=_AnyVersion).card.schema_version
        if not OLDEST_READABLE_VERSION <= version <= SCHEMA_VERSION:
            advice = "Update edge-mnist" if version > SCHEMA_VERSION else "Export the model again with this version"
            raise ModelCardError(f"{origin}: expected schema_version {SCHEMA_VERSION}, got {version}. {advice}.")
        card = msgspec.json.decode(content, type=_Sealed).card
    except ModelCardError:
        raise
    except Exception as error:
        # Also raised for JSON that is nested a hundred thousand times.
        advice = explain_pointer(content) or " Export the model again."
        raise ModelCardError(f"{origin}: not a model card ({error}).{advice}") from error
    if encode_card(card) != content:
        raise ModelCardError(
            f"{origin}: changed after it was written: its seal does not match. Export the model again."
        )
    return card
