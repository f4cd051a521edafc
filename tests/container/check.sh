#!/usr/bin/env bash
# check.sh
#
# Runs the images that build.sh has built, hardened (run_image.sh says what that proves), and looks at their size.
# Where nothing could be built, it says so.
set -euo pipefail
cd "$(dirname "$0")/../.."

store=${IMAGE_STORE:-/var/tmp/image-store}
driver=vfs
[ -d "$store/root/overlay" ] && driver=overlay
if [ "$(id -u)" != 0 ] || ! command -v buildah >/dev/null; then
  echo "not checked: the images, for build.sh has built none"
  [ "${CI:-}" != true ] || exit 1
  exit 0
fi
tests/container/run_image.sh digits:check
WITHOUT=tensorflow tests/container/run_image.sh digits:small

# What the small one is for. The base is measured as it stands here; a gigabyte has a thousand megabytes.
megabytes_of() {
  echo $(($(podman --root "$store/root" --runroot "$store/run" --storage-driver "$driver" \
    image inspect --format '{{.Size}}' "$1") / 1000000))
}
base=$(megabytes_of python:3.13-slim)
small=$(($(megabytes_of digits:small) - base))
echo "unpacked, beyond their base: digits:check $(($(megabytes_of digits:check) - base)) MB, digits:small $small MB"
[ "$small" -le 300 ] || { echo "FAIL: expected at most 300 MB of digits:small" >&2; exit 1; }
