"""The engines: what can run a version of the model. One is chosen at start, and all else is the same with either.

`tensorflow` is the default and the reference. `litert`, TensorFlow's runtime for finished models, takes a fifth of the
memory and of the time to start (docs/without-tensorflow.md).
"""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, cast

from app.model.versions import ModelError

if TYPE_CHECKING:  # settings know the engines' names, and NumPy isn't to be imported that early
    from app.model.model import Model

EngineName = Literal["tensorflow", "litert"]


class Engine(Protocol):
    """What a module offers that is an engine."""

    def start(self) -> None:
        """Imports what it needs, for good: to be called once, before the first `load`."""

    def load(self, version: Path) -> "Model":
        """Loads the version in the folder `version` (`.../<name>/<number>`), checks it and warms it up.

        Raises: ModelError, when the folder holds no such model.
        """


class _Module(NamedTuple):
    """`package`: what it imports, as people install it and as Python knows it."""

    name: str
    package: str
    imported: str


_MODULES: dict[EngineName, _Module] = {
    "tensorflow": _Module("app.model.saved_model", "tensorflow", "tensorflow"),
    "litert": _Module("app.model.litert", "ai-edge-litert", "ai_edge_litert"),
}


def check_installed(name: EngineName) -> None:
    """Raises: ModelError, when the package is missing that the engine `name` is made of."""
    if _is_installed(name):
        return
    others = [each for each in _MODULES if _is_installed(each)]
    hint = f" DIGITS_ENGINE={others[0]} can be had here." if others else ""
    raise ModelError(f"Expected the package {_MODULES[name].package} for the engine {name!r}: it is missing.{hint}")


def _is_installed(name: EngineName) -> bool:
    return find_spec(_MODULES[name].imported) is not None


def choose_engine(name: EngineName) -> Engine:
    """The engine `name`. Its package is imported when it starts."""
    return cast(Engine, import_module(_MODULES[name].name))
