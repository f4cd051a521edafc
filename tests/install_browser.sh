#!/bin/sh
# Installs a browser for the tests of the page, where there is none.
for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
  [ -n "$name" ] && command -v "$name" >/dev/null && exit 0
done
exec "$(dirname "$0")/apt_install.sh" chromium "the page"
