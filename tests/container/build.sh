#!/usr/bin/env bash
# build.sh
#
# Builds both images of the Dockerfile, unchanged, for check.sh: digits:check and digits:small. build_image.sh says what
# that proves. Needs root and Debian's packages (installed when absent); where it can't be done, the last line says why,
# and with CI=true that is a failure.
set -euo pipefail
cd "$(dirname "$0")/../.."

skip() {
  echo "not checked: $1"
  [ "${CI:-}" != true ] || exit 1
  exit 0
}
[ "$(id -u)" = 0 ] || skip "the image (building it without a Docker engine needs root)"
command -v apt-get >/dev/null || skip "the image (buildah and podman come from Debian's packages)"
tests/container/build_image.sh . digits:check
EXTRA_BUILD_ARGS="--target small" tests/container/build_image.sh . digits:small
