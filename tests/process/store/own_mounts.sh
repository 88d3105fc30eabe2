# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced first: starts the script again with mounts of its own, which go with it.
if [ "${ICELOCK_IN_NAMESPACE:-}" != 1 ]; then
  [ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
  unshare -m true 2>/dev/null || { echo "skipped: no mount namespace"; exit 77; }
  ICELOCK_IN_NAMESPACE=1 exec unshare -m --propagation private "$0" "$@"
fi
