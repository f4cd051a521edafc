"""Floor: receives the body, answers a constant. What uvicorn itself costs."""

from typing import Any

ANSWER = b'{"digit":7,"probabilities":[0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.99,0.0,0.01]}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application."""
    if scope["type"] != "http":  # uvicorn asks for a lifespan and goes on without
        raise ValueError(f"Expected a request over HTTP; received {scope['type']!r}.")
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})
