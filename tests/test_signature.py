"""The short way into TensorFlow answers as the signature does, and the plain one is there when it doesn't."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.model import saved_model, signature
from app.model.model import Model
from app.model.tensors import Pixels, Probabilities, Run
from tests.support import resident_bytes


def signature_of(model: Model) -> Any:
    return model._loaded.signatures["serving_default"]


def test_both_ways_answer_alike_at_every_size(shipped: Model) -> None:
    called = signature_of(shipped)
    plain, short = signature._plain(called), signature._short(called)
    pixels = np.random.default_rng(5).random((300, 784), np.float32)
    for size in (1, 2, 3, 17, 64, 65, 300):
        difference = np.abs(plain(pixels[:size]) - short(pixels[:size])).max()
        assert difference <= 1e-5


def test_the_short_way_is_taken(shipped: Model, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        run = signature.build(signature_of(shipped))
    assert "_short" in run.__qualname__
    assert not caplog.records


def refusing(_signature: Any) -> Run:
    def run(pixels: Pixels) -> Probabilities:
        raise RuntimeError("not on this machine")

    return run


def wrong(_signature: Any) -> Run:
    return lambda pixels: np.full((len(pixels), 10), 0.1, np.float32)


def undefined(_signature: Any) -> Run:
    return lambda pixels: np.full((len(pixels), 10), np.nan, np.float32)


@pytest.mark.parametrize(
    ("short", "words"),
    [(refusing, "not on this machine"), (wrong, "expected the same answers"), (undefined, "differ by nan")],
)
def test_otherwise_the_plain_way_serves_and_the_log_says_so_once(
    short: Any, words: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tiny_models: Path
) -> None:
    monkeypatch.setattr(signature, "_short", short)
    with caplog.at_level(logging.WARNING):
        model = saved_model.load(tiny_models / "1")
    assert words in caplog.text
    assert len(caplog.records) == 1
    assert model(np.zeros((3, 784), np.float32)).shape == (3, 10)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_loading_again_and_again_does_not_leak(tiny_models: Path) -> None:
    """Compiled by XLA, each load would leave 6 MB behind."""

    def load(times: int) -> None:
        for _ in range(times):
            saved_model.load(tiny_models / "1")(np.zeros((64, 784), np.float32))

    load(25)
    before = resident_bytes()
    load(20)
    assert resident_bytes() - before < 40 * 2**20
