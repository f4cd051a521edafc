"""What the service answers, typed, and how its JSON becomes that."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Model:
    """The version that answered."""

    name: str
    version: int


@dataclass(frozen=True, slots=True)
class ModelInfo(Model):
    """The served version, and all there are. `report`: the path of its page, if it has one."""

    versions: tuple[int, ...]
    labels: tuple[str, ...]
    signatures: dict[str, Any]
    metadata: dict[str, Any]
    report: str | None


@dataclass(frozen=True, slots=True)
class Picture:
    """What was done with a picture. `width` and `height` in pixels, as it was sent; `box`, of the digit, in the same:
    left, top, right, bottom. `preview`: the 28x28 that the model saw, a PNG in base64, for those who asked for it."""

    width: int
    height: int
    inverted: bool
    warnings: tuple[str, ...]
    fitted: bool = True
    box: tuple[int, int, int, int] | None = None
    preview: str | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """`probabilities`: ten, in 0..1, in the order of the classes; `confidence` is the one of `digit`."""

    digit: int
    label: str
    confidence: float
    probabilities: tuple[float, ...]
    model: Model
    picture: Picture


@dataclass(frozen=True, slots=True)
class DigitInRow:
    """One of several digits. `box`: left, top, right, bottom, in pixels of the picture as sent; `line` from 0."""

    digit: int
    label: str
    confidence: float
    probabilities: tuple[float, ...]
    box: tuple[int, int, int, int]
    line: int


@dataclass(frozen=True, slots=True)
class Reading:
    """All digits of a picture, line by line, each from left to right; `text` has a line break between lines."""

    text: str
    digits: tuple[DigitInRow, ...]
    model: Model
    picture: Picture


class ClientError(Exception):
    """There is no answer, and the message says why."""


class Unreachable(ClientError):
    """The service can't be reached, or didn't answer in time."""


class Problem(ClientError):
    """What the service answered instead (RFC 9457). `kind` is its `type`, as in urn:digits:blank-picture."""

    def __init__(self, status: int, title: str, detail: str, kind: str = "", request_id: str = "") -> None:
        self.status, self.title, self.detail, self.kind, self.request_id = status, title, detail, kind, request_id
        super().__init__(f"{title} ({status}): {detail}")


# What follows takes the service's JSON, and passes over fields that it doesn't know.
# Raises: KeyError or TypeError, for other JSON.


def problem(document: dict[str, Any]) -> Problem:
    """An `application/problem+json`."""
    kind, request_id = document.get("type", ""), document.get("request_id", "")
    return Problem(document["status"], document["title"], document["detail"], kind, request_id)


def prediction(document: dict[str, Any], by: Model | None = None) -> Prediction:
    """The answer to /predict, or, with the model `by` that gave it, one of those to /predict/batch."""
    return Prediction(
        document["digit"],
        document["label"],
        document["confidence"],
        tuple(document["probabilities"]),
        by or _model(document["model"]),
        _picture(document["picture"]),
    )


def predictions(document: dict[str, Any], expected: int) -> list[Prediction | Problem]:
    """The answer to /predict/batch, for so many pictures. Raises besides: ValueError, when it is for others."""
    by = _model(document["model"])
    if len(document["results"]) != expected:
        raise ValueError(f"{len(document['results'])} results")
    return [problem(each) if "status" in each else prediction(each, by) for each in document["results"]]


def reading(document: dict[str, Any]) -> Reading:
    """The answer to /read."""
    digits = tuple(
        DigitInRow(
            each["digit"],
            each["label"],
            each["confidence"],
            tuple(each["probabilities"]),
            tuple(each["box"]),
            each["line"],
        )
        for each in document["digits"]
    )
    return Reading(document["text"], digits, _model(document["model"]), _picture(document["picture"]))


def model_info(document: dict[str, Any]) -> ModelInfo:
    """The answer to /model."""
    return ModelInfo(
        document["name"],
        document["version"],
        tuple(document["versions"]),
        tuple(document["labels"]),
        document["signatures"],
        document["metadata"],
        document["report"],
    )


def _model(document: dict[str, Any]) -> Model:
    return Model(document["name"], document["version"])


def _picture(document: dict[str, Any]) -> Picture:
    box = document.get("box")
    return Picture(
        document["width"],
        document["height"],
        document["inverted"],
        tuple(document["warnings"]),
        document.get("fitted", True),
        box and tuple(box),
        document.get("preview"),
    )
