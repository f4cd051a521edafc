"""Every setting of the service: from the environment (`DIGITS_PORT`) or the command line (`--port`)."""

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from app.access.keys import Keys
from app.model.engines import EngineName

PREFIX = "DIGITS_"
CHECKOUT = Path(__file__).resolve().parent.parent
ALIKE = 0.9  # of 0..1, as difflib has it: DIGITS_PROT is for DIGITS_PORT, DIGITS_SERVICE_PORT isn't
SECRET = ("api_keys",)  # never shown, not even when wrong
ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?")
LogFormat = Literal["text", "json", "off"]


def _from_text(parse: Callable[[str], Any]) -> BeforeValidator:
    """Has pydantic call `parse` for a text, and say what its ValueError says."""

    def validate(given: object) -> object:
        try:
            return parse(given) if isinstance(given, str) else given
        except ValueError as error:
            raise PydanticCustomError("text", "{reason}", {"reason": str(error)}) from None

    return BeforeValidator(validate)


def _origins(text: str) -> tuple[str, ...] | None:
    origins = tuple(filter(None, map(str.strip, text.split(","))))
    if origins != ("*",) and not all(map(ORIGIN.fullmatch, origins)):
        raise ValueError("expected origins such as https://example.org, in small letters, or *")
    return origins or None


class SettingsError(ValueError):
    """A setting is wrong; the message says which, what was expected and what was given."""


class Settings(BaseModel):
    """All settings, checked. A field's description is what `--help` and README say of it."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, protected_namespaces=(), hide_input_in_errors=True
    )

    host: str = Field(
        "127.0.0.1", min_length=1, description="the address to listen on; 0.0.0.0 for every one (so in the container)"
    )
    port: int = Field(8000, ge=0, le=65535, description="the port to listen on; 0 takes a free one")
    workers: int = Field(1, ge=1, le=256, description="processes that serve, each with a model of its own: one a core")
    model_dir: Path = Field(
        CHECKOUT / "models" / "mnist_mlp", description="the folder that holds the versions of the model"
    )
    model_version: Literal["latest"] | Annotated[int, Field(ge=0)] = Field(
        "latest", description="the version to serve: latest, or a number"
    )
    engine: EngineName = Field(
        "tensorflow", description="what runs the model: tensorflow, or litert, which takes a fifth of the memory"
    )
    watch_seconds: float = Field(1, ge=0.01, le=3600, description="how often to look into the model folder, in seconds")
    max_upload_bytes: int = Field(20 * 1024 * 1024, ge=1024, description="the largest body of a request, in bytes")
    max_pixels: int = Field(64_000_000, ge=784, description="the largest picture, in pixels (width x height)")
    max_batch: int = Field(1024, ge=1, le=65536, description="the most pictures in one request or one model call")
    max_pending: int = Field(1024, ge=1, description="the most requests that may wait for an answer; above it, 503")
    max_connections: int = Field(
        8192, ge=1, description="the most connections of a process; above it the longest idle makes room, or 503"
    )
    head_seconds: float = Field(10, gt=0, le=3600, description="the longest time that a head may take to arrive")
    receive_seconds: float = Field(60, gt=0, le=3600, description="the longest time that a body may take to arrive")
    answer_seconds: float = Field(60, gt=0, le=3600, description="the longest time that an answer may take; then 503")
    send_seconds: float = Field(
        60, gt=0, le=3600, description="the longest time that an answer may wait for its client to take it"
    )
    api_keys: Annotated[Keys, _from_text(Keys.parse)] = Field(
        Keys(),
        description="who may ask: keys with commas between them, or @ and a file of them; none: everybody",
    )
    metrics_open: bool = Field(True, description="whether `/metrics` is for those without a key, too")
    cors_origins: Annotated[tuple[str, ...] | None, _from_text(_origins)] = Field(
        None,
        description="sites whose pages may ask, as https://example.org, with commas between them; * for every one",
    )
    drain_seconds: float = Field(
        0,
        ge=0,
        le=3600,
        description="the seconds between SIGTERM and the last accepted request, in which `/readyz` says 503 and "
        "everything else is answered (5 in the container)",
    )
    log_format: LogFormat = Field(
        "text", description="text or json: a line a request, with what the service says; off: only that, as text"
    )

    @field_validator("metrics_open")
    @classmethod
    def _with_keys_alone(cls, is_open: bool, others: ValidationInfo) -> bool:
        if not (is_open or others.data.get("api_keys", True)):
            raise PydanticCustomError("closed", "expected True, for there are no keys that could open it")
        return is_open

    @property
    def wanted_version(self) -> int | None:
        """The number of the version to serve, or None for the newest."""
        return None if self.model_version == "latest" else self.model_version

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], options: Mapping[str, str]) -> Self:
        """Options win over the environment, the environment over the defaults.

        `options` and `environment` hold texts; options by field name, the environment by prefixed upper-case name.
        Raises: SettingsError, with one sentence.
        """
        given = {name: environment[variable(name)] for name in cls.model_fields if variable(name) in environment}
        try:
            return cls.model_validate({**given, **options})
        except ValidationError as error:
            problems = error.errors()
            name = str(problems[0]["loc"][0])
            source = option(name) if name in options else variable(name)
            # a field that takes one thing or another has a message for each
            expected = " or ".join(
                each["msg"][:1].lower() + each["msg"][1:] for each in problems if each["loc"][0] == name
            )
            got = "" if name in SECRET else f"; got {problems[0]['input']!r}"
        raise SettingsError(f"{source}: {expected}{got}.")  # without what led to it, which shows the input


def misspelt(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables in `environment` that mean nothing here but look like one that does and isn't there, each with it.

    Others that begin alike are left alone: Kubernetes makes some for a service called `digits`.
    """
    known = [variable(name) for name in Settings.model_fields]
    unknown = [name for name in environment if name.startswith(PREFIX) and name not in known]
    alike = {name: get_close_matches(name, known, 1, ALIKE) for name in unknown}
    return {name: meant[0] for name, meant in alike.items() if meant and meant[0] not in environment}


def default_of(name: str) -> str:
    """A field's default, as `--help` and README have it."""
    default = Settings.model_fields[name].default
    return "none" if default is None else str(default)


def variable(name: str) -> str:
    """The environment variable of a field: port → DIGITS_PORT."""
    return PREFIX + name.upper()


def option(name: str) -> str:
    """The command-line option of a field: port → --port."""
    return "--" + name.replace("_", "-")
