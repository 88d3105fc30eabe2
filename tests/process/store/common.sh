# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts of this folder. $tool is the store_tool, $work a scratch folder, removed at the end.
set -eu
export LC_ALL=C
# The leak checker of a sanitized build cannot work under strace.
export ASAN_OPTIONS=detect_leaks=0
tool=$1
base=${TMPDIR:-/tmp}
[ -n "${TMPDIR:-}" ] || [ ! -w /dev/shm ] || base=/dev/shm  # the scripts sync thousands of times
work=$(mktemp -d "$base/icelock-store-XXXXXX")
cleanup() { rm -rf "$work"; }
trap cleanup EXIT
trap 'exit 1' INT TERM

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

skip() {
  echo "skipped: $*"
  exit 77
}

# Every name below $1 with kind, mode and owner; for files also time, size and content.
snapshot() {
  (cd "$1" && find . -type f -printf '%p %m %U:%G %T@ %s ' -exec sha256sum '{}' \; -o \
    -printf '%p %y %m %U:%G\n' | sort)
}

same() {
  [ "$1" = "$2" ] || fail "$3
$(diff <(echo "$1") <(echo "$2"))"
}

# A machine on which other admins have been at work: a Firefox file with its own ways, a Chromium folder
# with files before and after icelock's name, and none for Brave.
make_root() {
  mkdir -p "$1/etc/firefox/policies" "$1/etc/chromium/policies/managed" "$1/var/lib"
  printf '{\r\n\t"policies": {\r\n\t\t"DisableTelemetry": true\r\n\t}\r\n}' \
    >"$1/etc/firefox/policies/policies.json"
  printf '{ "HomepageLocation" : "x" }' >"$1/etc/chromium/policies/managed/admin.json"
  printf '{ "Other" : 1 }' >"$1/etc/chromium/policies/managed/zz-icelock.json"
  find "$1" -type f -exec chmod 0640 '{}' + -exec touch -d '2021-02-03 04:05:06.789' '{}' +
}
