#!/bin/sh
# Installs HAProxy for the tests of the load balancer, where there is none and this may: as root of a Debian.
# What is then still missing, the last line of the tests' run names.
PATH=$PATH:/usr/local/sbin:/usr/sbin
command -v "${HAPROXY:-haproxy}" >/dev/null && exit 0
[ "$(id -u)" = 0 ] && [ -e /etc/debian_version ] && command -v apt-get >/dev/null || exit 0
echo "installing haproxy for the tests of the load balancer ..."
{ apt-get update -qq && apt-get install -y -qq --no-install-recommends haproxy; } >/dev/null 2>&1 ||
  echo "haproxy could not be installed" >&2
