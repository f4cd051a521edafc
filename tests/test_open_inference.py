"""The Open Inference Protocol, spoken by Triton's own client, and by hand where that can't say something wrong."""

import asyncio
import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from app import __version__, errors
from app.main import create_app, surround
from app.model.model import Model
from app.settings import Settings
from tests.conftest import MAX_BATCH, MAX_UPLOAD_BYTES
from tests.support import SHIPPED_VERSION, band, encode, running_service
from training.dataset import Dataset

MODEL = "/v2/models/tiny"
INFER = MODEL + "/infer"
HEADER = "Inference-Header-Content-Length"
SEVEN = (band(7) / np.float32(255)).reshape(1, 784)


def tensor(**other: Any) -> dict[str, Any]:
    return {"name": "pixels", "datatype": "FP32", "shape": [1, 784], "data": SEVEN.tolist()} | other


def infer(client: httpx.Client, *inputs: dict[str, Any], **more: Any) -> httpx.Response:
    return client.post(INFER, json={"inputs": inputs, **more})


def raw(client: httpx.Client, document: dict[str, Any], data: bytes, **headers: str) -> httpx.Response:
    head = json.dumps(document).encode()
    return client.post(INFER, content=head + data, headers={HEADER: str(len(head))} | headers)


def digits_in(response: httpx.Response) -> list[int]:
    assert response.status_code == 200, response.text
    (output,) = response.json()["outputs"]
    assert (output["name"], output["datatype"]) == ("probabilities", "FP32")
    digits: list[int] = np.reshape(output["data"], output["shape"]).argmax(axis=1).tolist()
    return digits


def error_of(response: httpx.Response, status: int = 400) -> str:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Request-ID"]
    document = response.json()
    assert list(document) == ["error"]
    text: str = document["error"]
    return text


@pytest.fixture(scope="module")
def shipped_client(shipped_url: str) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(shipped_url.removeprefix("http://"), network_timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def tiny_client(tiny_url: str) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(tiny_url.removeprefix("http://")) as client:
        yield client


@pytest.fixture(scope="module")
def expected(shipped_url: str, mnist: Dataset) -> NDArray[np.float32]:
    """What POST /predict/batch answers to all test pictures."""
    headers = {"Content-Type": "application/octet-stream", "Accept": "application/octet-stream"}
    batches = [mnist.x_test[start : start + 1000].tobytes() for start in range(0, 10_000, 1000)]
    answers = [
        httpx.post(shipped_url + "/predict/batch", content=each, headers=headers, timeout=60) for each in batches
    ]
    return np.concatenate([np.frombuffer(each.content, "<f4").reshape(-1, 10) for each in answers])


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "JSON"])
@pytest.mark.parametrize("name", ["pixels", "images"])
def test_triton_gets_right_answers_for_all_test_pictures(
    shipped_client: triton.InferenceServerClient,
    mnist: Dataset,
    expected: NDArray[np.float32],
    name: str,
    binary: bool,
) -> None:
    size = 1000 if binary else 500
    answers = []
    for start in range(0, 10_000, size):
        images = mnist.x_test[start : start + size]
        rows = images if name == "images" else images.reshape(-1, 784).astype(np.float32) / np.float32(255)
        given = triton.InferInput(name, rows.shape, "UINT8" if name == "images" else "FP32")
        given.set_data_from_numpy(rows, binary_data=binary)
        outputs = [triton.InferRequestedOutput("probabilities", binary_data=binary)]
        answer = shipped_client.infer("mnist_mlp", [given], str(SHIPPED_VERSION), outputs)
        answers.append(answer.as_numpy("probabilities"))
    assert np.abs(np.concatenate(answers) - expected).max() <= 1e-5


def test_triton_finds_what_it_asks_for(tiny_client: triton.InferenceServerClient) -> None:
    assert tiny_client.is_server_live()
    assert tiny_client.is_server_ready()
    assert tiny_client.is_model_ready("tiny")
    assert tiny_client.is_model_ready("tiny", "2")
    assert not tiny_client.is_model_ready("tiny", "1")
    assert not tiny_client.is_model_ready("other")
    assert tiny_client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    metadata = tiny_client.get_model_metadata("tiny")
    assert metadata == tiny_client.get_model_metadata("tiny", "2")
    assert metadata == {
        "name": "tiny",
        "versions": ["2"],
        "platform": "tensorflow_savedmodel",
        "inputs": [{"name": "pixels", "datatype": "FP32", "shape": [-1, 784]}],
        "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 10]}],
    }
    index = tiny_client.get_model_repository_index()
    assert index == [{"name": "tiny", "version": "2", "state": "READY", "reason": ""}]
    for order in (tiny_client.load_model, tiny_client.unload_model):
        with pytest.raises(InferenceServerException, match="by itself"):
            order("tiny")


def test_triton_sends_pictures_and_gets_labels(tiny_client: triton.InferenceServerClient) -> None:
    pictures = np.array([encode(band(3)), encode(band(8), "BMP")], object)
    for binary in (True, False):
        given = triton.InferInput("images", [2], "BYTES")
        texts = pictures if binary else np.array([base64.b64encode(each) for each in pictures], object)
        given.set_data_from_numpy(texts, binary_data=binary)
        outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in ("labels", "digits")]
        answer = tiny_client.infer("tiny", [given], outputs=outputs, request_id="mine")
        digits, labels = answer.as_numpy("digits"), answer.as_numpy("labels")
        assert (digits.dtype, digits.tolist()) == (np.int64, [3, 8])
        assert [each.decode() if binary else each for each in labels] == ["digit 3", "digit 8"]
        assert answer.get_response()["id"] == "mine"


def test_triton_gets_the_error(tiny_client: triton.InferenceServerClient) -> None:
    given = triton.InferInput("pixels", [1, 10], "FP32")
    given.set_data_from_numpy(np.zeros((1, 10), np.float32))
    with pytest.raises(InferenceServerException, match=r"Expected the shape \[N, 784\]") as failure:
        tiny_client.infer("tiny", [given])
    assert failure.value.status() == "400"


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/v2", {"name": "digits", "version": __version__, "extensions": ["binary_tensor_data"]}),
        ("/v2/", {"name": "digits", "version": __version__, "extensions": ["binary_tensor_data"]}),
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models", {"models": ["tiny"]}),
        (MODEL + "/ready", {"name": "tiny", "ready": True}),
        (MODEL + "/versions/2/ready", {"name": "tiny", "ready": True}),
    ],
)
def test_what_is_asked_by_get(client: httpx.Client, path: str, answer: Any) -> None:
    response = client.get(path)
    assert (response.status_code, response.json()) == (200, answer)


@pytest.mark.parametrize("path", ["", "/versions/2"], ids=["without version", "with version"])
def test_an_answer_is_as_the_protocol_has_it(client: httpx.Client, path: str) -> None:
    response = client.post(MODEL + path + "/infer", json={"id": "a1", "inputs": [tensor()]})
    document = response.json()
    (output,) = document.pop("outputs")
    assert document == {"model_name": "tiny", "model_version": "2", "id": "a1"}
    assert list(output) == ["name", "datatype", "shape", "data"]
    assert output["shape"] == [1, 10]
    assert len(output["data"]) == 10
    for nothing in ({}, {"id": None, "parameters": None, "outputs": None}):
        assert "id" not in infer(client, tensor(), **nothing).json()


@pytest.mark.parametrize(
    "given",
    [
        tensor(),
        tensor(data=SEVEN.ravel().tolist()),
        tensor(name="images", datatype="UINT8", shape=[1, 28, 28], data=[band(7).tolist()]),
        tensor(name="images", datatype="UINT8", shape=[1, 28, 28], data=band(7).ravel().tolist()),
        tensor(name="images", datatype="BYTES", shape=[1], data=[base64.b64encode(encode(band(7))).decode()]),
        tensor(name="pixels", datatype="BYTES", shape=[1, 1], data=[[base64.b64encode(encode(band(7))).decode()]]),
    ],
    ids=["nested", "flat", "images nested", "images flat", "picture", "picture nested"],
)
def test_every_form_of_an_input(client: httpx.Client, given: dict[str, Any]) -> None:
    assert digits_in(infer(client, given)) == [7]


def test_outputs_are_those_asked_for_in_that_order(client: httpx.Client) -> None:
    given = tensor(shape=[2, 784], data=[SEVEN[0].tolist()] * 2)
    response = infer(client, given, outputs=[{"name": name} for name in ("labels", "digits", "probabilities")])
    labels, digits, probabilities = response.json()["outputs"]
    assert labels == {"name": "labels", "datatype": "BYTES", "shape": [2], "data": ["digit 7", "digit 7"]}
    assert digits == {"name": "digits", "datatype": "INT64", "shape": [2], "data": [7, 7]}
    assert probabilities["shape"] == [2, 10]


def test_raw_tensors_in_and_out_are_exact(client: httpx.Client) -> None:
    head = {
        "inputs": [{"name": "pixels", "datatype": "FP32", "shape": [1, 784], "parameters": {"binary_data_size": 3136}}]
    }
    assert digits_in(raw(client, head, SEVEN.tobytes())) == [7]
    wanted = [{"name": "digits", "parameters": {"binary_data": True}}, {"name": "probabilities"}]
    for more in ({"outputs": wanted}, {"parameters": {"binary_data_output": True}}):
        response = raw(client, head | more, SEVEN.tobytes())
        assert response.headers["Content-Type"] == "application/octet-stream"
        length = int(response.headers[HEADER])
        first, *others = json.loads(response.content[:length])["outputs"]
        rest = response.content[length:]
        assert first["parameters"] == {"binary_data_size": len(rest)}
        assert "data" not in first
        if others:
            assert (rest, len(others[0]["data"])) == ((7).to_bytes(8, "little"), 10)
        else:
            assert np.frombuffer(rest, "<f4").argmax() == 7


def test_an_output_is_raw_as_it_says_itself_or_else_as_the_request_says(client: httpx.Client) -> None:
    outputs = [{"name": "probabilities"}, {"name": "digits", "parameters": {"binary_data": False}}]
    response = infer(client, tensor(), outputs=outputs, parameters={"binary_data_output": True})
    probabilities, digits = json.loads(response.content[: int(response.headers[HEADER])])["outputs"]
    assert probabilities["parameters"] == {"binary_data_size": 40}
    assert digits["data"] == [7]


def test_a_body_may_be_one_raw_tensor(client: httpx.Client) -> None:
    response = client.post(INFER, content=np.repeat(SEVEN, 2, axis=0).tobytes(), headers={HEADER: "0"})
    rows = np.frombuffer(response.content[int(response.headers[HEADER]) :], "<f4").reshape(2, 10)
    assert rows.argmax(axis=1).tolist() == [7, 7]


def test_what_is_large_is_read_as_well(client: httpx.Client) -> None:
    rows = [SEVEN[0].tolist()] * MAX_BATCH
    assert digits_in(infer(client, tensor(shape=[MAX_BATCH, 784], data=rows))) == [7] * MAX_BATCH


def many(count: int) -> dict[str, Any]:
    return tensor(shape=[count, 784], data=[0] * (784 * count))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "'inputs'"),
        ({"inputs": []}, "list of one tensor"),
        ({"inputs": [tensor(), tensor()]}, "list of one tensor"),
        ({"inputs": [5]}, "list of one tensor"),
        ({"inputs": [tensor(name="other")]}, "'pixels' or 'images'"),
        ({"inputs": [tensor(name=["pixels"])]}, "'pixels' or 'images'"),
        ({"inputs": [tensor(datatype="FP64")]}, "datatype FP32 or BYTES"),
        ({"inputs": [tensor(datatype="UINT8")]}, "datatype FP32 or BYTES"),
        ({"inputs": [tensor(shape="1")]}, "list of numbers"),
        ({"inputs": [tensor(shape=[-1, 784])]}, "list of numbers"),
        ({"inputs": [tensor(shape=[True, 784])]}, "list of numbers"),
        ({"inputs": [tensor(shape=[])]}, "[N, 784]"),
        ({"inputs": [tensor(shape=[1, 28, 28])]}, "[N, 784]"),
        ({"inputs": [tensor(shape=[0, 784], data=[])]}, "at least one picture"),
        ({"inputs": [tensor(shape=[2, 784])]}, "data of the shape [2, 784]"),
        ({"inputs": [tensor(data=None)]}, "Expected numbers"),
        ({"inputs": [tensor(data=[[]])]}, "an empty list"),
        ({"inputs": [tensor(data="0")]}, "Expected numbers"),
        ({"inputs": [tensor(data=["0"] * 784)]}, "Expected numbers"),
        ({"inputs": [tensor(data=[None] * 784)]}, "Expected numbers"),
        ({"inputs": [tensor(data=[True] * 784)]}, "Expected numbers"),
        ({"inputs": [tensor(data=[[0, 1], [0]])]}, "lists of equal length"),
        ({"inputs": [tensor(data=[0] * 783 + [255])]}, "from 0 to 1"),
        ({"inputs": [tensor(data=[0] * 783 + [-0.5])]}, "from 0 to 1"),
        ({"inputs": [tensor(data=[0] * 783 + [1e300])]}, "from 0 to 1"),
        ({"inputs": [tensor(name="images", datatype="UINT8", shape=[1, 28, 28], data=[0.5] * 784)]}, "whole numbers"),
        (
            {"inputs": [tensor(name="images", datatype="UINT8", shape=[1, 28, 28], data=[256] * 784)]},
            "received some from 256 to 256",
        ),
        ({"inputs": [tensor(datatype="BYTES", shape=[1], data=["%"])]}, "in base64"),
        ({"inputs": [tensor(datatype="BYTES", shape=[1], data=[7])]}, "in base64"),
        ({"inputs": [tensor(datatype="BYTES", shape=[2], data=[""])]}, "2 pictures"),
        ({"inputs": [tensor(datatype="BYTES", shape=[1, 2], data=[""])]}, "[N] or [N, 1]"),
        ({"inputs": [tensor(datatype="BYTES", shape=[1], data=["aGVsbG8="])]}, "Picture 0: Expected a PNG"),
        ({"inputs": [tensor(datatype="BYTES", shape=[1], data=[""])]}, "Picture 0: Expected the bytes"),
        ({"inputs": [tensor(parameters=5)]}, "'parameters'"),
        ({"inputs": [tensor(parameters={"binary_data_size": 3136})]}, "binary_data_size"),
        ({"inputs": [tensor()], "id": 5}, "'id'"),
        ({"inputs": [tensor()], "parameters": []}, "'parameters'"),
        ({"inputs": [tensor()], "outputs": 5}, "'outputs'"),
        ({"inputs": [tensor()], "outputs": [5]}, "'outputs'"),
        ({"inputs": [tensor()], "outputs": [{"name": "other"}]}, "probabilities, digits, labels"),
        ({"inputs": [tensor()], "outputs": [{"name": "digits"}] * 2}, "once at most"),
    ],
)
def test_what_is_wrong_is_said(client: httpx.Client, given: dict[str, Any], words: str) -> None:
    assert words in error_of(client.post(INFER, json=given))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "breaks off its form"),
        (b"[1]", "a JSON object"),
        (b'{"inputs": [{"data": [NaN]}]}', "no NaN and no Infinity"),
        (b'{"inputs": [{"data": [Infinity]}]}', "no NaN and no Infinity"),
        (b'{"inputs": ' + b"[" * 2000 + b"]" * 2000 + b"}", "breaks off its form"),
        (b'{"inputs": [{"name": "pixels", "datatype": "FP32", "shape": [1, 784], "data": ' + b"[" * 99 + b"]" * 99
         + b"}]}", "lists of equal length"),
        (b'{"inputs": [{"name": ' + b"[" * 999 + b"]" * 999 + b"}]}", "in more than 254 levels"),
        (b"[" * 1000 + b"]" * 1000, "in more than 254 levels"),
        (b"\xff", "breaks off its form"),
    ],
    ids=["empty", "list", "nan", "infinity", "deep", "less deep", "deeper", "deep list", "no utf-8"],
)  # fmt: skip
def test_what_is_no_json_is_refused(client: httpx.Client, body: bytes, words: str) -> None:
    assert words in error_of(client.post(INFER, content=body))


def test_raw_numbers_are_checked(client: httpx.Client) -> None:
    for value in (np.nan, np.inf, -1, 1.5):
        rows = np.full((1, 784), 0.5, np.float32)
        rows[0, 5] = value
        assert "from 0 to 1" in error_of(client.post(INFER, content=rows.tobytes(), headers={HEADER: "0"}))


@pytest.mark.parametrize(
    ("size", "data", "words"),
    [
        (3136, b"1234", "binary_data_size"),
        ("3136", bytes(3136), "binary_data_size"),
        (None, bytes(3136), "no bytes behind the JSON"),
        (4, bytes(4), "3136 bytes of FP32"),
    ],
)
def test_the_sizes_of_raw_tensors_must_add_up(client: httpx.Client, size: Any, data: bytes, words: str) -> None:
    given = tensor()
    del given["data"]
    given["parameters"] = {} if size is None else {"binary_data_size": size}
    assert words in error_of(raw(client, {"inputs": [given]}, data))


@pytest.mark.parametrize("data", [b"", b"\0\0", b"\xff\xff\xff\xffpng", b"\1\0\0\0ab", b"\0\0\0\0\0\0\0\0"])
def test_raw_bytes_must_be_whole(client: httpx.Client, data: bytes) -> None:
    given = {"name": "images", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(data)}}
    assert "elements of BYTES" in error_of(raw(client, {"inputs": [given]}, data))


@pytest.mark.parametrize("length", ["-1", "x", "1" * 5000, "999999"])
def test_a_wrong_length_of_the_json_is_refused(client: httpx.Client, length: str) -> None:
    assert HEADER in error_of(client.post(INFER, json={"inputs": [tensor()]}, headers={HEADER: length}))


def test_limits_hold(client: httpx.Client) -> None:
    assert f"at most {MAX_BATCH} pictures" in error_of(infer(client, many(MAX_BATCH + 1)), 413)
    assert "bytes" in error_of(client.post(INFER, content=bytes(MAX_UPLOAD_BYTES + 1)), 413)
    assert "lists and objects" in error_of(client.post(INFER, content=b"[]," * 50_000), 413)
    assert "not compressed" in error_of(client.post(INFER, content=b"{}", headers={"Content-Encoding": "gzip"}))


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/v2/models/other", 404, "Expected the model 'tiny', which is served; received 'other'."),
        ("GET", "/v2/models/other/ready", 404, "'tiny'"),
        ("POST", "/v2/models/other/infer", 404, "'tiny'"),
        ("GET", MODEL + "/versions/1", 404, "Expected version 2 of the model 'tiny', which is served; received '1'."),
        ("GET", MODEL + "/versions/x/ready", 404, "version 2"),
        ("POST", MODEL + "/versions/02/infer", 404, "version 2"),
        ("GET", "/v2/nothing", 404, "nothing at this path"),
        ("GET", INFER, 405, "takes POST; received GET"),
        ("DELETE", "/v2", 405, "takes GET, HEAD; received DELETE"),
        ("POST", "/v2/repository/models/tiny/load", 501, "by itself"),
        ("POST", "/v2/repository/models/tiny/unload", 501, "by itself"),
    ],
)
def test_other_errors_are_the_protocols_too(
    client: httpx.Client, method: str, path: str, status: int, words: str
) -> None:
    response = client.request(method, path)
    assert words in error_of(response, status)
    assert ("Allow" in response.headers) == (status == 405)


def test_paths_that_only_begin_alike_have_problems(client: httpx.Client) -> None:
    assert client.get("/v22").headers["Content-Type"] == "application/problem+json"


def test_it_is_counted_as_everything_else(client: httpx.Client) -> None:
    def count(name: str) -> float:
        lines = client.get("/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    route = 'digits_requests_total{method="POST",route="/v2/models/{model}/infer",status="200"}'
    names = [route, 'digits_predictions_total{digit="7"}', 'digits_refused_total{reason="bad-tensors"}']
    before = [count(name) for name in names]
    digits_in(infer(client, tensor()))
    error_of(infer(client))
    assert [count(name) for name in names] == [each + 1 for each in before]


def test_every_error_of_the_protocols_is_documented() -> None:
    paths = create_app(Settings()).openapi()["paths"]
    seen = set()
    for path, methods in paths.items():
        for route in methods.values():
            if path.startswith(("/v1", "/v2")):
                for response in route["responses"].values():
                    seen |= set(response["content"]["application/json"].get("examples", {}))
    assert {"BadTensors", "UnknownModel", "TooManyPictures", "NotReady", "Overloaded", "ServiceError"} <= seen
    assert errors.NotOffered.__name__ not in seen


def test_a_model_that_judges_answers_probabilities_alone(shipped: Model, shipped_url: str) -> None:
    assert shipped.metadata.not_a_digit is not None
    response = httpx.post(shipped_url + "/v2/models/mnist_mlp/infer", json={"inputs": [tensor()]})
    assert response.json()["outputs"][0]["shape"] == [1, 10]


def test_before_a_model_is_there_both_protocols_say_so(tmp_path: Path, tiny_models: Path) -> None:
    broken = shutil.copytree(tiny_models / "1", tmp_path / "broken" / "1")
    (broken / "saved_model.pb").write_bytes(b"")
    with running_service(tmp_path, "--model-dir", str(broken.parent), wait=False) as service:
        assert httpx.get(service.url + "/v2/health/live").json() == {"live": True}
        for method, path in [
            ("GET", "/v2/health/ready"),
            ("GET", "/v2/models/mnist_mlp/ready"),
            ("POST", "/v2/models/mnist_mlp/infer"),
            ("GET", "/v1/models/mnist_mlp"),
            ("POST", "/v1/models/mnist_mlp:predict"),
        ]:
            response = httpx.request(method, service.url + path)
            error_of(response, 503)
            assert response.headers["Retry-After"] == "1"


def test_our_own_fault_is_an_error_without_detail() -> None:
    app = create_app(Settings())

    @app.get("/v2/broken")
    async def broken() -> None:
        raise ValueError("secret")

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(surround(app), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/v2/broken")

    assert "secret" not in error_of(asyncio.run(ask()), 500)
