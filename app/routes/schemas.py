"""What the answers look like, for OpenAPI. `app.reader.Answer` says what the values mean."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from app.model.engines import EngineName


class ModelRef(BaseModel):
    name: str
    version: int


class PictureOut(BaseModel):
    width: int = Field(description="of the picture as it was sent, in pixels, like height")
    height: int
    fitted: bool = Field(description="whether it was cropped, scaled and centred")
    inverted: bool = Field(description="whether dark ink on light paper was turned round")
    box: tuple[int, int, int, int] | None = Field(description="left, top, right, bottom of the part that was fitted")
    warnings: list[str] = Field(description="what may have made the answer wrong, in plain words")
    preview: str | None = Field(None, description="with ?preview=true: the 28x28 the model saw, a PNG in base64")


class Read(BaseModel):
    digit: int = Field(ge=0, le=9, description="the class with the highest probability")
    label: str = Field(description="that class's name")
    confidence: float = Field(ge=0, le=1, description="probabilities[digit]")
    probabilities: list[float] = Field(min_length=10, max_length=10)


PROBABILITIES = [0.0, 0.0, 0.0, 0.0001, 0.0, 0.0, 0.0, 0.9998, 0.0, 0.0001]
READ: dict[str, Any] = {"digit": 7, "label": "7", "confidence": 0.9998, "probabilities": PROBABILITIES}
PICTURE: dict[str, Any] = {"width": 28, "height": 28, "fitted": False, "inverted": False, "box": None, "warnings": []}
MODEL: dict[str, Any] = {"name": "mnist_mlp", "version": 1}


class Prediction(Read):
    model_config = ConfigDict(json_schema_extra={"example": {**READ, "model": MODEL, "picture": PICTURE}})

    model: ModelRef
    picture: PictureOut


class Score(BaseModel):
    picture: float = Field(le=0, description="natural logarithm of `confidence`")
    baseline: float = Field(le=0, description="what it would be for a black picture")


Row = Annotated[list[float], Field(min_length=28, max_length=28)]
ROW_ABOVE, ROW_THROUGH = [0.0] * 28, [0.0] * 10 + [-0.2, 0.1, 0.4, 0.7, 0.5, 0.3, 0.2, 0.1] + [0.0] * 10
EXPLANATION: dict[str, Any] = {
    "importances": [ROW_ABOVE] * 13 + [ROW_THROUGH] + [ROW_ABOVE] * 14,
    "score": {"picture": -0.0002, "baseline": -2.1002},
}


class ExplainedPrediction(Prediction):
    model_config = ConfigDict(
        json_schema_extra={"example": {**READ, "model": MODEL, "picture": PICTURE, **EXPLANATION}}
    )

    importances: list[Row] = Field(
        min_length=28,
        max_length=28,
        description="28 rows of 28: how much each pixel of the 28x28 that the model saw added to the score of `digit` "
        "(above zero) or took from it (below); together score.picture - score.baseline, within 1%",
    )
    score: Score = Field(description="log-probabilities of `digit`")


class BatchRead(Read):
    picture: PictureOut


class ProblemOut(BaseModel):
    type: str
    title: str
    status: int
    detail: str
    request_id: str


BATCH_EXAMPLE: dict[str, Any] = {
    "results": [
        {**READ, "picture": PICTURE},
        {
            "type": "urn:digits:empty-picture",
            "title": "The picture is empty",
            "status": 422,
            "detail": "Expected the bytes of a picture; received a file of 0 bytes.",
            "request_id": "6f1c0e5a9d3b7c24",
        },
    ],
    "model": MODEL,
}


class BatchPrediction(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": BATCH_EXAMPLE})

    results: list[BatchRead | ProblemOut] = Field(description="one answer or one problem a picture, in order")
    model: ModelRef


class DigitOut(Read):
    box: tuple[int, int, int, int] = Field(description="left, top, right, bottom, in pixels of the picture as sent")
    line: int = Field(ge=0, description="the line of text it stands in, from 0 at the top")


class RowsPicture(BaseModel):
    width: int = Field(description="of the picture as it was sent, upright, in pixels, like height")
    height: int
    inverted: bool = Field(description="whether dark ink on light paper was turned round")
    warnings: list[str] = Field(description="what may have made the answer wrong, in plain words")


READING_EXAMPLE: dict[str, Any] = {
    "text": "7",
    "digits": [{**READ, "box": [31, 20, 55, 62], "line": 0}],
    "model": MODEL,
    "picture": {"width": 640, "height": 480, "inverted": True, "warnings": []},
}


class ReadingOut(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": READING_EXAMPLE})

    text: str = Field(description="all digits, with a line break between lines")
    digits: list[DigitOut] = Field(description="line by line, each from left to right")
    model: ModelRef
    picture: RowsPicture


class ModelOut(ModelRef):
    """The served version, what runs it, and what its metadata.json tells."""

    engine: EngineName = Field(description="what runs it")
    versions: list[int] = Field(description="all complete versions in the model folder, oldest first")
    labels: list[str]
    signatures: dict[str, dict[str, dict[str, dict[str, Any]]]] = Field(
        description="name → inputs and outputs → tensor → dtype and shape (null: any number of pictures)"
    )
    report: str | None = Field(description="the path of its report, a page; null if it has none")
    metadata: dict[str, Any] = Field(description="recipe, seed, data hash, package versions, metrics")


class Status(BaseModel):
    status: str


class Ready(Status):
    model: ModelRef
