"""The service and its OpenAPI document say the same; the long version is `python -m benchmarks.contract`."""

from pathlib import Path

import pytest

from benchmarks import contract
from benchmarks.errors import BenchmarkError
from tests.support import LITERT, running_service

KEY = "a-key-of-a-test-0123"


def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    with running_service(tmp_path, "--api-keys", KEY) as service:
        cases, said = contract.compare(service.url, tmp_path, KEY, examples=10)
    assert cases > 300
    assert "ignored_auth" not in said


def test_a_finding_is_one(tmp_path: Path) -> None:
    with running_service(tmp_path, *LITERT, "--api-keys", KEY) as service, pytest.raises(BenchmarkError, match="ST"):
        contract.compare(service.url, tmp_path, "not-the-key", examples=1)
