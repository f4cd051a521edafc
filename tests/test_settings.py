from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import CHECKOUT, Settings, SettingsError, misspelt
from tests.support import LITERT, running_service


def test_the_defaults_are_those_of_the_design() -> None:
    settings = Settings()
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, 1)
    assert settings.model_dir == CHECKOUT / "models" / "mnist_mlp"
    assert settings.model_version == "latest"
    assert settings.max_upload_bytes == 20 * 1024 * 1024
    assert settings.max_pixels == 64_000_000
    assert (settings.max_batch, settings.max_pending) == (1024, 1024)
    assert settings.drain_seconds == 0


def test_the_environment_wins_over_defaults_and_options_over_the_environment() -> None:
    environment = {"DIGITS_PORT": "9000", "DIGITS_MAX_BATCH": "7", "DIGITS_MODEL_VERSION": "3", "OTHER": "x"}
    settings = Settings.from_environment(environment, {"port": "9001"})
    assert (settings.port, settings.max_batch, settings.model_version) == (9001, 7, 3)


@pytest.mark.parametrize(
    ("environment", "options", "message"),
    [
        ({"DIGITS_PORT": "http"}, {}, "DIGITS_PORT: .*integer.*'http'"),
        ({"DIGITS_PORT": "70000"}, {}, "DIGITS_PORT: .*65535.*'70000'"),
        ({"DIGITS_PORT": ""}, {}, "DIGITS_PORT: .*integer.*''"),
        ({"DIGITS_PORT": "1"}, {"port": "-1"}, "--port: .*greater than or equal to 0.*'-1'"),
        ({}, {"model_version": "newest"}, "--model-version: .*'latest' or .*integer.*'newest'"),
        ({}, {"max_pixels": "1"}, "--max-pixels: .*784.*'1'"),
        ({}, {"receive_seconds": "nan"}, "--receive-seconds: .*'nan'"),
        ({}, {"drain_seconds": "-1"}, "--drain-seconds: .*greater than or equal to 0.*'-1'"),
        ({"DIGITS_ENGINE": "LITERT"}, {}, "DIGITS_ENGINE: .*'tensorflow' or 'litert'.*'LITERT'"),
        ({"DIGITS_ENGINE": ""}, {}, "DIGITS_ENGINE: .*'tensorflow' or 'litert'.*''"),
        ({"DIGITS_HOST": ""}, {}, "DIGITS_HOST: .*at least 1 character.*''"),
    ],
)
def test_a_wrong_setting_is_one_sentence_that_names_it(
    environment: dict[str, str], options: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        Settings.from_environment(environment, options)
    assert "\n" not in str(caught.value)


def test_settings_are_frozen_and_described() -> None:
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]
    assert all(field.description for field in Settings.model_fields.values())


def test_a_misspelt_variable_is_told_from_one_of_others() -> None:
    assert misspelt({"DIGITS_PROT": "9", "DIGITS_API_KEY": "x"}) == {
        "DIGITS_PROT": "DIGITS_PORT",
        "DIGITS_API_KEY": "DIGITS_API_KEYS",
    }
    of_others = {"DIGITS_PORT": "9", "DIGITS_API_KEYS": "x", "DIGITS_API_KEY": "x", "DIGIT_PORT": "9", "PORT": "9"}
    of_kubernetes = {"DIGITS_SERVICE_HOST": "10.0.0.1", "DIGITS_SERVICE_PORT": "80", "DIGITS_PORT_8000_TCP_PORT": "80"}
    assert misspelt(of_others | of_kubernetes) == {}


def test_a_misspelt_variable_is_warned_of(tmp_path: Path, tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITS_API_KEY", "a key that opens nothing")
    with running_service(tmp_path, *LITERT, "--model-dir", str(tiny_models)) as service:
        assert (
            "WARNING DIGITS_API_KEY is no setting of the service; is DIGITS_API_KEYS meant?" in service.log.read_text()
        )
