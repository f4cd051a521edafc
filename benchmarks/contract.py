"""`python -m benchmarks.contract`: schemathesis compares a running service with its own OpenAPI document.

All of its checks, with and without a key; `benchmarks/schemathesis.toml` says what the document can't.
"""

import argparse
import os
import re
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.measure import say
from benchmarks.servers import SERVICE, running

CONFIG = Path(__file__).with_name("schemathesis.toml")
CASES = re.compile(r"^ +(\d+) generated", re.MULTILINE)


def compare(url: str, folder: Path, key: str, examples: int, seed: int = 0) -> tuple[int, str]:
    """How many cases there were, and what schemathesis says. Raises: BenchmarkError, when something was found.

    `examples`: at most, for each of some twenty operations; `folder`: for what schemathesis likes to write.
    """
    options = ("--checks", "all", "--continue-on-failure", "--max-examples", str(examples), "--seed", str(seed))
    run = ("schemathesis.cli", "--config-file", str(CONFIG), "run", f"{url}/openapi.json", "--no-color", *options)
    environment = os.environ | {"CONTRACT_KEY": key}
    done = subprocess.run([sys.executable, "-m", *run], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise BenchmarkError(done.stdout[-10_000:] + done.stderr)
    return int(next(iter(CASES.findall(done.stdout)), "0")), done.stdout


def main() -> int:
    """Returns the exit status: 1 when something was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.contract", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--examples", type=int, default=220, help="of each operation, at most (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another one makes other cases (default: %(default)s)")
    options = parser.parse_args()
    key = secrets.token_hex()
    with (
        tempfile.TemporaryDirectory(prefix="digits-contract-") as folder,
        running((*SERVICE.command, "--api-keys", key), "0", Path(folder) / "service.log") as server,
    ):
        server.wait_ready()
        try:
            cases, said = compare(f"http://127.0.0.1:{server.port}", Path(folder), key, options.examples, options.seed)
        except BenchmarkError as error:
            say(str(error))
            return 1
    say(f"{said}\n{cases:,} cases, 0 findings")
    return 0


if __name__ == "__main__":
    sys.exit(main())
