"""python -m app.cluster: the service as replicas on Ray, on this machine or on a cluster."""

from app.process.signals import exit_on_signals

if __name__ == "__main__":
    exit_on_signals()  # before the imports below, which take a while

import argparse
import logging.config
import os
import socket
import sys
from collections.abc import Sequence

from app.arguments import command_line, whole_number
from app.cluster.errors import ClusterError
from app.model.engines import check_installed
from app.model.versions import ModelError, choose_version
from app.options import add_settings
from app.settings import Settings, SettingsError

EPILOG = """\
examples:
  python -m app.cluster                              serve on http://127.0.0.1:8000, on this machine alone
  python -m app.cluster --workers 2 --max-replicas 8 two replicas at least, eight when there is much to do
  python -m app.cluster --address 10.0.0.1:6379      on the cluster whose head is there; then this command ends
  DIGITS_MODEL_VERSION=1 python -m app.cluster --address auto
                                                     other settings for what runs there: a rolling update
  python -m app.cluster --address auto --stop        no more of it
  curl -F file=@tests/pictures/seven.png http://127.0.0.1:8000/predict

A cluster is made by Ray's own command, on each machine with this checkout at the same place:
  .venv/bin/ray start --head --node-ip-address 10.0.0.1 --port 6379
  .venv/bin/ray start --address 10.0.0.1:6379
Whoever reaches Ray's ports and has its token may do anything there: docs/ray.md says how to close them.

Settings are those of `python -m app`, as options or in the environment; the option wins. --workers is the least number
of replicas. Of what concerns connections, Ray's proxy has its own ways (docs/ray.md). Without --address it ends on
SIGTERM or Ctrl-C with status 0; it ends with status 2 when a setting, the address or the model folder is wrong."""
NOT_HERE = {"max_connections", "head_seconds", "send_seconds", "drain_seconds"}


def main(arguments: Sequence[str]) -> int:
    given = vars(_parser().parse_args(arguments))
    address, most, cpus, stop = (given.pop(name) for name in ("address", "max_replicas", "cpus", "stop"))
    options = {name: value for name, value in given.items() if value is not None}
    try:
        settings = Settings.from_environment(os.environ, options)
        if not stop:
            check_installed(settings.engine)
            choose_version(settings.model_dir, settings.wanted_version)
        if most is not None and most < settings.workers:
            raise ClusterError(f"Expected --max-replicas to be {settings.workers} (--workers) or more; got {most}.")
        if stop and address is None:
            raise ClusterError("--stop needs the --address of the cluster: without one, Ctrl-C stops the service.")
        if not stop and (address is None or not settings.port):
            settings = _with_port(settings)
        from app.cluster.serving import serve, stop_serving  # imports Ray

        logging.config.dictConfig(_logging())
        if stop:
            stop_serving(address)
        else:
            serve(settings, address, most, cpus)
    except (SettingsError, ModelError, ClusterError) as error:
        return _fail(error)
    return 0


def _with_port(settings: Settings) -> Settings:
    """A free port where any will do: the proxies of all machines listen on the same.

    Raises: ClusterError, when nobody can listen there.
    """
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, place = found[0]
        with socket.socket(family, kind, protocol) as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(place)
            return settings.model_copy(update={"port": free.getsockname()[1]})
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise ClusterError(f"Nobody can listen on {settings.host} port {settings.port} here: {why}.") from error


def _logging() -> dict[str, object]:
    from app.telemetry.log import TEXT

    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": TEXT}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "loggers": {"digits": {"level": "INFO", "handlers": ["stderr"]}},
    }


def _parser() -> argparse.ArgumentParser:
    description = "Serves a handwritten-digit model over HTTP, by replicas on Ray."
    parser = command_line("python -m app.cluster", description, EPILOG)
    parser.add_argument(
        "--address", metavar="HOST:PORT", help="the head of a Ray cluster, or auto: the one of this machine (a new one)"
    )
    replicas = "replicas at most, when there is much to do (--workers)"
    parser.add_argument("--max-replicas", type=whole_number(1, 10_000), metavar="N", help=replicas)
    parser.add_argument("--cpus", type=_cpus, metavar="N", default=1, help="CPUs kept for each replica (1)")
    parser.add_argument("--stop", action="store_true", help="end the service on the cluster at --address")
    add_settings(parser, NOT_HERE)
    return parser


def _cpus(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number <= 1024:
        raise argparse.ArgumentTypeError(f"expected a number above 0 and up to 1024, got {text!r}")
    return number


def _fail(error: Exception) -> int:
    print(f"python -m app.cluster: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
