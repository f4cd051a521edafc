"""The options of `python -m training`. Needs nothing that takes seconds to import."""

import argparse
from pathlib import Path

from app.arguments import whole_number
from training.recipes import DEFAULT_RECIPE, OTHERS_EPOCHS, RECIPES

MODELS = Path(__file__).resolve().parent.parent / "models" / "mnist_mlp"
MAX_SEED = 2**32 - 1  # what NumPy takes

FIT = """\
examples:
  python -m training fit                               the embedded MNIST
  python -m training fit --seed 7 --epochs 10          another seed, other epochs
  python -m training fit --recipe book --models /tmp/models
  python -m training fit --data mnist.npz              digits of your own
  python -m training fit --data idx-folder             ... as the four IDX files, gzipped or not
  python -m training fit --data fashion --labels names.txt --models models/fashion
                                                       ten classes that aren't digits; a name in each line
  python -m training fit --resume                      goes on with what Ctrl-C, SIGTERM or a power cut ended

The next version appears in the model folder, whole or not at all; and not if it is worse than the newest there, or
than guessing, unless --force. Exit status: 0 done, 2 bad input or options, 3 refused because worse, 130 interrupted."""

EVALUATE = """\
examples:
  python -m training evaluate                          the newest version on the embedded MNIST
  python -m training evaluate --model models/mnist_mlp/1 --data my-digits.npz"""

COMPARE = """\
example:
  python -m training compare models/mnist_mlp/1 models/mnist_mlp/2"""

CONVERT = """\
examples:
  python -m training convert                           the newest version
  python -m training convert --model models/mnist_mlp/1

What is published has it already: it is what `DIGITS_ENGINE=litert python -m app` runs. Nothing is written when the two
answer differently."""


def parser() -> argparse.ArgumentParser:
    """All commands."""
    parser = argparse.ArgumentParser(
        prog="python -m training", description="Trains networks, publishes and judges them.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _fit(_command(commands, "fit", "train by a recipe, evaluate, and publish the next version", FIT))
    evaluate = _command(commands, "evaluate", "say how good a version is, class by class", EVALUATE)
    evaluate.add_argument("--model", type=Path, metavar="DIR", default=MODELS, help=f"{VERSION} (the checkout's)")
    evaluate.add_argument("--data", type=Path, metavar="PATH", help=DATA)
    compare = _command(commands, "compare", "say which of two versions is better, and how sure that is", COMPARE)
    compare.add_argument("first", type=Path, metavar="DIR", help=VERSION)
    compare.add_argument("second", type=Path, metavar="DIR", help="another")
    compare.add_argument("--data", type=Path, metavar="PATH", help=DATA)
    convert = _command(commands, "convert", "write the model of a version for LiteRT, where it has none", CONVERT)
    convert.add_argument("--model", type=Path, metavar="DIR", default=MODELS, help=f"{VERSION} (the checkout's)")
    convert.add_argument("--data", type=Path, metavar="PATH", help=f"{DATA}: both answer its test pictures alike")
    return parser


VERSION = "a version's folder, or a folder of versions: the newest"
OTHERS = ", ".join(f"{number} for {name}" for name, number in OTHERS_EPOCHS.items())
RECIPE = (
    "how: augmented reads most digits right and takes ten minutes; book is the network of the book, in a minute; "
    f"naive and naive-notebook are made from scratch, to learn from ({DEFAULT_RECIPE})"
)
EPOCHS = f"how many (the recipe's; with --labels, {OTHERS})"
DATA = "an mnist.npz, or a folder of four IDX files (the embedded MNIST)"


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, summary: str, examples: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _fit(fit: argparse.ArgumentParser) -> None:
    fit.add_argument("--recipe", choices=sorted(RECIPES), default=DEFAULT_RECIPE, help=RECIPE)
    fit.add_argument("--data", type=Path, metavar="PATH", help=DATA)
    fit.add_argument("--labels", type=Path, metavar="FILE", help="names of ten classes, a line each (they are digits)")
    fit.add_argument("--models", type=Path, metavar="DIR", default=MODELS, help="a folder of versions (the checkout's)")
    fit.add_argument("--seed", type=whole_number(0, MAX_SEED), metavar="N", default=0, help="of all randomness (0)")
    fit.add_argument("--epochs", type=whole_number(1, 10_000), metavar="N", help=EPOCHS)
    fit.add_argument("--resume", action="store_true", help="go on where this very training was interrupted")
    fit.add_argument("--force", action="store_true", help="publish it even if it is worse")
