"""Recipes are values that metadata.json tells whole."""

import json
from dataclasses import replace

import pytest

from tests.support import SHIPPED
from training.dataset import Dataset
from training.errors import TrainingError
from training.recipes import DEFAULT_RECIPE, RECIPES, Augmented, Book, chosen, from_metadata, suited, to_metadata
from training.run import MODULES


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_comes_back_from_its_metadata(name: str) -> None:
    recipe = replace(RECIPES[name], epochs=3)
    document = json.loads(json.dumps(to_metadata(recipe)))
    assert document["name"] == name
    assert from_metadata(document) == recipe


def test_every_recipe_can_be_trained_by() -> None:
    assert set(MODULES) == {type(recipe) for recipe in RECIPES.values()}
    assert DEFAULT_RECIPE in RECIPES


def test_the_books_network_learns_other_things_than_digits_for_longer() -> None:
    assert chosen("book", None, are_digits=True) == Book()
    assert chosen("book", None, are_digits=False) == Book(epochs=10)
    assert chosen("book", 5, are_digits=False) == Book()
    assert chosen("augmented", None, are_digits=False) == Augmented()


def test_of_few_pictures_few_are_held_out_and_what_is_about_digits_is_for_digits(mnist: Dataset) -> None:
    few = replace(mnist, x_train=mnist.x_train[:600], y_train=mnist.y_train[:600])
    assert suited(Augmented(), mnist) == Augmented()
    assert suited(Augmented(), few) == replace(Augmented(), held_out=100)
    clothes = suited(Augmented(), replace(mnist, fit="never"))
    assert clothes == replace(Augmented(), drawn=0, oddities=0)
    assert suited(Book(), few) == Book()


def test_the_first_shipped_version_is_by_the_book() -> None:
    assert from_metadata(json.loads((SHIPPED / "1" / "metadata.json").read_text())["recipe"]) == Book()


@pytest.mark.parametrize(
    ("document", "words"),
    [({"name": "cook"}, "got 'cook'"), ({}, "got None"), ({"name": "book", "salt": 1}, "salt")],
)
def test_what_is_no_recipe_is_a_sentence(document: dict[str, object], words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        from_metadata(document)
