#!/bin/sh
# Fetches Debian's Fashion-MNIST into .venv for the tests that train it, where it is not there yet and apt is. Needs no
# root, unless apt has no lists of packages. What is then still missing, the last lines of the tests' run name.
name=dataset-fashion-mnist
cache=.venv/datasets
for folder in "${FASHION_MNIST:-/nowhere}" /usr/share/datasets/fashion-mnist "$cache/usr/share/datasets/fashion-mnist"; do
  [ -d "$folder" ] && exit 0
done
command -v apt-get >/dev/null && command -v dpkg >/dev/null || exit 0
echo "fetching $name for the tests of training ..."
mkdir -p "$cache" && cd "$cache" || exit 0
{
  apt-get download -qq "$name" || { apt-get update -qq && apt-get download -qq "$name"; }
  dpkg -x "$name"_*.deb . && rm "$name"_*.deb
} >/dev/null 2>&1 || echo "$name could not be fetched" >&2
