#!/bin/sh
# apt_install.sh PACKAGE WHAT: installs a package of Debian's for the tests of WHAT, where this may: as root of a Debian.
# What is then still missing, the last line of the tests' run names.
[ "$(id -u)" = 0 ] && [ -e /etc/debian_version ] && command -v apt-get >/dev/null || exit 0
echo "installing $1 for the tests of $2 ..."
{ apt-get update -qq && apt-get install -y -qq --no-install-recommends "$1"; } >/dev/null 2>&1 ||
  echo "$1 could not be installed" >&2
