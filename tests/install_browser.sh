#!/bin/sh
# Installs a browser for the tests of the page, where there is none and this may: as root of a Debian.
# What is then still missing, the last line of the tests' run names.
for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
  [ -n "$name" ] && command -v "$name" >/dev/null && exit 0
done
[ "$(id -u)" = 0 ] && [ -e /etc/debian_version ] && command -v apt-get >/dev/null || exit 0
echo "installing chromium for the tests of the page ..."
{ apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1 ||
  echo "chromium could not be installed" >&2
