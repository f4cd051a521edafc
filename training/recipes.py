"""How a network is trained: each way a frozen value, written into the metadata of what it made."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, TypeAlias

from training.errors import TrainingError


@dataclass(frozen=True)
class Book:
    """Chapter 2 of F. Chollet, Deep Learning with Python: the notebook this project began with.

    `optimizer` and `loss` are Keras's names; `batch_size` is in pictures. None are held out, as in the notebook.
    """

    name: ClassVar[str] = "book"
    held_out: ClassVar[int] = 0
    epochs: int = 5
    batch_size: int = 128
    optimizer: str = "rmsprop"
    loss: str = "sparse_categorical_crossentropy"


# Each has a name, epochs, and how many of the training pictures are held out: trained on never, for what is chosen.
Recipe: TypeAlias = Book

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (Book(),)}
DEFAULT_RECIPE = Book.name


def to_metadata(recipe: Recipe) -> dict[str, Any]:
    """All that `recipe` consists of, as metadata.json has it."""
    return {"name": recipe.name} | asdict(recipe)


def from_metadata(document: Mapping[str, Any]) -> Recipe:
    """The recipe that `to_metadata` wrote down.

    Raises: TrainingError, when there is none of that name, or it has other parameters.
    """
    parameters = {name: tuple(value) if isinstance(value, list) else value for name, value in document.items()}
    name = parameters.pop("name", None)
    if name not in RECIPES:
        raise TrainingError(f"Expected one of the recipes {', '.join(RECIPES)}; got {name!r}.")
    kind: Any = type(RECIPES[name])
    try:
        recipe: Recipe = kind(**parameters)
    except TypeError as error:
        raise TrainingError(f"Expected the parameters of the recipe {name}; {error}.") from error
    return recipe
