#!/bin/sh
# Installs HAProxy for the tests of the load balancer, where there is none.
PATH=$PATH:/usr/local/sbin:/usr/sbin
command -v "${HAPROXY:-haproxy}" >/dev/null && exit 0
exec "$(dirname "$0")/apt_install.sh" haproxy "the load balancer"
