#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs a program with all its arguments as root of a new user and network namespace, without any right outside.
# Exits 77 (skip) where the system allows no user namespaces.
set -eu
drop=""
if [ "$(id -u)" = 0 ]; then
  drop="setpriv --reuid 65534 --regid 65534 --clear-groups"
fi
if ! $drop unshare -Urn true 2>/dev/null; then
  echo "SKIP: no user and network namespaces for an unprivileged user here" >&2
  exit 77
fi
if ! $drop unshare -Urn sh -c 'test -w /dev/net/tun'; then
  echo "SKIP: /dev/net/tun is missing or closed" >&2
  exit 77
fi
exec $drop unshare -Urn "$@"
