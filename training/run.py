"""One training from beginning to end: dataset → train → evaluate → gate → publish."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from app.images.normalize import Grey, normalize
from training import dataset, gate, metadata
from training.augment import distort
from training.checkpoint import Checkpoint, open_checkpoint, path_of
from training.dataset import Dataset, Labelled
from training.errors import Interrupted, Refused
from training.evaluation import Evaluation
from training.network import forward
from training.progress import Progress, show
from training.publish import Expected, check_folder, publish
from training.recipes import Augmented, Book, Naive, Recipe, suited
from training.report import EXAMPLES, Findings, write_report
from training.trained import Trained

FIRST = 10  # test pictures whose classes are shown, as in the notebook

Train: TypeAlias = Callable[[Any, Labelled, Labelled, int, Checkpoint, Progress], Trained]
# How each kind of recipe trains: a module with a function `train`, imported when it is needed.
MODULES: dict[type[Recipe], str] = {
    Augmented: "training.augmented",
    Book: "training.book",
    Naive: "training.naive",
}

say = partial(print, flush=True)


@dataclass(frozen=True)
class Fit:
    """What is to be trained: by `recipe` and `seed` on `data` (None: the embedded MNIST) whose classes `labels` names
    (None: they are digits), into the folder of versions `models`.

    `resume`: goes on from the checkpoint of this very training. `force`: publishes what is worse, too.
    """

    recipe: Recipe
    models: Path
    data: Path | None = None
    labels: Path | None = None
    seed: int = 0
    resume: bool = False
    force: bool = False


@dataclass(frozen=True)
class Result:
    """`folder` is the new version; `evaluation` is of the whole test set."""

    folder: Path
    evaluation: Evaluation


def run(fit: Fit) -> Result:
    """Trains and publishes the next version. The same seed on the same machine gives the same weights, byte for byte,
    also when it was interrupted and resumed.

    Raises: TrainingError, when the dataset or the folder is not as it must be; Refused, when the result is worse than
    the version that is there; Interrupted. Nothing is published then.
    """
    check_folder(fit.models)
    data = dataset.load(fit.data, fit.labels)
    say(f"{data.source}: {len(data.x_train)} training and {len(data.x_test)} test pictures")
    gate.check_classes(fit.models, data)
    fit = replace(fit, recipe=suited(fit.recipe, data))
    origin = metadata.origin(fit.recipe, fit.seed, data)
    checkpoint = open_checkpoint(path_of(fit.models, origin), fit.resume, say)

    try:
        trained = _train(fit, data, checkpoint)
        checkpoint.write()  # whatever comes now, what took long is kept
        return _finish(fit, data, origin, trained, checkpoint)
    except KeyboardInterrupt as error:
        raise Interrupted(_put_aside(fit, checkpoint)) from error


def _train(fit: Fit, data: Dataset, checkpoint: Checkpoint) -> Trained:
    train: Train = import_module(MODULES[type(fit.recipe)]).train
    pictures, held_out = data.split(fit.recipe.held_out)
    done = checkpoint.state.epoch if checkpoint.state else 0
    with show(fit.recipe.epochs, len(pictures.x) + fit.recipe.drawn, done) as progress:
        return train(fit.recipe, pictures, held_out, fit.seed, checkpoint, progress)


def _finish(fit: Fit, data: Dataset, origin: dict[str, Any], trained: Trained, checkpoint: Checkpoint) -> Result:
    """Evaluates, asks the gate, publishes."""
    evaluation = Evaluation(forward(trained.weights, normalize(data.x_test)), data.y_test)
    _tell(evaluation)
    _pass_gate(fit, data, evaluation)
    document = metadata.describe(origin, data, trained, evaluation)
    findings = Findings(
        document, trained.history, evaluation, data.x_test, trained.weights, _examples(fit.recipe, data, fit.seed)
    )
    novelty = trained.novelty.weights if trained.novelty else None
    report = partial(write_report, findings=findings)
    folder = publish(trained.weights, Expected(trained.answer, data.x_test), document, fit.models, novelty, report)
    checkpoint.remove()
    say(f"published {folder}: version {folder.name} is right for {evaluation.accuracy:.2%} of the test pictures")
    return Result(folder, evaluation)


def _examples(recipe: Recipe, data: Dataset, seed: int) -> Grey:
    """A few pictures as they were trained on, for the report; none, where that is as they are."""
    if not isinstance(recipe, Augmented):
        return data.x_train[:0]
    return distort(data.x_train[:EXAMPLES], recipe.distortion, np.random.default_rng(seed))


def _put_aside(fit: Fit, checkpoint: Checkpoint) -> str:
    """Keeps what there is of an interrupted training, and says how to go on."""
    if checkpoint.state is None:
        return "interrupted before the end of the first epoch; nothing is published."
    checkpoint.write()
    return (
        f"interrupted after epoch {checkpoint.state.epoch} of {fit.recipe.epochs}; nothing is published. "
        f"The same command with --resume goes on from there."
    )


def _tell(evaluation: Evaluation) -> None:
    low, high = evaluation.interval
    say(
        f"test loss {evaluation.log_loss:.4f}, test accuracy {evaluation.accuracy:.4f} "
        f"(95% interval {low:.4f} to {high:.4f})"
    )
    read, are = evaluation.answers[:FIRST].tolist(), evaluation.truth[:FIRST].tolist()
    say(f"first {len(read)} test pictures: read {read}, are {are}")


def _pass_gate(fit: Fit, data: Dataset, evaluation: Evaluation) -> None:
    try:
        gate.check(evaluation, fit.models, data, fit.force, say)
    except Refused as error:
        raise Refused(
            f"{error} Nothing is published. The weights are kept: "
            f"the same command with --resume --force publishes them all the same."
        ) from error
