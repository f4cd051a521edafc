"""python -m training: trains a network and publishes it for the service."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from training.errors import TrainingError
from training.recipes import RECIPES

MODELS = Path(__file__).resolve().parent.parent / "models" / "mnist_mlp"
MAX_SEED = 2**32 - 1  # what NumPy takes

EPILOG = """\
examples:
  python -m training fit                               the book's recipe on the embedded MNIST
  python -m training fit --seed 7 --epochs 10          another seed, more epochs
  python -m training fit --data mnist.npz --models /tmp/models
  python -m training fit --data idx-folder             the four IDX files, gzipped or not

The next version appears in the model folder, whole or not at all. Exit status: 0 done, 2 bad input or options,
130 interrupted."""


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    try:
        from training.run import run  # imports TensorFlow for seconds: --help and wrong options need not wait

        run(RECIPES[options.recipe], options.models, options.data, options.seed, options.epochs)
    except TrainingError as error:
        print(f"python -m training: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\npython -m training: interrupted; nothing is published.", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training", description="Trains a network and publishes it.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    fit = commands.add_parser(
        "fit",
        help="train by a recipe, evaluate, and publish the next version",
        description="Trains by a recipe, evaluates on the test set, and publishes the next version.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    fit.add_argument("--recipe", choices=sorted(RECIPES), default="book", help="how to train (book)")
    fit.add_argument("--data", type=Path, metavar="PATH", help="an mnist.npz, or a folder of four IDX files (embedded)")
    fit.add_argument(
        "--models", type=Path, metavar="DIR", default=MODELS, help="the folder of versions (the checkout's)"
    )
    fit.add_argument("--seed", type=_Between(0, MAX_SEED), metavar="N", default=0, help="of all randomness (0)")
    fit.add_argument("--epochs", type=_Between(1, 10_000), metavar="N", help="how many (the recipe's)")
    return parser


class _Between:
    """An argparse type: a whole number within bounds."""

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most

    def __call__(self, text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = self.least - 1
        if not self.least <= number <= self.most:
            raise argparse.ArgumentTypeError(f"expected a whole number from {self.least} to {self.most}, got {text!r}")
        return number


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
