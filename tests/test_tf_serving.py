"""TensorFlow Serving's REST API as its documentation shows it, and what KServe V1 expects on the same paths."""

import base64
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2

from tests.conftest import MAX_BATCH, MAX_UPLOAD_BYTES
from tests.support import band, encode
from training.dataset import Dataset

MODEL = "/v1/models/tiny"
SEVEN = (band(7) / np.float32(255)).ravel().tolist()
B64 = {"b64": base64.b64encode(encode(band(7))).decode()}
STATUS = {
    "model_version_status": [
        {"version": "2", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    ],
    "name": "tiny",
    "ready": True,
}


def error_of(response: httpx.Response, status: int = 400) -> str:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Request-ID"]
    document = response.json()
    assert list(document) == ["error"]
    text: str = document["error"]
    return text


def predict(client: httpx.Client, **document: Any) -> Any:
    response = client.post(MODEL + ":predict", json=document)
    assert response.status_code == 200, response.text
    return response.json()


def is_seven(probabilities: Any) -> bool:
    return len(probabilities) == 10 and int(np.argmax(probabilities)) == 7


@pytest.mark.parametrize("path", ["", "/versions/2", "/labels/stable", "/labels/latest"])
def test_status_metadata_and_predict_by_version_and_label(client: httpx.Client, path: str) -> None:
    assert client.get(MODEL + path).json() == STATUS
    assert client.get(MODEL + path + "/metadata").json()["model_spec"]["version"] == "2"
    answer = client.post(MODEL + path + ":predict", json={"instances": [SEVEN]}).json()
    assert list(answer) == ["predictions"]
    assert is_seven(answer["predictions"][0])
    answer = client.post(MODEL + path + ":classify", json={"examples": [{"pixels": SEVEN}]}).json()
    assert max(answer["result"][0], key=lambda pair: pair[1])[0] == "digit 7"
    assert "regression" in error_of(client.post(MODEL + path + ":regress", json={}))


def test_the_metadata_are_those_of_the_saved_model(client: httpx.Client, tiny_models: Path) -> None:
    document = client.get(MODEL + "/metadata").json()
    assert document["model_spec"] == {"name": "tiny", "signature_name": "", "version": "2"}
    signatures = document["metadata"]["signature_def"]["signature_def"]
    model = saved_model_pb2.SavedModel.FromString((tiny_models / "2" / "saved_model.pb").read_bytes())
    for name, written in signatures.items():
        saved = model.meta_graphs[0].signature_def[name]
        assert written["method_name"] == saved.method_name
        for kind in ("inputs", "outputs"):
            infos = getattr(saved, kind)
            assert set(infos) == set(written[kind])
            for tensor, info in infos.items():
                assert written[kind][tensor]["dtype"] == types_pb2.DataType.Name(info.dtype)
                sizes = [int(each["size"]) for each in written[kind][tensor]["tensor_shape"]["dim"]]
                assert sizes == [each.size for each in info.tensor_shape.dim]
    assert set(signatures) == {"serving_default", "images"}


@pytest.mark.parametrize(
    "row",
    [SEVEN, {"pixels": SEVEN}, B64, {"pixels": B64}],
    ids=["numbers", "named", "picture", "named picture"],
)
def test_rows_and_columns_of_the_default_signature(client: httpx.Client, row: Any) -> None:
    answer = predict(client, instances=[row, row])
    assert list(answer) == ["predictions"]
    assert [is_seven(each) for each in answer["predictions"]] == [True, True]
    value = row["pixels"] if isinstance(row, dict) and "pixels" in row else row
    for columns in ([value, value], {"pixels": [value, value]}):
        answer = predict(client, signature_name="serving_default", inputs=columns)
        assert list(answer) == ["outputs"]
        assert [is_seven(each) for each in answer["outputs"]] == [True, True]


@pytest.mark.parametrize(
    "row",
    [band(7).tolist(), {"images": band(7).tolist()}, B64, {"images": B64}],
    ids=["numbers", "named", "picture", "named picture"],
)
def test_rows_and_columns_of_two_outputs(client: httpx.Client, row: Any) -> None:
    (answer,) = predict(client, signature_name="images", instances=[row])["predictions"]
    assert list(answer) == ["digits", "probabilities"]
    assert answer["digits"] == 7
    assert is_seven(answer["probabilities"])
    value = row["images"] if isinstance(row, dict) and "images" in row else row
    columns = predict(client, signature_name="images", inputs={"images": [value]})["outputs"]
    assert columns["digits"] == [7]
    assert is_seven(columns["probabilities"][0])


def test_an_empty_name_is_that_of_the_default_signature(client: httpx.Client) -> None:
    assert is_seven(predict(client, signature_name="", instances=[SEVEN])["predictions"][0])


def test_the_context_belongs_to_each_example(client: httpx.Client) -> None:
    document = {"context": {"pixels": SEVEN}, "examples": [{}, {"pixels": [0] * 784}]}
    first, second = client.post(MODEL + ":classify", json=document).json()["result"]
    assert [label for label, _ in first] == [f"digit {digit}" for digit in range(10)]
    assert first[7][1] > 0.9 > second[7][1]


@pytest.mark.parametrize(
    "document",
    [
        {"instances": [SEVEN]},
        {"instances": [B64]},
        {"signature_name": "images", "instances": [band(7).tolist()]},
    ],
    ids=["pixels", "picture", "image"],
)
def test_explanations_are_those_of_the_service(client: httpx.Client, document: dict[str, Any]) -> None:
    response = client.post(MODEL + ":explain", json=document)
    assert response.status_code == 200, response.text
    (why,) = response.json()["explanations"]
    own = client.post("/explain", files={"file": encode(band(7))}).json()
    assert why["digit"] == 7
    assert is_seven(why["probabilities"])
    assert np.abs(np.array(why["importances"]) - own["importances"]).max() < 1e-4
    assert why["score"]["picture"] == pytest.approx(own["score"]["picture"], abs=1e-5)


def test_the_models(client: httpx.Client) -> None:
    assert client.get("/v1/models").json() == {"models": ["tiny"]}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "either 'instances' or 'inputs'"),
        ({"instances": [SEVEN], "inputs": [SEVEN]}, "either 'instances' or 'inputs'"),
        ({"instances": SEVEN[:10]}, "[N, 784]"),
        ({"instances": [SEVEN[:-1]]}, "[N, 784]"),
        ({"instances": [SEVEN, SEVEN[:-1]]}, "lists of equal length"),
        ({"instances": []}, "at least one picture"),
        ({"instances": 5}, "list as 'instances'"),
        ({"instances": [5]}, "[N, 784]"),
        ({"instances": ["7"]}, "Expected numbers"),
        ({"instances": [{"other": SEVEN}]}, "the input 'pixels' of 'serving_default'"),
        ({"instances": [{"pixels": SEVEN, "more": 1}]}, "the input 'pixels'"),
        ({"instances": [{"pixels": SEVEN}, SEVEN]}, "the input 'pixels'"),
        ({"instances": [[256] * 784]}, "from 0 to 1"),
        ({"signature_name": "other", "instances": [SEVEN]}, "signature serving_default or images"),
        ({"signature_name": {}, "instances": [SEVEN]}, "signature serving_default or images"),
        ({"signature_name": 5, "instances": [SEVEN]}, "signature serving_default or images"),
        ({"signature_name": "images", "instances": [SEVEN]}, "[N, 28, 28]"),
        ({"signature_name": "images", "instances": [{"pixels": SEVEN}]}, "the input 'images'"),
        ({"inputs": {"images": [SEVEN]}}, "the input 'pixels'"),
        ({"inputs": {"pixels": [SEVEN], "images": []}}, "the input 'pixels'"),
        ({"inputs": {}}, "the input 'pixels'"),
        ({"inputs": []}, "at least one picture"),
        ({"inputs": B64}, "Expected numbers"),
        ({"instances": [{"b64": "*"}]}, "in base64"),
        ({"instances": [{"b64": "_-8="}]}, "in base64"),
        ({"instances": [{"b64": 5}]}, "in base64"),
        ({"instances": [B64, SEVEN]}, '{"b64": ...}'),
        ({"instances": [B64, {"b64": "aGVsbG8="}]}, "Picture 1: Expected a PNG"),
    ],
)
def test_what_is_wrong_is_said(client: httpx.Client, document: dict[str, Any], words: str) -> None:
    assert words in error_of(client.post(MODEL + ":predict", json=document))


@pytest.mark.parametrize("examples", [None, 5, [], [5], [{}], [{"other": 1}]])
def test_what_is_wrong_with_examples_is_said(client: httpx.Client, examples: Any) -> None:
    assert "Expected" in error_of(client.post(MODEL + ":classify", json={"examples": examples}))


def test_a_picture_that_cannot_be_explained_is_named(client: httpx.Client) -> None:
    document = {"instances": [B64, {"b64": "aGVsbG8="}]}
    assert "Picture 1: Expected a PNG" in error_of(client.post(MODEL + ":explain", json=document))


@pytest.mark.parametrize("body", [b"", b"{", b"5", b'{"instances": [[NaN]]}', b'{"instances": [[Infinity]]}'])
def test_what_is_no_json_is_refused(client: httpx.Client, body: bytes) -> None:
    assert "Expected" in error_of(client.post(MODEL + ":predict", content=body))


def test_limits_hold(client: httpx.Client) -> None:
    for rows in ([[0] * 784], [B64]):
        document = {"instances": rows * (MAX_BATCH + 1)}
        assert f"at most {MAX_BATCH}" in error_of(client.post(MODEL + ":predict", json=document), 413)
    assert "bytes" in error_of(client.post(MODEL + ":predict", content=bytes(MAX_UPLOAD_BYTES + 1)), 413)


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/v1/models/other", 404, "Expected the model 'tiny', which is served; received 'other'."),
        ("GET", "/v1/models/other/metadata", 404, "'tiny'"),
        ("POST", "/v1/models/other:predict", 404, "'tiny'"),
        ("POST", "/v1/models/other:explain", 404, "'tiny'"),
        ("GET", MODEL + "/versions/1", 404, "Expected version 2 of the model 'tiny'"),
        ("GET", MODEL + "/versions/x/metadata", 404, "version 2"),
        ("POST", MODEL + "/versions/1:predict", 404, "version 2"),
        ("POST", MODEL + "/versions/1:classify", 404, "version 2"),
        ("GET", MODEL + "/labels/canary", 404, "'stable' or 'latest'"),
        ("POST", MODEL + "/labels/canary:predict", 404, "'stable' or 'latest'"),
        ("GET", "/v1/nothing", 404, "nothing at this path"),
        ("GET", "/v1", 404, "nothing at this path"),
        ("GET", MODEL + ":predict", 405, "takes POST; received GET"),
        ("GET", MODEL + "/versions/2:predict", 405, "takes POST; received GET"),
        ("PUT", MODEL + ":predict", 405, "takes POST; received PUT"),
        ("POST", MODEL, 405, "takes GET, HEAD; received POST"),
        ("POST", MODEL + "/metadata", 405, "takes GET, HEAD; received POST"),
        ("POST", MODEL + ":regret", 404, "after the colon, or explain, without a version; received 'regret'"),
        ("POST", MODEL + "/versions/2:explain", 404, "without a version; received 'explain'"),
        ("POST", MODEL + "/labels/stable:a:b", 404, "after the colon"),
        ("GET", MODEL + ":regret", 404, "received 'regret'"),
    ],
)
def test_other_errors_are_the_protocols_too(
    client: httpx.Client, method: str, path: str, status: int, words: str
) -> None:
    response = client.request(method, path)
    assert words in error_of(response, status)
    assert ("Allow" in response.headers) == (status == 405)


def test_all_test_pictures_in_rows(shipped_url: str, mnist: Dataset) -> None:
    headers = {"Content-Type": "application/octet-stream", "Accept": "application/octet-stream"}
    with httpx.Client(base_url=shipped_url, timeout=60) as client:
        for start in range(0, 10_000, 1000):
            images = mnist.x_test[start : start + 1000]
            raw = client.post("/predict/batch", content=images.tobytes(), headers=headers).content
            document = {"signature_name": "images", "inputs": images.tolist()}
            outputs = client.post("/v1/models/mnist_mlp:predict", json=document).json()["outputs"]
            expected = np.frombuffer(raw, "<f4").reshape(-1, 10)
            assert np.abs(np.array(outputs["probabilities"]) - expected).max() <= 1e-5
            assert outputs["digits"] == expected.argmax(axis=1).tolist()
