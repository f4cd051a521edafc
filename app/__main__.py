"""python -m app: serves the newest version of the model."""

from app.process.signals import exit_on_signals

if __name__ == "__main__":
    exit_on_signals()  # before the imports below, which take a while

import argparse
import os
import sys
from collections.abc import Sequence

from app.arguments import command_line
from app.model.engines import check_installed
from app.model.runtime import ONE_THREAD, importing, prepare_environment
from app.model.versions import ModelError, choose_version
from app.options import add_settings
from app.settings import Settings, SettingsError

EPILOG = """\
examples:
  python -m app                              serve on http://127.0.0.1:8000
  python -m app --port 9000 --workers 2      on another port, with two processes
  DIGITS_MODEL_VERSION=1 python -m app       serve version 1 rather than the newest
  DIGITS_ENGINE=litert python -m app         without TensorFlow in the process: a fifth of the memory
  curl -F file=@tests/pictures/seven.png http://127.0.0.1:8000/predict

Every option is also an environment variable; the option wins. It ends with status 0 on SIGTERM or Ctrl-C, and with
status 2 when a setting, the address, the model folder or what the system lets it have is wrong."""


def main(arguments: Sequence[str]) -> int:
    options = {name: value for name, value in vars(_parser().parse_args(arguments)).items() if value is not None}
    try:
        settings = Settings.from_environment(os.environ, options)
        check_installed(settings.engine)
        choose_version(settings.model_dir, settings.wanted_version)
    except (SettingsError, ModelError) as error:
        return _fail(error)
    prepare_environment(ONE_THREAD)
    with importing():  # after the settings: --help and errors come at once
        from app.process.errors import StartError
        from app.process.server import serve

    try:
        serve(settings)
    except StartError as error:
        return _fail(error)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_line("python -m app", "Serves a handwritten-digit model over HTTP.", EPILOG)
    add_settings(parser)
    return parser


def _fail(error: Exception) -> int:
    print(f"python -m app: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
