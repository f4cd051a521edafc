"""`python -m training compare`: two versions on the same test pictures, as a table."""

from pathlib import Path

from training import dataset
from training.comparison import compare, in_points
from training.tables import table
from training.versions import evaluate, load_version


def report(first: Path, second: Path, data: Path | None) -> str:
    """Of two versions, or the newest of model folders, on the test pictures of `data` (None: the embedded MNIST).

    Raises: TrainingError, when one of the three can't be loaded.
    """
    pictures = dataset.load(data)
    models = [load_version(folder) for folder in (first, second)]
    evaluations = [evaluate(model, pictures.test) for model in models]
    comparison = compare(evaluations[0].right, evaluations[1].right)
    alone = comparison.only_first, comparison.only_second
    rows = [
        (str(folder), str(model.version), f"{each.accuracy:.2%}", "{:.2%} to {:.2%}".format(*each.interval), str(only))
        for folder, model, each, only in zip((first, second), models, evaluations, alone, strict=True)
    ]
    return "\n\n".join(
        (
            f"{len(pictures.x_test)} test pictures of {pictures.source}",
            table(("model", "version", "accuracy", "95% interval", "only it reads right"), *rows),
            f"the second minus the first: {in_points(comparison)}; McNemar's p {comparison.p:.3g}",
        )
    )
