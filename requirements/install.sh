#!/bin/sh
# install.sh LOCK: makes .venv if there is none, and installs into it what the lock file names.
# Uses $PYTHON, or the first Python 3.11 to 3.13 that it finds. Says in one sentence what is missing.
set -eu
lock=$1
here=$(dirname "$0")

supported() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; }

find_python() {
  if [ -n "${PYTHON:-}" ]; then
    supported "$PYTHON" && echo "$PYTHON" && return
  else
    for candidate in python3 python3.13 python3.12 python3.11 python; do
      supported "$candidate" && echo "$candidate" && return
    done
  fi
  echo "Python 3.11, 3.12 or 3.13 is needed, and ${PYTHON:-python3} is none of them or missing:" \
    "install one (Debian, Ubuntu: apt-get install python3 python3-venv) or name it, as in: make PYTHON=/path/to/python3.12" >&2
  exit 1
}

if [ ! -x .venv/bin/uv ]; then
  python=$(find_python)
  if ! "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
    echo "Python's venv module is missing for $python: install it (Debian, Ubuntu: apt-get install python3-venv)" >&2
    exit 1
  fi
  echo "Setting up .venv, this once: a minute or two, by the network." >&2
  "$python" -m venv --clear .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$here/uv.txt"
fi

# uv takes seconds where pip takes a minute; pip knows this machine's mirrors and certificates where uv doesn't.
# Compiled now, modules load in a third of the time at every start, even where they can't be written later.
.venv/bin/uv pip install --quiet --python .venv/bin/python --compile-bytecode --require-hashes -r "$lock" ||
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$lock"
