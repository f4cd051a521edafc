"""Who may ask: the keys, in a real service; the page that asks for one; the client; pages of other sites."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app import healthcheck
from app.access.entrance import OPEN, is_open
from app.access.keys import Keys
from app.client import Client, Problem
from app.main import create_app
from app.settings import Settings, SettingsError
from tests.raw import connected, post, received_to_the_end, status_of
from tests.support import CHECKOUT, LITERT, SEVEN, Service, running_service

KEY, OTHER = "a-key-of-a-test-0123", "anothér".encode().hex() * 2
PICTURE = SEVEN.read_bytes()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """With two keys from a file."""
    folder = tmp_path_factory.mktemp("keys")
    (folder / "keys").write_text(f"# those of the test\n\n{KEY}\n  {OTHER}  \n")
    options = (*LITERT, "--api-keys", f"@{folder / 'keys'}")
    with running_service(folder, *options) as service:
        yield service
        log = service.log.read_text()
        assert KEY not in log
        assert OTHER not in log


def paths_of_the_service() -> list[tuple[str, str]]:
    app = create_app(Settings())
    found = [
        (method.upper(), path.replace("{name}", "mnist_mlp").replace("{model}", "mnist_mlp").replace("{version}", "2"))
        for path, operations in app.openapi()["paths"].items()
        for method in operations
    ]
    assert len(found) > 15
    return found


@pytest.mark.parametrize(("method", "path"), paths_of_the_service())
def test_only_the_open_paths_are_answered_without_a_key(service: Service, method: str, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"X-API-Key": KEY[:-1]}, {"Authorization": f"Basic {KEY}"}):
        answer = httpx.request(method, service.url + path, headers=headers)
        assert (answer.status_code != 401) == is_open(path, metrics_are_open=True)
    for headers in ({"Authorization": f"Bearer {KEY}"}, {"X-API-Key": OTHER}, {"authorization": f"BEARER  {OTHER}"}):
        assert httpx.request(method, service.url + path, headers=headers).status_code != 401


def test_what_shows_nothing_of_the_model_is_open(service: Service) -> None:
    for path in (*OPEN, "/page/page.js", "/metrics"):
        assert httpx.get(service.url + path).status_code == 200
    for path in ("/model", "/model/report", "/page", "/nothing", "//livez", "/livez/", "/Livez", "/v2", "/v1/models/x"):
        assert httpx.get(service.url + path).status_code == 401


def test_the_refusal_says_what_is_wanted(service: Service) -> None:
    answer = httpx.post(service.url + "/predict", content=PICTURE, headers={"X-Request-ID": "mine"})
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Request-ID"] == answer.json()["request_id"] == "mine"
    assert "'Authorization: Bearer KEY' or 'X-API-Key: KEY'; received none" in answer.json()["detail"]
    wrong = httpx.get(service.url + "/model", headers={"X-API-Key": "wrong"})
    assert "received another" in wrong.json()["detail"]
    basic = httpx.get(service.url + "/model", auth=("me", "secret"))
    assert basic.json()["detail"].endswith("received an Authorization of another kind.")
    assert set(httpx.get(service.url + "/v2/models/mnist_mlp").json()) == {"error"}
    assert httpx.head(service.url + "/model").status_code == 401


def test_the_body_of_one_who_may_not_ask_is_not_waited_for(service: Service) -> None:
    with connected(service.url) as raw:
        raw.sendall(post()[:-1])
        answer = received_to_the_end(raw)
    assert status_of(answer) == 401
    assert b"connection: close" in answer.lower()


def test_refusals_are_counted_and_logged(service: Service) -> None:
    def count() -> float:
        found = re.search(
            r'^digits_refused_total\{reason="no-key"\} (\S+)$', httpx.get(service.url + "/metrics").text, re.M
        )
        return float(found[1]) if found else 0

    before = count()
    httpx.post(service.url + "/predict", content=PICTURE, headers={"X-Request-ID": "one-without-key"})
    assert count() == before + 1
    assert re.search(r'"POST /predict" 401 .*one-without-key', service.log.read_text())


def test_with_a_key_all_is_as_ever(service: Service) -> None:
    answer = httpx.post(service.url + "/predict", content=PICTURE, headers={"X-API-Key": KEY})
    assert answer.json()["digit"] == 7


def test_metrics_can_be_closed(tmp_path: Path, tiny_models: Path) -> None:
    options = (*LITERT, "--model-dir", str(tiny_models), "--api-keys", KEY, "--metrics-open", "false")
    with running_service(tmp_path, *options) as service:
        assert httpx.get(service.url + "/metrics").status_code == 401
        assert httpx.get(service.url + "/metrics", headers={"X-API-Key": KEY}).status_code == 200
        assert "digits_requests_total" in httpx.get(service.url + "/metrics", headers={"X-API-Key": KEY}).text


def test_the_client_and_the_command_take_a_key(service: Service) -> None:
    with Client(service.url, api_key=KEY) as client:
        assert client.predict(PICTURE).digit == 7
    with Client(service.url) as client, pytest.raises(Problem, match="key") as raised:
        client.predict(PICTURE)
    assert raised.value.status == 401
    command = [sys.executable, "-m", "app.cli", "read", str(SEVEN), "--url", service.url]
    read = subprocess.run(
        command, env={"DIGITS_API_KEY": KEY}, cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert f"{SEVEN},7,7," in read.stdout


def test_the_healthcheck_needs_no_key(service: Service) -> None:
    assert healthcheck.is_ready(httpx.URL(service.url).port or 0)


@pytest.mark.parametrize(
    ("text", "number"), [("", "none"), (" ", "none"), ("a", "1"), ("a,b , c,", "3"), ("a@b", "1"), ("=+/!#", "1")]
)
def test_keys_from_a_text(text: str, number: str) -> None:
    keys = Keys.parse(text)
    assert str(keys) == number
    assert bool(keys) == (number != "none")
    assert all(keys.know(each.strip().encode()) for each in text.split(",") if each.strip())
    assert not keys.know(b"")


@pytest.mark.parametrize("text", [",", "geheim geheim", "schlüssel-geheim", "geheim\x00", "geheim\nX: y"])
def test_a_wrong_key_is_an_error_that_does_not_show_it(text: str) -> None:
    for environment, options in (({"DIGITS_API_KEYS": text}, {}), ({}, {"api_keys": text})):
        with pytest.raises(SettingsError) as raised:
            Settings.from_environment(environment, options)
        assert "geheim" not in str(raised.value)
        assert raised.value.__cause__ is raised.value.__context__ is None


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file"), (b"", "has none"), (b"# one\n\n", "has none"), (b"\xff", "UTF-8")]
)
def test_a_wrong_file_of_keys_is_an_error(tmp_path: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "keys").write_bytes(content)
    with pytest.raises(SettingsError, match=reason):
        Settings.from_environment({}, {"api_keys": f"@{tmp_path / 'keys'}"})


def test_settings_never_show_keys() -> None:
    settings = Settings.from_environment({"DIGITS_API_KEYS": f"{KEY},{OTHER}"}, {})
    assert KEY not in repr(settings)
    assert KEY not in settings.model_dump_json(fallback=str)
    with pytest.raises(ValueError, match="api_keys") as raised:
        Settings(api_keys="geheim geheim")
    assert "geheim" not in str(raised.value)


def test_metrics_are_closed_by_keys_alone() -> None:
    with pytest.raises(SettingsError, match=r"^--metrics-open: .*no keys.*; got 'no'"):
        Settings.from_environment({}, {"metrics_open": "no"})
    assert not Settings.from_environment({"DIGITS_API_KEYS": KEY}, {"metrics_open": "no"}).metrics_open


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--host", "0.0.0.0"], ["everybody who reaches 0.0.0.0 may ask"]),
        (["--host", "0.0.0.0", "--api-keys", KEY], []),
        (["--api-keys", "guess,me"], ["keys of less than 16 characters can be guessed"]),
        ([], []),
    ],
)
def test_what_one_may_not_have_thought_of_is_said_once(
    tmp_path: Path, tiny_models: Path, options: list[str], words: list[str]
) -> None:
    with running_service(tmp_path, *LITERT, "--model-dir", str(tiny_models), *options) as service:
        warnings = re.findall(r" WARNING (.*)", service.log.read_text())
    assert len(warnings) == len(words)
    assert all(word in warning for word, warning in zip(words, warnings, strict=True))
