"""Response schemas of the OpenAPI description. Routes encode plain dictionaries; a test compares the two."""

from typing import Any, Literal

from pydantic import BaseModel, Field


class ErrorSchema(BaseModel):
    """The reason why a request failed."""

    error: str = Field(description="One sentence: the cause, and what to do.")


class DigitSchema(BaseModel):
    """One digit of a picture."""

    digit: int = Field(ge=0, le=9)
    confidence: float = Field(
        ge=0, le=1, description="Calibrated probability of this digit: the product of the next two."
    )
    digit_probability: float | None = Field(
        ge=0,
        le=1,
        description="Probability that the shape is a digit; null (taken as 1) if the card has no fit for it.",
    )
    class_probability: float = Field(
        ge=0, le=1, description="Probability of this digit, given that the shape is a digit."
    )
    score: float = Field(description="Log odds that the shape is a digit, as the model was trained, nats.")
    box: tuple[int, int, int, int] = Field(description="x, y, width, height, pixels of the frame.")


class FrameSchema(BaseModel):
    """The size of the picture, upright, pixels."""

    width: int
    height: int


class ReadingSchema(BaseModel):
    """The digits of a picture."""

    rows: list[str] = Field(description="The digits of each row, top to bottom.")
    digits: list[DigitSchema] = Field(description="The digits of `rows`, in the same order.")
    truncated: bool = Field(description="Whether there are more shapes than were examined: digits may be missing.")
    frame: FrameSchema
    timing_ms: dict[str, float] = Field(description="Milliseconds: wait, decode, find, frame, infer.")
    model: str
    runtime: str
    precision: str


class ChoiceSchema(BaseModel):
    """The model, runtime and precision that read a picture."""

    model: str
    runtime: str
    precision: str
    golden: str = Field(description="`passed`, `not loaded` before the first use, or the reason of a refusal.")


class OddsSchema(BaseModel):
    """Weights of a logistic function: the probability that a shape is a digit."""

    intercept: float
    score: float = Field(description="Coefficient of the score, per nat.")
    company: float = Field(description="Coefficient of log((digits other than 1 + 1) / (other shapes + 1)).")
    highest: float = Field(gt=0, lt=1, description="Highest probability.")


class AbstentionSchema(BaseModel):
    """When a shape is rejected as a non-digit, and how certain an accepted digit is."""

    threshold: float = Field(description="Shapes with a lower score, in nats, are not digits.")
    temperature: float = Field(gt=0, description="Divisor of the logits, so that their softmax is a probability.")
    digit_odds: OddsSchema | None


class TensorSchema(BaseModel):
    """A file's input or output; real value = (integer - zero_point) * scale if these are given."""

    name: str
    shape: list[int]
    dtype: Literal["uint8", "int8", "float32"]
    scale: float | None
    zero_point: int | None


class FileSchema(BaseModel):
    """A file to run elsewhere, as the page does."""

    url: str
    sha256: str
    size_bytes: int
    input: TensorSchema
    output: TensorSchema


class AccuracySchema(BaseModel):
    """How many of how many images the int8 TFLite file, or else the first file, reads correctly."""

    images: str
    count: int
    correct: int


class ModelSchema(BaseModel):
    """A model, and what this server offers for it."""

    name: str
    architecture: str
    parameters: int
    macs: int = Field(description="Multiply-adds for one image.")
    accuracy: AccuracySchema
    abstention: AbstentionSchema
    onnx_int8: FileSchema | None
    runtime: str = Field(description="Runtime of requests that choose none.")
    precision: str = Field(description="Precision of requests that choose none.")
    models: list[str]
    runtimes: list[str]
    precisions: list[str]
    choices: list[ChoiceSchema]
    browser_runtime: str | None = Field(description="Version of the onnxruntime-web that this server serves.")
    camera: str | None = Field(description="Camera of the live view.")
    upload_bytes: int = Field(description="Largest picture, bytes.")
    megapixels: float = Field(description="Largest picture, megapixels.")


class ReadySchema(BaseModel):
    """Whether the server is ready to read."""

    ready: bool
    model: str = Field(description="`loaded`, `loading`, or why it cannot be loaded.")
    camera: str = Field(description="`none`, `starting`, `open`, `lost` or `ended`.")


class HealthSchema(BaseModel):
    """The process is alive."""

    status: Literal["ok"]


class ServerSchema(BaseModel):
    """This server, as the Open Inference Protocol describes one."""

    name: str
    version: str
    extensions: list[str]


class TensorShapeSchema(BaseModel):
    """A tensor of the Open Inference Protocol; -1 is any number of images."""

    name: str
    datatype: Literal["UINT8", "FP32"]
    shape: list[int]


class ServedModelSchema(BaseModel):
    """A model, as the Open Inference Protocol describes one."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorShapeSchema]
    outputs: list[TensorShapeSchema]


class InferredTensorSchema(TensorShapeSchema):
    """The logits of N images, one after the other; they follow the JSON if the client wants bytes."""

    data: list[float] | None = None


class InferenceSchema(BaseModel):
    """The response to an inference request."""

    model_name: str
    model_version: str
    outputs: list[InferredTensorSchema]


def document_errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document error statuses for a route's `responses`; 401, 403, 421 and 429 may be returned by any route."""
    return {status: {"model": ErrorSchema} for status in (*statuses, 401, 403, 421, 429)}
