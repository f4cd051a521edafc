"""What the two protocols take, for OpenAPI: as near to the truth as JSON Schema comes.

It can't say that rows are as many as a shape says, nor that a text in base64 is a picture.
"""

from typing import Any

from app.images.normalize import PIXELS, SIDE

Schema = dict[str, Any]


def list_of(items: Schema, count: int | None = None) -> Schema:
    """Of `count`, or of at least one."""
    size = {"minItems": 1} if count is None else {"minItems": count, "maxItems": count}
    return {"type": "array", "items": items, **size}


def only(name: str, value: Schema) -> Schema:
    """An object that has this and nothing else."""
    return {"type": "object", "required": [name], "properties": {name: value}, "additionalProperties": False}


def any_of(*schemas: Schema) -> Schema:
    """One of them, or more."""
    return {"anyOf": list(schemas)}


PICTURE: Schema = {"type": "string", "minLength": 1, "contentEncoding": "base64", "description": "an encoded picture"}
# a row of each input
ROWS: dict[str, Schema] = {
    "pixels": list_of({"type": "number", "minimum": 0, "maximum": 1}, PIXELS),
    "images": list_of(list_of({"type": "integer", "minimum": 0, "maximum": 255}, SIDE), SIDE),
}
