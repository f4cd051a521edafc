"""Open Inference Protocol V2 over REST, with the binary tensor extension, as Triton and KServe speak it."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from app import __version__
from app.errors import BadTensors, NotOffered, NotReady
from app.images.normalize import PIXELS
from app.model.metadata import CLASSES
from app.model.model import Model
from app.model.tensors import Probabilities
from app.problems import protocol_examples
from app.routes.answers import JSON, to_json
from app.routes.dependencies import CurrentLifecycle, CurrentSettings, ReadyReader
from app.routes.health import readyz
from app.routes.leaving import unless_gone
from app.routes.protocols import READ_ERRORS, STATUS_ERRORS, Served, body_of, parsed_body, probabilities_of
from app.routes.tensor_schemas import PICTURE, ROWS, Schema, any_of, list_of
from app.routes.tensors import (
    BYTES,
    INPUTS,
    Input,
    check_count,
    decode_base64,
    from_json,
    from_raw,
    parse_json,
    raw_elements,
    said,
)
from app.routes.upload import OCTETS

router = APIRouter(tags=["Open Inference Protocol"])

HEADER = "Inference-Header-Content-Length"  # bytes of JSON before the raw tensors
OUTPUTS = {"probabilities": "FP32", "digits": "INT64", "labels": BYTES}
TENSORS: dict[str, Any] = {
    "inputs": [{"name": "pixels", "datatype": "FP32", "shape": [-1, PIXELS]}],
    "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, CLASSES]}],
}


def _tensor(name: str, kind: str, row_shape: tuple[int, ...], data: Schema) -> Schema:
    """One of the tensors that are taken, for OpenAPI."""
    sizes = [{"type": "integer", "minimum": 1}, *({"type": "integer", "const": size} for size in row_shape)]
    shape = {"type": "array", "prefixItems": sizes, "minItems": len(sizes), "maxItems": len(sizes)}
    fixed = {"name": {"const": name}, "datatype": {"const": kind}, "shape": shape, "data": data}
    return {"type": "object", "required": list(fixed), "properties": {**fixed, "parameters": PARAMETERS}}


PARAMETERS = {"type": ["object", "null"]}
TENSOR = any_of(
    *(_tensor(name, kind, shape, list_of(ROWS[name])) for name, (kind, shape) in INPUTS.items()),
    *(_tensor(name, BYTES, (), list_of(PICTURE)) for name in INPUTS),
)
REQUEST: dict[str, Any] = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": ["string", "null"]},
        "parameters": PARAMETERS,
        "inputs": list_of(TENSOR, 1),
        "outputs": {
            "type": ["array", "null"],
            "uniqueItems": True,
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"enum": list(OUTPUTS)}, "parameters": PARAMETERS},
            },
        },
    },
}
EXAMPLE = {"inputs": [{"name": "pixels", "shape": [1, PIXELS], "datatype": "FP32", "data": [0] * PIXELS}]}
BINARY = {OCTETS: {"schema": {"type": "string", "format": "binary", "description": f"JSON of as many bytes as the "
                              f"header {HEADER} says, and the raw tensor"}}}  # fmt: skip


class Output(NamedTuple):
    """One that is asked for. `raw`: after the JSON, as bytes."""

    name: str
    raw: bool


class Asked(NamedTuple):
    """A request to infer."""

    id: str | None
    given: Input
    outputs: list[Output]


@router.get("/v2/health/live", summary="Is the server up?", responses=protocol_examples())
async def live() -> dict[str, bool]:
    """As /livez."""
    return {"live": True}


@router.get("/v2/health/ready", summary="Is the server ready?", responses=protocol_examples(NotReady))
async def ready(reader: ReadyReader, lifecycle: CurrentLifecycle) -> dict[str, bool]:
    """As /readyz."""
    await readyz(reader, lifecycle)
    return {"ready": True}


@router.get("/v2", summary="The server", responses=protocol_examples())
@router.get("/v2/", include_in_schema=False)
async def server() -> dict[str, Any]:
    """Its name, version and extensions."""
    return {"name": "digits", "version": __version__, "extensions": ["binary_tensor_data"]}


@router.get("/v2/models", summary="The models", responses=protocol_examples(NotReady))
async def models(reader: ReadyReader) -> dict[str, list[str]]:
    """The one that is served."""
    return {"models": [reader.model.name]}


@router.post(
    "/v2/repository/index", summary="The models, their versions and states", responses=protocol_examples(NotReady)
)
async def index(reader: ReadyReader) -> list[dict[str, str]]:
    """The one version that is served."""
    return [{"name": reader.model.name, "version": str(reader.model.version), "state": "READY", "reason": ""}]


@router.post("/v2/repository/models/{model}/load", include_in_schema=False)
@router.post("/v2/repository/models/{model}/unload", include_in_schema=False)
async def load_or_unload(model: str) -> None:
    """Neither."""
    raise NotOffered()


@router.get("/v2/models/{model}/ready", summary="Is the model ready?", responses=STATUS_ERRORS)
@router.get("/v2/models/{model}/versions/{version}/ready", include_in_schema=False)
async def model_ready(reader: Served, lifecycle: CurrentLifecycle) -> dict[str, Any]:
    """Also of `/v2/models/{model}/versions/{version}`, as the next two."""
    await readyz(reader, lifecycle)
    return {"name": reader.model.name, "ready": True}


@router.get("/v2/models/{model}", summary="The model's tensors", responses=STATUS_ERRORS)
@router.get("/v2/models/{model}/versions/{version}", include_in_schema=False)
async def metadata(reader: Served) -> dict[str, Any]:
    """Its name, served version, inputs and outputs. More are taken and given: see `infer`."""
    served = reader.model
    return {"name": served.name, "versions": [str(served.version)], "platform": "tensorflow_savedmodel", **TENSORS}


@router.post(
    "/v2/models/{model}/infer",
    summary="Which digits are these?",
    responses=protocol_examples(*READ_ERRORS),
    openapi_extra=body_of(REQUEST, EXAMPLE, BINARY),
)
@router.post("/v2/models/{model}/versions/{version}/infer", include_in_schema=False)
async def infer(request: Request, reader: Served, settings: CurrentSettings) -> Response:
    """One input: `pixels` FP32 [N, 784] in 0..1, `images` UINT8 [N, 28, 28], or under either name BYTES [N]: encoded
    pictures, in JSON as base64.

    Outputs: `probabilities` FP32 [N, 10], and if asked for `digits` INT64 [N] and `labels` BYTES [N].
    """
    header = request.headers.get(HEADER)
    parse = partial(_parse, header=header, max_batch=settings.max_batch)
    asked = await parsed_body(request, reader, settings, parse)
    return _respond(asked, await unless_gone(request, settings, probabilities_of(reader, asked.given)), reader.model)


def _parse(body: bytes, header: str | None, max_batch: int) -> Asked:
    length = len(body)
    if header is not None:
        if not (header.isascii() and header.isdigit() and len(header) <= 9 and int(header) <= len(body)):
            raise BadTensors(f"Expected in {HEADER} a number up to {len(body)}; received {header[:100]!r}.")
        length = int(header)
        if length == 0:  # the body is the model's one tensor
            shape = (len(body) // (4 * PIXELS), PIXELS)
            given = from_raw("pixels", memoryview(body), shape, max_batch)
            return Asked(None, given, [Output("probabilities", True)])
    document = parse_json(body[:length], max_batch)
    id_of_request = document.get("id")
    if not isinstance(id_of_request, str | None):
        raise BadTensors(f"Expected a string as 'id'; received {said(id_of_request)}.")
    inputs = document.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise BadTensors(f"Expected 'inputs' to be a list of one tensor; received {said(inputs)}.")
    outputs = _outputs(document.get("outputs"), _parameters(document).get("binary_data_output") is True)
    return Asked(id_of_request, _input(inputs[0], memoryview(body)[length:], max_batch), outputs)


def _input(tensor: dict[str, Any], raw: memoryview, max_batch: int) -> Input:
    name, kind, shape = tensor.get("name"), tensor.get("datatype"), tensor.get("shape")
    if not isinstance(name, str) or name not in INPUTS:
        raise BadTensors(f"Expected the input 'pixels' or 'images'; received {said(name)}.")
    if kind not in (INPUTS[name][0], BYTES):
        raise BadTensors(
            f"Expected the datatype {INPUTS[name][0]} or {BYTES} of the input {name!r}; received {said(kind)}."
        )
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise BadTensors(f"Expected as 'shape' of {name!r} a list of numbers from 0; received {said(shape)}.")
    size = _parameters(tensor).get("binary_data_size")
    if size is None and len(raw):
        raise BadTensors(
            f"Expected no bytes behind the JSON, for no input has a binary_data_size; received {len(raw)}."
        )
    if size is not None and (type(size) is not int or size != len(raw) or "data" in tensor):
        raise BadTensors(
            f"Expected a binary_data_size that is the number of bytes behind the JSON, and no 'data' with it; "
            f"received {said(size)} and {len(raw)} bytes."
        )
    if kind == BYTES:
        return Input(files=_files(tensor, shape, None if size is None else raw, max_batch))
    if size is not None:
        return from_raw(name, raw, shape, max_batch)
    return from_json(name, tensor.get("data"), shape, max_batch)


def _files(tensor: dict[str, Any], shape: list[int], raw: memoryview | None, max_batch: int) -> list[bytes]:
    if shape[1:] not in ([], [1]) or not shape:
        raise BadTensors(f"Expected the shape [N] or [N, 1] of encoded pictures; received {shape[:8]}.")
    check_count(shape[0], max_batch)
    if raw is not None:
        return raw_elements(raw, shape[0])
    data = tensor.get("data")
    if not isinstance(data, list) or len(data) != shape[0]:
        raise BadTensors(f"Expected {shape[0]} pictures in base64 as 'data'; received {said(data)}.")
    return [decode_base64(each[0] if isinstance(each, list) and len(each) == 1 else each) for each in data]


def _outputs(outputs: object, raw: bool) -> list[Output]:
    """What is asked for; `raw`: unless an output says otherwise."""
    if outputs is None or outputs == []:
        return [Output("probabilities", raw)]
    if not isinstance(outputs, list) or not all(isinstance(each, dict) for each in outputs):
        raise BadTensors(f"Expected a list of objects as 'outputs'; received {said(outputs)}.")
    names = [each.get("name") for each in outputs]
    if any(not isinstance(name, str) or name not in OUTPUTS for name in names) or len(set(names)) < len(names):
        raise BadTensors(f"Expected each of 'outputs' once at most, of {', '.join(OUTPUTS)}; received {said(names)}.")
    return [Output(each["name"], _parameters(each).get("binary_data", raw) is True) for each in outputs]


def _parameters(of: dict[str, Any]) -> dict[str, Any]:
    parameters = of.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise BadTensors(f"Expected an object as 'parameters'; received {said(parameters)}.")
    return parameters


def _respond(asked: Asked, probabilities: Probabilities, model: Model) -> Response:
    head: dict[str, Any] = {"model_name": model.name, "model_version": str(model.version)}
    if asked.id is not None:
        head["id"] = asked.id
    head["outputs"] = outputs = []
    raws: list[bytes] = []
    for name, is_raw in asked.outputs:
        values = _values(name, probabilities, model)
        tensor: dict[str, Any] = {"name": name, "datatype": OUTPUTS[name], "shape": np.shape(values)}
        if is_raw:
            raws.append(_raw(values))
            tensor["parameters"] = {"binary_data_size": len(raws[-1])}
        else:
            tensor["data"] = values.ravel() if isinstance(values, np.ndarray) else values
        outputs.append(tensor)
    body = to_json(head)
    if not raws:
        return Response(body, media_type=JSON)
    return Response(b"".join([body, *raws]), media_type=OCTETS, headers={HEADER: str(len(body))})


def _values(name: str, probabilities: Probabilities, model: Model) -> NDArray[Any] | list[str]:
    if name == "probabilities":
        return probabilities
    digits: NDArray[Any] = probabilities.argmax(axis=1).astype(np.int64)
    if name == "digits":
        return digits
    return [model.metadata.labels[digit] for digit in digits]


def _raw(values: NDArray[Any] | list[str]) -> bytes:
    if isinstance(values, np.ndarray):
        return values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
    encoded = [each.encode() for each in values]
    return b"".join(len(each).to_bytes(4, "little") + each for each in encoded)
