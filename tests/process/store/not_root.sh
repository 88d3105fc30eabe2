#!/bin/bash
# shellcheck disable=SC2154  # tool and work come from common.sh
# SPDX-License-Identifier: Apache-2.0
# A user may not change root's tree, and may use one of their own.
[ "$(id -u)" = 0 ] || { echo "skipped: needs root to become somebody else"; exit 77; }
. "$(dirname "$0")/common.sh"
nobody="setpriv --reuid=65534 --regid=65534 --clear-groups"
chmod 0755 "$work"
install -m 0755 "$tool" "$work/tool"

make_root "$work/root"
before=$(snapshot "$work/root")
chmod -R a+rX "$work/root/etc" # what a browser's user may read
before=$(snapshot "$work/root")
if said=$($nobody "$work/tool" "$work/root" apply chromium=force_proxy brave=force_proxy); then
  fail "a user changed root's policies"
fi
[ "${said%%:*}" = not_permitted ] || fail "not_permitted expected, but: $said"
same "$before" "$(snapshot "$work/root")" "a user's attempt left something"

make_root "$work/own"
chown -R 65534:65534 "$work/own"
before=$(snapshot "$work/own")
$nobody "$work/tool" "$work/own" apply chromium=force_proxy firefox=force_proxy >/dev/null
[ "$("$tool" "$work/own" installed chromium 2>&1 | cut -d: -f1)" = unsafe_path ] ||
  fail "root believed a tree of somebody else's"
$nobody "$work/tool" "$work/own" revert >/dev/null
same "$before" "$(snapshot "$work/own")" "a user's own tree did not come back"
