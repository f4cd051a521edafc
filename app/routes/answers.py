"""What the reader answers, as JSON."""

from typing import Any

import orjson

from app.images.normalize import SIDE
from app.images.prepare import PictureNote
from app.model.explain import Explanation
from app.model.model import Model
from app.reader import Answer, Reading

JSON = "application/json"


def to_json(document: object) -> bytes:
    """orjson takes 1 µs for an answer, NumPy's numbers included, where `json` takes 7."""
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def prediction(answer: Answer, model: Model) -> dict[str, Any]:
    """The answer to POST /predict."""
    return {**reading(answer), "model": model_ref(model), "picture": picture(answer.picture)}


def explanation(answer: Answer, why: Explanation, model: Model) -> dict[str, Any]:
    """The answer to POST /explain."""
    return {
        **prediction(answer, model),
        "importances": why.importances.reshape(SIDE, SIDE),
        "score": {"picture": why.picture, "baseline": why.baseline},
    }


def batch(results: list[dict[str, Any]], model: Model) -> dict[str, Any]:
    """The answer to POST /predict/batch."""
    return {"results": results, "model": model_ref(model)}


def reading(answer: Answer) -> dict[str, Any]:
    """The digit and how sure the model is."""
    return {
        "digit": answer.digit,
        "label": answer.label,
        "confidence": answer.confidence,
        "probabilities": answer.probabilities,
    }


def picture(note: PictureNote) -> dict[str, Any]:
    """What was found and done on the way to 28x28."""
    document: dict[str, Any] = {
        "width": note.width,
        "height": note.height,
        "fitted": note.fitted,
        "inverted": note.inverted,
        "box": note.box,
        "warnings": note.warnings,
    }
    if note.preview is not None:
        document["preview"] = note.preview
    return document


def rows(found: Reading, model: Model) -> dict[str, Any]:
    """The answer to POST /read."""
    return {
        "text": found.text,
        "digits": [{**reading(each.answer), "box": each.box, "line": each.line} for each in found.digits],
        "model": model_ref(model),
        "picture": {
            "width": found.picture.width,
            "height": found.picture.height,
            "inverted": found.picture.inverted,
            "warnings": found.picture.warnings,
        },
    }


def model_ref(model: Model) -> dict[str, Any]:
    """Which model answered."""
    return {"name": model.name, "version": model.version}
