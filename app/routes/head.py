"""HEAD: every path that takes GET takes it, too, and answers alike, but for the body (RFC 9110, 9.3.2)."""

from fastapi import APIRouter
from fastapi.routing import APIRoute


def heads_of(router: APIRouter) -> APIRouter:
    """The routes of `router` that take GET, for HEAD; /openapi.json doesn't list them. The server drops the body."""
    heads = APIRouter(include_in_schema=False)
    for route in router.routes:
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()):
            heads.add_api_route(route.path, route.endpoint, methods=["HEAD"])
    return heads
