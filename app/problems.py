"""The one place that turns exceptions into answers: RFC 9457 `application/problem+json`.

Below /v1 and /v2 it is `{"error": ...}`, as the protocols there have it.
"""

import logging
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Scope, Send

from app.errors import BadQuery, NotFound, ServiceError, WrongMethod
from app.telemetry.metrics import count_refusal
from app.telemetry.observed import GONE, route_of
from app.telemetry.request_id import request_id

log = logging.getLogger("digits")

MEDIA_TYPE = "application/problem+json"
PROTOCOLS = ("/v1", "/v2")  # where these paths and those below them are errors of a protocol
PROTOCOL_MEDIA_TYPE = "application/json"
INVALID_ARGUMENT = {415: 400, 422: 400}  # neither protocol has a status of its own for a picture that can't be read
Problem = dict[str, Any]
Headers = list[tuple[bytes, bytes]]


def problem(error: ServiceError, id_of_request: str) -> Problem:
    """The body for `error`: type, title, status, detail, request_id."""
    return {
        "type": f"urn:digits:{error.slug}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "request_id": id_of_request,
    }


def refusal(error: ServiceError, id_of_request: str) -> Problem:
    """The body for `error`, as `problem`, for somebody who is answered by it: it is counted."""
    count_refusal(error)
    return problem(error, id_of_request)


def install(app: FastAPI) -> None:
    """Has every error of `app` answered as a problem."""
    app.add_exception_handler(ServiceError, _answer_service_error)
    app.add_exception_handler(RequestValidationError, _answer_validation_error)
    app.add_exception_handler(HTTPException, _answer_http_exception)
    app.add_exception_handler(ClientDisconnect, _answer_nobody)
    app.add_exception_handler(Exception, _answer_our_fault)


def methods_by_path(routers: Iterable[APIRouter]) -> dict[str, set[str]]:
    """What each path takes. The framework names the methods of a path's first route alone; HEAD has one of its own."""
    methods: dict[str, set[str]] = {}
    for route in (route for router in routers for route in router.routes):
        if isinstance(route, APIRoute):
            methods.setdefault(route.path, set()).update(route.methods or ())
    return methods


def examples(*kinds: type[ServiceError]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route for OpenAPI: an example for each kind of error, gathered by status."""
    responses: dict[int | str, dict[str, Any]] = {}
    every: tuple[type[ServiceError], ...] = (*kinds, ServiceError)
    for kind in every:
        of_status = responses.setdefault(
            kind.status,
            {"description": HTTPStatus(kind.status).phrase, "content": {MEDIA_TYPE: {"examples": {}}}},
        )
        example = {"summary": kind.title, "value": problem(kind(), "6f1c0e5a9d3b7c24")}
        of_status["content"][MEDIA_TYPE]["examples"][kind.__name__] = example
    return responses


def protocol_examples(*kinds: type[ServiceError]) -> dict[int | str, dict[str, Any]]:
    """As `examples`, of a route of the protocols."""
    schema = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
    responses: dict[int | str, dict[str, Any]] = {}
    every: tuple[type[ServiceError], ...] = (*kinds, ServiceError)
    for kind in every:
        status = INVALID_ARGUMENT.get(kind.status, kind.status)
        empty = {"schema": schema, "examples": {}}
        of_status = responses.setdefault(
            status, {"description": HTTPStatus(status).phrase, "content": {PROTOCOL_MEDIA_TYPE: empty}}
        )
        example = {"summary": kind.title, "value": {"error": kind.example}}
        of_status["content"][PROTOCOL_MEDIA_TYPE]["examples"][kind.__name__] = example
    return responses


def answer_to(error: Exception, id_of_request: str, path: str = "") -> tuple[int, Headers, bytes]:
    """Status, headers and body of the answer to a request that failed by `error`; what is our fault is logged.

    `path`: of the request; it decides on the form of the body.
    """
    if not isinstance(error, ServiceError):
        log.error("request %s failed", id_of_request, exc_info=error)
        error = ServiceError()
    media_type, status, body = MEDIA_TYPE, error.status, refusal(error, id_of_request)
    if is_of_a_protocol(path):
        media_type, status = PROTOCOL_MEDIA_TYPE, INVALID_ARGUMENT.get(status, status)
        body = {"error": error.detail}
    headers = [(b"content-type", media_type.encode("ascii"))]
    if error.retry_after_s is not None:
        headers.append((b"retry-after", str(error.retry_after_s).encode("ascii")))
    return status, headers, orjson.dumps(body)


async def refuse(error: ServiceError, scope: Scope, send: Send, more: Headers | None = None) -> None:
    """Answers a request by `error`, below the framework, with `more` headers. What is left of its body is not read."""
    status, headers, body = answer_to(error, request_id(scope), scope["path"])
    headers += [*(more or ()), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def is_of_a_protocol(path: str) -> bool:
    """Whether errors of this path are `{"error": ...}`."""
    return path[:3] in PROTOCOLS and path[3:4] in ("", "/")


def _respond(request: Request, error: Exception) -> Response:
    status, headers, body = answer_to(error, request_id(request.scope), request.scope["path"])
    response = Response(body, status)
    response.raw_headers += headers
    return response


async def _answer_service_error(request: Request, error: Exception) -> Response:
    return _respond(request, error)


async def _answer_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return _respond(request, BadQuery(_first_of(error.errors())))


def _first_of(errors: Sequence[Any]) -> str:
    first = errors[0]
    return f"Query parameter {first['loc'][-1]!r}: {first['msg'].lower()}; received {str(first.get('input'))[:100]!r}."


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    """What the framework itself raises: no such path, or not with this method."""
    assert isinstance(error, HTTPException)
    if error.status_code == WrongMethod.status:
        allowed = (error.headers or {}).get("Allow", "")
        of_path = request.app.state.methods.get(route_of(request.scope), ())
        if of_path and request.method not in of_path:  # or it was a route itself that refused the method
            allowed = ", ".join(sorted(of_path))
        response = _respond(request, WrongMethod(f"This path takes {allowed}; received {request.method}."))
        response.headers["Allow"] = allowed
        return response
    return _respond(request, NotFound())


async def _answer_nobody(request: Request, error: Exception) -> Response:
    """The client has gone before its request was complete. Nobody reads this; the status is for the log."""
    return Response(status_code=GONE)


async def _answer_our_fault(request: Request, error: Exception) -> Response:
    return _respond(request, error)
