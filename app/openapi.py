"""GET /openapi.json, completed: what may be answered to a request of any kind."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.access.entrance import is_open
from app.errors import BrokenRequest, NoKey, Overloaded, ServiceError, TooManyBytes, TooSlow
from app.problems import examples, is_of_a_protocol, protocol_examples

# Before any route is looked for: no HTTP, a head that is too long or too slow, too many connections; and our own fault.
ALWAYS: tuple[type[ServiceError], ...] = (BrokenRequest, TooManyBytes, TooSlow, Overloaded)
VALIDATION = "HTTPValidationError"  # the framework's own 422, which nobody gets here
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def complete(app: FastAPI) -> None:
    """Has /openapi.json declare every status of every route, and the keys, where there are some."""
    settings = app.state.settings

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            for path, operations in document["paths"].items():
                locked = bool(settings.api_keys) and not is_open(path, settings.metrics_open)
                for operation in operations.values():
                    _complete(path, operation, locked)
            if settings.api_keys:
                document["components"]["securitySchemes"] = SCHEMES
            for name in (VALIDATION, "ValidationError"):
                document["components"]["schemas"].pop(name, None)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(path: str, operation: dict[str, Any], locked: bool) -> None:
    responses = operation["responses"]
    if VALIDATION in str(responses.get("422")):
        del responses["422"]
    kinds = (*ALWAYS, NoKey) if locked else ALWAYS
    for status, declared in (protocol_examples if is_of_a_protocol(path) else examples)(*kinds).items():
        responses.setdefault(str(status), declared)
    if locked:
        operation["security"] = [{name: []} for name in SCHEMES]
