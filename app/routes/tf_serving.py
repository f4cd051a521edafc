"""TensorFlow Serving's REST API, and what KServe V1 has on the same paths."""

from functools import partial
from typing import Any, NamedTuple

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from app.errors import BadTensors, CannotExplain, NotFound, NotReady, UnknownFormat
from app.images.normalize import PIXELS, SIDE, normalize
from app.model.explain import Explanation
from app.model.model import SIGNATURES
from app.model.tensors import Probabilities
from app.problems import protocol_examples
from app.reader import Reader
from app.routes.answers import JSON, to_json
from app.routes.dependencies import CurrentSettings, ReadyReader
from app.routes.leaving import unless_gone
from app.routes.predict import PICTURE_ERRORS
from app.routes.protocols import (
    READ_ERRORS,
    STATUS_ERRORS,
    ModelName,
    Served,
    body_of,
    named,
    of_picture,
    parsed_body,
    probabilities_of,
)
from app.routes.tensor_schemas import PICTURE, ROWS, Schema, any_of, list_of, only
from app.routes.tensors import Input, check_count, decode_base64, from_json, parse_json, said

router = APIRouter(tags=["TensorFlow Serving, KServe V1"])

DEFAULT = "serving_default"
INPUT_OF = {DEFAULT: "pixels", "images": "images"}  # of each signature
TYPES = {"float32": "DT_FLOAT", "uint8": "DT_UINT8", "int64": "DT_INT64"}
OK = {"error_code": "OK", "error_message": ""}
METHOD = "tensorflow/serving/predict"
VERBS = ("predict", "classify", "regress", "explain")
EXAMPLE = {"instances": [[0] * PIXELS]}


def _request(field: str, values: dict[str, Schema], context: Schema | None = None) -> Schema:
    """A request, for OpenAPI. `values`: of `field`, for each input."""
    more = {} if context is None else {"context": context}
    default = _object({"signature_name": {"enum": ["", DEFAULT]}, field: values["pixels"], **more}, field)
    images = _object({"signature_name": {"const": "images"}, field: values["images"], **more}, field, "signature_name")
    return any_of(default, images)


def _object(properties: dict[str, Schema], *required: str) -> Schema:
    return {"type": "object", "required": list(required), "properties": properties}


ENCODED = only("b64", PICTURE)
TENSORS = {name: any_of(list_of(row), list_of(ENCODED)) for name, row in ROWS.items()}
NAMED = {name: any_of(list_of(only(name, row)), list_of(only(name, ENCODED))) for name, row in ROWS.items()}
IN_ROWS = {name: any_of(TENSORS[name], NAMED[name]) for name in ROWS}
IN_COLUMNS = {name: any_of(tensor, only(name, tensor)) for name, tensor in TENSORS.items()}
EITHER_FORM = any_of(_request("instances", IN_ROWS), _request("inputs", IN_COLUMNS))
EXAMPLES = _request("examples", NAMED, {"type": "object", "maxProperties": 0})


class Asked(NamedTuple):
    """A request to predict. `in_rows`: in row form, and so to be answered."""

    signature: str
    given: Input
    in_rows: bool


# The verbs come first: who asks for one by a wrong method is told which it takes.
@router.post(
    "/v1/models/{model}:predict",
    summary="Which digits are these?",
    responses=protocol_examples(*READ_ERRORS),
    openapi_extra=body_of(EITHER_FORM, EXAMPLE),
)
@router.post("/v1/models/{model}/versions/{version}:predict", include_in_schema=False)
@router.post("/v1/models/{model}/labels/{label}:predict", include_in_schema=False)
async def predict(request: Request, reader: Served, settings: CurrentSettings) -> Response:
    """In row form (`instances` → `predictions`) or column form (`inputs` → `outputs`), for the signature
    `serving_default` (`pixels`, 784 numbers in 0..1) or `images` (28x28 numbers in 0..255). In place of the numbers of
    a row, `{"b64": ...}` is an encoded picture.

    Also of `/v1/models/{model}/versions/{version}` and `.../labels/{label}`, as the others.
    """
    asked = await parsed_body(request, reader, settings, partial(_parse, max_batch=settings.max_batch))
    return _respond(asked, await unless_gone(request, settings, probabilities_of(reader, asked.given)))


@router.post(
    "/v1/models/{model}:classify",
    summary="How probable is each label?",
    responses=protocol_examples(*READ_ERRORS),
    openapi_extra=body_of(EXAMPLES, {"examples": [{"pixels": [0] * PIXELS}]}),
)
@router.post("/v1/models/{model}/versions/{version}:classify", include_in_schema=False)
@router.post("/v1/models/{model}/labels/{label}:classify", include_in_schema=False)
async def classify(request: Request, reader: Served, settings: CurrentSettings) -> Response:
    """For each of `examples`, the ten labels with their probabilities."""
    given = await parsed_body(request, reader, settings, partial(_parse_examples, max_batch=settings.max_batch))
    labels = reader.model.metadata.labels
    rows = (await unless_gone(request, settings, probabilities_of(reader, given))).tolist()
    return Response(to_json({"result": [list(zip(labels, row, strict=True)) for row in rows]}), media_type=JSON)


@router.post("/v1/models/{model}:regress", include_in_schema=False)
@router.post("/v1/models/{model}/versions/{version}:regress", include_in_schema=False)
@router.post("/v1/models/{model}/labels/{label}:regress", include_in_schema=False)
async def regress(reader: Served) -> None:
    """There is nothing to."""
    raise BadTensors(f"Expected a signature for regression; {reader.model.name} has {' and '.join(INPUT_OF)}: predict.")


@router.post(
    "/v1/models/{model}:explain",
    summary="Which digits are these, and which pixels say so?",
    responses=protocol_examples(*READ_ERRORS, CannotExplain),
    openapi_extra=body_of(EITHER_FORM, EXAMPLE),
)
async def explain(request: Request, reader: Served, settings: CurrentSettings) -> Response:
    """`instances` → `explanations`, as POST /explain has them."""
    asked = await parsed_body(request, reader, settings, partial(_parse, max_batch=settings.max_batch))
    return Response(
        to_json({"explanations": await unless_gone(request, settings, _explanations(reader, asked.given))}),
        media_type=JSON,
    )


@router.post("/v1/models/{model}:{verb}", include_in_schema=False)
@router.post("/v1/models/{model}/versions/{version}:{verb}", include_in_schema=False)
@router.post("/v1/models/{model}/labels/{label}:{verb}", include_in_schema=False)
async def unknown(verb: str) -> None:
    """What else may stand behind the colon is nothing that is offered."""
    raise _no_such_verb(verb)


@router.get("/v1/models", summary="The models", responses=protocol_examples(NotReady))
async def models(reader: ReadyReader) -> dict[str, list[str]]:
    """The one that is served."""
    return {"models": [reader.model.name]}


@router.get("/v1/models/{model}/metadata", summary="The model's signatures", responses=STATUS_ERRORS)
@router.get("/v1/models/{model}/versions/{version}/metadata", include_in_schema=False)
@router.get("/v1/models/{model}/labels/{label}/metadata", include_in_schema=False)
async def metadata(reader: Served) -> dict[str, Any]:
    """Those that can be called here."""
    signatures = {
        name: {"inputs": _infos(inputs), "outputs": _infos(outputs), "method_name": METHOD}
        for name, (inputs, outputs) in SIGNATURES.items()
    }
    return {
        "model_spec": {"name": reader.model.name, "signature_name": "", "version": str(reader.model.version)},
        "metadata": {"signature_def": {"signature_def": signatures}},
    }


@router.get("/v1/models/{model}", summary="Is the model ready?", responses=STATUS_ERRORS)
@router.get("/v1/models/{model}/versions/{version}", include_in_schema=False)
@router.get("/v1/models/{model}/labels/{label}", include_in_schema=False)
async def status(request: Request, reader: ReadyReader, model: ModelName) -> dict[str, Any]:
    """For clients of TensorFlow Serving and of KServe V1 alike."""
    _, colon, verb = request.scope["path"].rpartition("/")[2].rpartition(":")
    if colon and verb not in VERBS:
        raise _no_such_verb(verb)
    if colon:
        raise HTTPException(405, headers={"Allow": "POST"})
    await named(request, reader, model)
    state = {"version": str(reader.model.version), "state": "AVAILABLE", "status": OK}
    return {"model_version_status": [state], "name": reader.model.name, "ready": True}


def _no_such_verb(verb: str) -> NotFound:
    expected = "Expected predict, classify or regress after the colon, or explain, without a version"
    return NotFound(f"{expected}; received {verb[:100]!r}.")


def _parse(body: bytes, max_batch: int) -> Asked:
    document = parse_json(body, max_batch)
    signature = _signature(document)
    if ("instances" in document) == ("inputs" in document):
        raise BadTensors(f"Expected either 'instances' or 'inputs'; received {said(list(document)[:8])}.")
    if "instances" in document:
        rows = document["instances"]
        if not isinstance(rows, list):
            raise BadTensors(f"Expected a list as 'instances'; received {said(rows)}.")
        return Asked(signature, _of_rows(rows, signature, max_batch), True)
    columns, name = document["inputs"], INPUT_OF[signature]
    if isinstance(columns, dict) and "b64" not in columns:
        if list(columns) != [name]:
            raise BadTensors(f"Expected the input {name!r} of {signature!r}; received {said(list(columns)[:8])}.")
        columns = columns[name]
    return Asked(signature, _tensor(name, columns, max_batch), False)


def _parse_examples(body: bytes, max_batch: int) -> Input:
    document = parse_json(body, max_batch)
    signature = _signature(document)
    examples, context = document.get("examples"), document.get("context", {})
    if not isinstance(examples, list) or not all(isinstance(each, dict) for each in [*examples, context]):
        raise BadTensors(f"Expected a list of objects as 'examples'; received {said(examples)}.")
    return _of_rows([context | each for each in examples], signature, max_batch)


def _signature(document: dict[str, Any]) -> str:
    signature = document.get("signature_name", DEFAULT)
    if signature == "":  # as protobuf's JSON has what isn't set
        return DEFAULT
    if not isinstance(signature, str) or signature not in INPUT_OF:
        raise BadTensors(f"Expected the signature {' or '.join(INPUT_OF)}; received {said(signature)}.")
    return signature


def _of_rows(rows: list[Any], signature: str, max_batch: int) -> Input:
    """`rows`: each the input of `signature`, or an object that names it."""
    name = INPUT_OF[signature]
    check_count(len(rows), max_batch)
    if any(isinstance(each, dict) and "b64" not in each for each in rows):
        for each in rows:
            if not isinstance(each, dict) or list(each) != [name]:
                got = list(each)[:8] if isinstance(each, dict) else each
                raise BadTensors(f"Expected the input {name!r} of {signature!r} in each row; received {said(got)}.")
        rows = [each[name] for each in rows]
    return _tensor(name, rows, max_batch)


def _tensor(name: str, rows: object, max_batch: int) -> Input:
    """`rows`: numbers, nested, or encoded pictures."""
    if isinstance(rows, list) and any(isinstance(each, dict) for each in rows):
        check_count(len(rows), max_batch)
        return Input(files=[_picture(each) for each in rows])
    return from_json(name, rows, None, max_batch)


def _picture(row: object) -> bytes:
    if not isinstance(row, dict) or list(row) != ["b64"]:
        raise BadTensors(f'Expected {{"b64": ...}} in each row, as in the first; received {said(row)}.')
    return decode_base64(row["b64"])


def _respond(asked: Asked, probabilities: Probabilities) -> Response:
    key = "predictions" if asked.in_rows else "outputs"
    if asked.signature == DEFAULT:
        return Response(to_json({key: probabilities}), media_type=JSON)
    digits = probabilities.argmax(axis=1)
    if asked.in_rows:
        pairs = zip(digits.tolist(), probabilities, strict=True)
        rows = [{"digits": digit, "probabilities": row} for digit, row in pairs]
        return Response(to_json({key: rows}), media_type=JSON)
    return Response(to_json({key: {"digits": digits, "probabilities": probabilities}}), media_type=JSON)


async def _explanations(reader: Reader, given: Input) -> list[dict[str, Any]]:
    if given.files is not None:
        return [await _of_picture(reader, number, data) for number, data in enumerate(given.files)]
    pixels = given.pixels
    if pixels is None:
        assert given.images is not None
        pixels = normalize(given.images)
    rows, whys = await reader.explain_pixels(pixels)
    return [_explanation(answer.probabilities, why) for answer, why in zip(reader.answers(rows), whys, strict=True)]


async def _of_picture(reader: Reader, number: int, data: bytes) -> dict[str, Any]:
    try:
        answer, why = await reader.explain(data)
    except (UnknownFormat, *PICTURE_ERRORS) as error:
        raise of_picture(number, error) from error
    return _explanation(answer.probabilities, why)


def _explanation(probabilities: Probabilities, why: Explanation) -> dict[str, Any]:
    return {
        "digit": int(probabilities.argmax()),
        "probabilities": probabilities,
        "importances": why.importances.reshape(SIDE, SIDE),
        "score": {"picture": why.picture, "baseline": why.baseline},
    }


def _infos(tensors: Any) -> dict[str, Any]:
    return {
        name: {
            "dtype": TYPES[dtype],
            "tensor_shape": {
                "dim": [{"size": str(-1 if size is None else size), "name": ""} for size in shape],
                "unknown_rank": False,
            },
        }
        for name, (dtype, shape) in tensors.items()
    }
