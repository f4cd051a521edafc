"""CORS: off; on, the listed origins alone get headers, and a browser's question beforehand needs no key."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.access.keys import Keys
from app.settings import Settings, SettingsError
from tests.conftest import serving
from tests.support import band, encode

LISTED, UNLISTED, KEY = "https://example.org", "https://example.com", "sesame-0123456789"
SEVEN = encode(band(7))
BEFOREHAND = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key,content-type"}


@pytest.fixture(scope="module")
def shared(tiny_models: Path) -> Iterator[httpx.Client]:
    settings = Settings(model_dir=tiny_models, api_keys=Keys([KEY]), cors_origins=f"http://localhost:3000, {LISTED}")
    with serving(settings) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def allowed(response: httpx.Response) -> set[str]:
    return {name for name in response.headers if name.startswith("access-control-allow-origin")}


def test_a_listed_origin_may_ask_beforehand_without_a_key(shared: httpx.Client) -> None:
    response = shared.options("/predict", headers={"Origin": LISTED, "X-Request-ID": "mine", **BEFOREHAND})
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == LISTED
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert {"X-API-Key", "Authorization"} <= set(response.headers["Access-Control-Allow-Headers"].split(", "))
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert response.headers["X-Request-ID"] == "mine"
    assert re.search(r'requests_total{method="OPTIONS",route="unmatched",status="200"} 1', shared.get("/metrics").text)


@pytest.mark.parametrize(("key", "status"), [(KEY, 200), ("none", 401)])
def test_a_listed_origin_sees_answers_and_refusals(shared: httpx.Client, key: str, status: int) -> None:
    response = shared.post("/predict", content=SEVEN, headers={"Origin": LISTED, "X-API-Key": key})
    assert response.status_code == status
    assert response.headers["Access-Control-Allow-Origin"] == LISTED
    assert "X-Request-ID" in response.headers["Access-Control-Expose-Headers"]
    assert response.headers["Vary"] == "Origin"
    assert len(response.headers.get_list("X-Request-ID")) == 1


def test_an_unlisted_origin_gets_nothing(shared: httpx.Client) -> None:
    beforehand = shared.options("/predict", headers={"Origin": UNLISTED, **BEFOREHAND})
    assert (beforehand.status_code, allowed(beforehand)) == (400, set())
    assert not allowed(shared.post("/predict", content=SEVEN, headers={"Origin": UNLISTED, "X-API-Key": KEY}))


@pytest.mark.parametrize(
    ("origin", "method", "header", "received"),
    [
        (UNLISTED, "POST", "x-api-key", f"POST of '{UNLISTED}' with 'x-api-key'."),
        (LISTED, "PUT", None, f"PUT of '{LISTED}'."),
        (LISTED, "GET", "x-other", f"GET of '{LISTED}' with 'x-other'."),
    ],
)
def test_what_is_not_shared_is_a_problem_that_says_why(
    shared: httpx.Client, origin: str, method: str, header: str | None, received: str
) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    response = shared.options(
        "/predict", headers=asked | ({"Access-Control-Request-Headers": header} if header else {})
    )
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers.get("Access-Control-Allow-Origin") == (LISTED if origin == LISTED else None)
    assert "Origin" in response.headers["Vary"]
    problem = response.json()
    assert problem["type"] == "urn:digits:not-shared"
    assert problem["detail"].endswith(f"received {received}")
    assert problem["request_id"] == response.headers["X-Request-ID"]


def test_a_question_that_is_none_wants_a_key(shared: httpx.Client) -> None:
    assert shared.options("/predict", headers={"Origin": LISTED}).status_code == 401
    assert shared.options("/predict", headers=BEFOREHAND).status_code == 401


def test_without_a_list_there_is_no_header(client: httpx.Client) -> None:
    response = client.post("/predict", content=SEVEN, headers={"Origin": LISTED})
    assert not any(name.startswith("access-control") for name in response.headers)
    assert client.options("/predict", headers={"Origin": LISTED, **BEFOREHAND}).status_code == 405


def test_a_star_is_every_origin(tiny_models: Path) -> None:
    with serving(Settings(model_dir=tiny_models, cors_origins="*")) as url:
        response = httpx.post(url + "/predict", content=SEVEN, headers={"Origin": UNLISTED})
    assert response.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    "given",
    ["example.org", "https://example.org/", "https://Example.org", "*,https://a.b", "null", "https://*.org"],
)
def test_what_is_no_origin_is_refused(given: str) -> None:
    with pytest.raises(SettingsError, match=f"^DIGITS_CORS_ORIGINS: expected origins .*; got '{re.escape(given)}'"):
        Settings.from_environment({"DIGITS_CORS_ORIGINS": given}, {})


def test_origins_may_have_ports_and_numbers() -> None:
    given = "http://localhost:3000,https://[::1]:8443"
    assert Settings.from_environment({}, {"cors_origins": given}).cors_origins == tuple(given.split(","))
