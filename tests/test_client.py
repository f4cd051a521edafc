"""The clients, against the real service, and against answers that it seldom gives."""

import asyncio
import inspect
import io
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

from app import client as package
from app.client import AsyncClient, Client, ClientError, Prediction, Problem, Unreachable
from app.client.groups import GROUP_BYTES, GROUP_FILES, in_groups
from tests.answering import INFO, PICTURE, READ, SEVEN, Asked, Reply, answering, problem
from tests.conftest import MAX_BATCH, MAX_UPLOAD_BYTES
from tests.support import CHECKOUT, band, encode, free_port
from tests.support import SEVEN as SEVEN_FILE

Ask = Callable[..., Any]


@pytest.fixture(params=["waiting", "asynchronous"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Calls a method of a new client of either kind: url, method's name, arguments, and options of the client."""

    def waiting(url: str, method: str, *arguments: Any, options: dict[str, Any] | None = None, **named: Any) -> Any:
        with Client(url, **options or {}) as client:
            answer = getattr(client, method)(*arguments, **named)
            return list(answer) if inspect.isgenerator(answer) else answer

    async def asynchronous(
        url: str, method: str, *arguments: Any, options: dict[str, Any] | None = None, **named: Any
    ) -> Any:
        async with AsyncClient(url, **options or {}) as client:
            answer = getattr(client, method)(*arguments, **named)
            return [each async for each in answer] if inspect.isasyncgen(answer) else await answer

    if request.param == "waiting":
        return waiting
    return lambda *arguments, **named: asyncio.run(asynchronous(*arguments, **named))


def test_a_picture_may_be_bytes_a_path_or_an_open_file(ask: Ask, shipped_url: str) -> None:
    content = SEVEN_FILE.read_bytes()
    for picture in (content, str(SEVEN_FILE), SEVEN_FILE, io.BytesIO(content)):
        answer = ask(shipped_url, "predict", picture)
        assert (answer.digit, answer.label, answer.model.name) == (7, "7", "mnist_mlp")
        assert answer.confidence == answer.probabilities[7] > 0.99
        assert answer.picture.width == answer.picture.height == 28


def test_answers_are_typed_and_frozen(ask: Ask, shipped_url: str) -> None:
    answer = ask(shipped_url, "predict", SEVEN_FILE)
    assert isinstance(answer, Prediction)
    with pytest.raises(FrozenInstanceError):
        answer.digit = 8  # type: ignore[misc]


def test_fit_and_preview_are_asked_for(ask: Ask, shipped_url: str) -> None:
    card = CHECKOUT / "tests" / "pictures" / "card.jpg"
    seen = ask(shipped_url, "predict", card, preview=True)
    assert seen.digit == 5
    assert seen.picture.preview
    assert seen.picture.box is not None
    with pytest.raises(Problem) as refused:
        ask(shipped_url, "predict", card, may_fit=False, preview=True)
    assert (refused.value.status, refused.value.kind) == (422, "urn:digits:wrong-size")
    assert refused.value.title == "The picture has the wrong size"
    assert "received one of 800x600" in refused.value.detail
    assert refused.value.request_id


def test_several_digits_are_read(ask: Ask, shipped_url: str) -> None:
    reading = ask(shipped_url, "read", CHECKOUT / "tests" / "pictures" / "note.jpg")
    assert reading.text == "30174\n62895"
    assert [each.line for each in reading.digits] == [0] * 5 + [1] * 5
    assert len(reading.digits[0].box) == 4


def test_the_model_is_told_of(ask: Ask, tiny_url: str) -> None:
    info = ask(tiny_url, "model")
    assert (info.name, info.version, info.versions) == ("tiny", 2, (1, 2))
    assert info.labels[3] == "digit 3"


def test_a_broken_file_has_its_problem_in_its_place(ask: Ask, tiny_url: str) -> None:
    first, broken, last = ask(tiny_url, "predict_batch", [encode(band(1)), b"no picture", encode(band(9))])
    assert (first.digit, last.digit) == (1, 9)
    assert isinstance(broken, Problem)
    assert broken.status == 415
    assert [each.status for each in ask(tiny_url, "predict_batch", [b""])] == [422]
    assert ask(tiny_url, "predict_batch", []) == []


def test_many_are_answered_in_order_whatever_the_service_takes_at_a_time(ask: Ask, tiny_url: str) -> None:
    digits = [k % 10 for k in range(3 * MAX_BATCH + 1)]
    pictures: list[bytes] = [encode(band(digit)) for digit in digits]
    too_large = b"x" * (MAX_UPLOAD_BYTES + 1)
    answers = ask(tiny_url, "predict_many", iter([*pictures, too_large]))
    assert [each.digit for each in answers[:-1]] == digits
    assert answers[-1].status == 413


def test_groups_are_bounded_and_come_as_they_are_asked_for() -> None:
    taken: list[int] = []

    def sizes() -> Any:
        for size in [1] * (GROUP_FILES + 1) + [GROUP_BYTES, 2 * GROUP_BYTES, GROUP_BYTES - 1, 1, 1]:
            taken.append(size)
            yield size

    groups = in_groups(sizes(), lambda size: size)
    assert len(next(groups)) == GROUP_FILES
    assert len(taken) == GROUP_FILES + 1
    assert [len(group) for group in groups] == [1, 1, 1, 2, 1]


def test_several_groups_are_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.client.groups.GROUP_FILES", 1)
    together = threading.Barrier(3, timeout=20)

    def reply(asked: Asked, number: int) -> Reply:
        together.wait()
        return Reply(document=SEVEN)

    async def many(url: str) -> list[Any]:
        async with AsyncClient(url, connections=3, patience_s=0) as client:
            return [each async for each in client.predict_many([b"a", b"b", b"c"])]

    with answering(reply) as server:
        assert len(asyncio.run(many(server.url))) == 3


def test_one_that_does_harm_takes_none_with_it(ask: Ask) -> None:
    """A picture that the service fails at is found by halves."""

    def reply(asked: Asked, number: int) -> Reply:
        if b"harm" in asked.body:
            return Reply(500, problem(500))
        if asked.path == "/predict":
            return Reply(document=SEVEN)
        return Reply(document={"results": [{**READ, "picture": PICTURE}] * asked.body.count(b"; name="), "model": INFO})

    with answering(reply) as server:
        answers = ask(server.url, "predict_batch", [b"1", b"2", b"harm", b"4", b"5"])
    assert [each.status if isinstance(each, Problem) else each.digit for each in answers] == [7, 7, 500, 7, 7]


@pytest.mark.parametrize(("status", "seconds"), [(429, 0), (502, 0), (503, 1), (504, 0)])
def test_what_passes_is_tried_again_as_told(ask: Ask, status: int, seconds: int) -> None:
    times: list[float] = []

    def reply(asked: Asked, number: int) -> Reply:
        times.append(time.monotonic())
        return Reply(status, problem(status), {"Retry-After": str(seconds)}) if number == 0 else Reply(document=SEVEN)

    with answering(reply) as server:
        assert ask(server.url, "predict", b"x").digit == 7
    assert len(times) == 2
    assert times[1] - times[0] >= seconds


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, {"Retry-After": "-1"}])
def test_without_a_number_of_seconds_it_is_tried_again_soon(ask: Ask, headers: dict[str, str]) -> None:
    def reply(asked: Asked, number: int) -> Reply:
        return Reply(503, problem(503), headers) if number < 2 else Reply(document=SEVEN)

    with answering(reply) as server:
        assert ask(server.url, "predict", b"x").digit == 7
        assert len(server.asked) == 3


def test_patience_ends(ask: Ask) -> None:
    with answering(lambda *_: Reply(503, problem(503, "full"), {"Retry-After": "3600"})) as server:
        with pytest.raises(Problem, match=r"No \(503\): full"):
            ask(server.url, "predict", b"x")
        assert len(server.asked) == 1
    with answering(lambda *_: Reply(503, problem(503))) as server:
        with pytest.raises(Problem):
            ask(server.url, "predict", b"x", options={"patience_s": 0.25})
        assert len(server.asked) == 2  # after 0.1 s once more; another 0.2 s would be too late


def test_another_number_of_answers_is_none(ask: Ask) -> None:
    short = Reply(document={"results": [{**READ, "picture": PICTURE}], "model": INFO})
    with answering(lambda *_: short) as server, pytest.raises(Problem, match="Not an answer of this service"):
        ask(server.url, "predict_batch", [b"1", b"2"])


def test_a_500_of_rays_proxy_is_tried_again_and_one_of_the_service_is_not(ask: Ask) -> None:
    died = Reply(500, raw=b"Internal Server Error", headers={"Content-Type": "text/plain; charset=utf-8"})
    own = Reply(500, problem(500), headers={"Content-Type": "application/problem+json"})
    with answering(lambda _, number: died if number < 2 else Reply(document=SEVEN)) as server:
        assert ask(server.url, "predict", b"x").digit == 7
        assert len(server.asked) == 3
    with answering(lambda *_: own) as server:
        with pytest.raises(Problem, match="why"):
            ask(server.url, "predict", b"x")
        assert len(server.asked) == 1


def test_a_refusal_is_not_tried_again(ask: Ask) -> None:
    with answering(lambda *_: Reply(401, problem(401, "a key"))) as server:
        with pytest.raises(Problem, match="a key") as refused:
            ask(server.url, "predict_batch", [b"1", b"2"])
        assert len(server.asked) == 1
    assert refused.value.status == 401


def test_nobody_there_is_said_in_a_sentence(ask: Ask) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(Unreachable, match=rf"{url} can't be reached \(.+\)\."):
        ask(url, "model", options={"patience_s": 0})


def test_a_service_that_restarts_is_waited_for(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    port, answers = free_port(), []
    url = f"http://127.0.0.1:{port}"
    asking = threading.Thread(target=lambda: answers.append(ask(url, "predict", b"x")))
    with caplog.at_level(logging.WARNING, "digits.client"):
        asking.start()
        while not caplog.records:  # it has failed once
            time.sleep(0.01)
        time.sleep(0.5)  # and is tried more often
        with answering(lambda *_: Reply(document=SEVEN), port):
            asking.join()
    assert answers[0].digit == 7
    assert len(caplog.records) == 1
    assert "trying again for 30 seconds" in caplog.text


def test_a_connection_that_breaks_is_made_anew(ask: Ask) -> None:
    with answering(lambda _, number: Reply(document=SEVEN, hang_up=number == 0)) as server:
        assert ask(server.url, "predict", b"x").digit == 7


def test_silence_has_an_end(ask: Ask) -> None:
    silent = threading.Event()

    def reply(asked: Asked, number: int) -> Reply:
        silent.wait(20)
        return Reply(document=SEVEN)

    with answering(reply) as server:
        with pytest.raises(Unreachable, match=r"ReadTimeout|timed out"):
            ask(server.url, "predict", b"x", options={"timeout_s": 0.1, "patience_s": 0})
        silent.set()


@pytest.mark.parametrize(
    "reply",
    [
        Reply(raw=b"<html>welcome</html>"),
        Reply(document={"answer": 42}),
        Reply(document=[1]),
        Reply(413, raw=b"<html>too large</html>"),
        Reply(404, document={"detail": "not found"}),
    ],
    ids=["page", "object", "list", "proxy", "other"],
)
def test_somebody_elses_answer_is_a_problem(ask: Ask, reply: Reply) -> None:
    with answering(lambda *_: reply) as server, pytest.raises(Problem, match="Not an answer of this service") as other:
        ask(server.url, "predict", b"x")
    assert other.value.status == reply.status
    assert "/predict says '" in other.value.detail


def test_the_key_is_sent(ask: Ask) -> None:
    with answering(lambda *_: Reply(document=INFO)) as server:
        ask(server.url, "model", options={"api_key": "sesame"})
        ask(server.url, "model")
    assert [each.headers["Authorization"] for each in server.asked] == ["Bearer sesame", None]


def test_an_address_may_have_a_path(ask: Ask) -> None:
    with answering(lambda *_: Reply(document=INFO)) as server:
        ask(server.url + "/digits/", "model")
    assert [each.path for each in server.asked] == ["/digits/model"]


@pytest.mark.parametrize(
    ("url", "key"),
    [("127.0.0.1:8000", None), ("http://", None), ("ftp://x", None), ("http://x:port", None), ("http://x", "a\nb")],
)
def test_what_is_no_address_or_key_is_said_at_once(url: str, key: str | None) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(ValueError, match=r"^Expected "):
            kind(url, api_key=key)


def test_a_large_picture_is_sent_whole(ask: Ask) -> None:
    content = bytes(range(256)) * 8192  # 2 MiB
    with answering(lambda *_: Reply(document=SEVEN)) as server:
        ask(server.url, "predict", content)
    assert server.asked[0].body == content
    assert server.asked[0].headers["Content-Length"] == str(len(content))


def test_a_file_that_is_not_there_is_an_oserror(ask: Ask, tiny_url: str) -> None:
    with pytest.raises(FileNotFoundError):
        ask(tiny_url, "predict_many", [Path("nowhere.png")])


def test_both_clients_have_the_same_methods() -> None:
    def methods(kind: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(each).parameters)
            for name, each in vars(kind).items()
            if inspect.isfunction(each) and not name.startswith("_") and name not in ("close", "aclose")
        }

    assert methods(Client) == methods(AsyncClient)
    with pytest.raises(AttributeError, match="has no attribute 'Klient'"):
        package.Klient  # noqa: B018 - asked for, not used
    assert issubclass(Problem, ClientError)


def test_it_imports_nothing_of_the_service() -> None:
    script = (
        "import sys; from app.client import AsyncClient, Client; "
        "bad = {'tensorflow', 'fastapi', 'starlette', 'numpy', 'pydantic', 'uvicorn', 'PIL', 'cv2'} & set(sys.modules);"
        "bad |= {name for name in sys.modules if name.startswith('app.') and not name.startswith('app.client')};"
        "sys.exit(f'imported: {bad}' if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, check=True)
