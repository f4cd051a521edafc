"""The documentation names every status, each with an example that is true to what the service answers."""

from typing import Any

import httpx
import pytest

from app import errors
from app.access.entrance import OPEN
from app.access.keys import Keys
from app.main import create_app
from app.routes.schemas import BatchPrediction, ExplainedPrediction, Prediction, ReadingOut
from app.settings import Settings
from tests.support import band, encode


@pytest.fixture(scope="module")
def paths(client: httpx.Client) -> dict[str, Any]:
    paths: dict[str, Any] = client.get("/openapi.json").json()["paths"]
    return paths


@pytest.mark.parametrize(
    ("method", "path", "statuses"),
    [
        ("post", "/predict", ["200", "400", "408", "413", "415", "422", "500", "503"]),
        ("post", "/predict/batch", ["200", "400", "408", "413", "415", "422", "500", "503"]),
        ("post", "/read", ["200", "400", "408", "413", "415", "422", "500", "501", "503"]),
        ("post", "/explain", ["200", "400", "408", "413", "415", "422", "500", "501", "503"]),
        ("get", "/model", ["200", "400", "408", "413", "500", "503"]),
        ("get", "/model/report", ["200", "400", "404", "408", "413", "500", "503"]),
        ("get", "/readyz", ["200", "400", "408", "413", "500", "503"]),
        ("get", "/livez", ["200", "400", "408", "413", "500", "503"]),
        ("get", "/metrics", ["200", "400", "408", "413", "500", "503"]),
    ],
)
def test_every_status_is_declared(paths: dict[str, Any], method: str, path: str, statuses: list[str]) -> None:
    assert sorted(paths[path][method]["responses"]) == statuses


def test_every_error_has_an_example_with_its_status(paths: dict[str, Any]) -> None:
    seen = set()
    routes = [("post", path) for path in ("/predict", "/predict/batch", "/explain", "/read")]
    for method, path in [*routes, ("get", "/model/report")]:
        for status, response in paths[path][method]["responses"].items():
            if status == "200":
                continue
            for name, example in response["content"]["application/problem+json"]["examples"].items():
                assert example["value"]["status"] == int(status)
                assert example["value"]["detail"]
                seen.add(name)
    children = {each.__name__ for each in errors.ServiceError.__subclasses__()} | {"ServiceError"}
    of_protocols = {"BadTensors", "UnknownModel", "NotOffered"}
    # the first three belong to no route, the last is there where there are keys
    assert seen == children - of_protocols - {"NotFound", "WrongMethod", "NotShared", "NoKey"}


def test_keys_are_declared_where_they_are_wanted(client: httpx.Client) -> None:
    document = create_app(Settings(api_keys=Keys(["a-key"]), metrics_open=False)).openapi()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert ("401" in operation["responses"]) == ("security" in operation) == (path not in OPEN)
    assert set(document["components"]["securitySchemes"]) == {"bearer", "header"}
    assert "securitySchemes" not in client.get("/openapi.json").json()["components"]


def test_the_examples_of_answers_fit_their_schemas() -> None:
    for schema in (Prediction, BatchPrediction, ExplainedPrediction, ReadingOut):
        schema.model_validate(schema.model_config["json_schema_extra"]["example"])  # type: ignore[index]


def test_real_answers_fit_the_schemas(client: httpx.Client) -> None:
    one = client.post("/predict?preview=true", files={"file": encode(band(1))}).json()
    assert Prediction.model_validate(one).model_dump(mode="json") == one
    why = client.post("/explain", files={"file": encode(band(1))}).json()
    assert ExplainedPrediction.model_validate(why).model_dump(mode="json", exclude_unset=True) == why
    many = client.post("/predict/batch", files=[("files", encode(band(1))), ("files", b"")]).json()
    assert BatchPrediction.model_validate(many).model_dump(mode="json", exclude_unset=True) == many


@pytest.mark.parametrize("path", ["/predict", "/explain"])
def test_how_a_picture_is_sent_is_documented(paths: dict[str, Any], path: str) -> None:
    content = paths[path]["post"]["requestBody"]["content"]
    assert set(content) == {"multipart/form-data", "image/*", "application/octet-stream"}
    assert "file" in content["multipart/form-data"]["schema"]["properties"]
    assert [each["name"] for each in paths[path]["post"]["parameters"]] == ["fit", "preview"]
