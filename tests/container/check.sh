#!/usr/bin/env bash
# check.sh
#
# Lints the Dockerfile, builds its image unchanged, and runs it hardened: build_image.sh and run_image.sh say what that
# proves. Needs root and Debian's packages (installed when absent). With CI=true what can't be checked is a failure;
# elsewhere the last line names it.
set -euo pipefail
cd "$(dirname "$0")/../.."

skip() {
  if [ "${CI:-}" = true ]; then
    echo "FAIL: not checked: $1" >&2
    exit 1
  fi
  echo "not checked: $1"
  exit 0
}

.venv/bin/hadolint Dockerfile
echo "hadolint: nothing to say about the Dockerfile"
[ "$(id -u)" = 0 ] || skip "the image (building it without a Docker engine needs root)"
command -v apt-get >/dev/null || skip "the image (buildah and podman come from Debian's packages)"
tests/container/build_image.sh . digits:check
tests/container/run_image.sh digits:check
EXTRA_BUILD_ARGS="--target small" tests/container/build_image.sh . digits:small
WITHOUT=tensorflow tests/container/run_image.sh digits:small

# What the small one is for. The base is measured as it stands here; a gigabyte has a thousand megabytes.
store=${IMAGE_STORE:-/var/tmp/image-store}
driver=vfs
[ -d "$store/root/overlay" ] && driver=overlay
megabytes_of() {
  echo $(($(podman --root "$store/root" --runroot "$store/run" --storage-driver "$driver" \
    image inspect --format '{{.Size}}' "$1") / 1000000))
}
base=$(megabytes_of python:3.13-slim)
small=$(($(megabytes_of digits:small) - base))
echo "unpacked, beyond their base: digits:check $(($(megabytes_of digits:check) - base)) MB, digits:small $small MB"
[ "$small" -le 300 ] || { echo "FAIL: expected at most 300 MB of digits:small" >&2; exit 1; }
